"""A web server's configuration as a text, for tests that need no files."""

from pathlib import Path

from pwgserve.setup.statements import Line, pieces
from pwgserve.setup.webconfig import WebConfig


def config(server, text, file="site.conf"):
    """What a server reads that has this one file."""
    lines = [Line(Path(file), number, line) for number, line in enumerate(text.splitlines(), 1)]
    return WebConfig(server, (tuple(Line(Path(file), *piece) for piece in pieces(server, text)),), tuple(lines))


def below(root):
    """Where a gallery lies below a folder, as their names tell."""
    return lambda folder: [(str(root.relative_to(folder)), "")] if root.is_relative_to(folder) else []
