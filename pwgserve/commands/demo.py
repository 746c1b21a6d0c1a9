"""`pwgserve demo`: a gallery to look at, without anything to set up."""

from __future__ import annotations

import sys

import click


@click.command("demo")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Where to listen on 127.0.0.1.")
def demo_command(port: int | None) -> None:
    """Show a small gallery with its viewers and its intruders, in the browser."""
    # What draws the gallery is installed for the demo only.
    from pwgserve.demo import server

    sys.exit(server.run(port))
