"""`pwgserve serve`: the daemon itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from pwgserve import loading
from pwgserve.commands.options import config_file
from pwgserve.service.recruit import Recruit


@click.command("serve")
@config_file
def serve_command(file: Path) -> None:
    """Serve the gallery that FILE describes, until told to stop."""
    asyncio.run(_serve(file))


async def _serve(file: Path) -> None:
    # The first server process loads its code on another core while this one loads its own.
    first = await Recruit.begin()
    try:
        with loading.for_serving():
            from pwgserve.service.supervisor import Supervisor

        await Supervisor(file, first).run()
    finally:
        await first.dismiss()
