"""What `pwgserve init` does: looks at a machine with a Piwigo, plans what pwgserve needs there, and writes it.

Pure: `templates`, `grants` and `plan`. `machine` and `site` look, `writing` writes.
"""
