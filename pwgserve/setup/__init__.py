"""What `pwgserve init` does: looks at a machine with a Piwigo, plans what pwgserve needs there, and writes it.

Pure: `templates`, `sites`, `grants`, `configuration` and `plan`. `machine` and `database` look, `writing` writes.
"""
