"""The keys that sign links: `keyring` says which of them count, `keys_file` holds them, `keywatch` notices that it
changed, and `plugin_file` is the plugin's part of it.
"""
