"""`pwgserve serve`: the daemon itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from pwgserve import loading
from pwgserve.commands.options import config_file


@click.command("serve")
@config_file
def serve_command(file: Path) -> None:
    """Serve the gallery that FILE describes, until told to stop."""
    with loading.for_serving():
        from pwgserve.service.supervisor import Supervisor

    asyncio.run(Supervisor(file).run())
