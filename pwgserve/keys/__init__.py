"""The keys that sign links: `keyring` is their file, `keywatch` notices that it changed, `plugin_file` is the plugin's
part of it.
"""
