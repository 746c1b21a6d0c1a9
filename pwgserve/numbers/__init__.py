"""What the daemon counts: `metrics` in one process, `shared` in all of them, `trend` over the last hours; `opsclient`
asks a running daemon for them.
"""
