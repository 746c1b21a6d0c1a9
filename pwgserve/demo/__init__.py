"""The embedded gallery of `make demo`: generated photographs, a gallery in SQLite, and a page that shows the point.

Nothing of the daemon depends on this.
"""
