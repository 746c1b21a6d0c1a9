"""`pwgserve serve`: the daemon itself."""

from __future__ import annotations

from pathlib import Path

import click
import uvloop

from pwgserve import logs, settings
from pwgserve.commands.options import config_file
from pwgserve.serving import serve


@click.command("serve")
@config_file
def serve_command(file: Path) -> None:
    """Serve the gallery that FILE describes, until told to stop."""
    found = settings.load(file)
    logs.configure(found.log.level, found.log.format)
    uvloop.run(serve(found))
