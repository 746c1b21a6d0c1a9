"""The `pwgserve` command. Exit codes: 0 fine, 1 a check found something, 2 wrong usage or configuration (one line)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click
import uvloop

from pwgserve import __version__, logs, settings
from pwgserve.cache import CacheError
from pwgserve.keyring import KeysError
from pwgserve.piwigo.gallery import GalleryConfigurationError, GalleryUnavailableError
from pwgserve.render.pool import RenderFailedError
from pwgserve.serving import ListenError, serve
from pwgserve.settings import SettingsError

WRONG = 2

_OF_CONFIGURATION = (
    SettingsError,
    GalleryConfigurationError,
    GalleryUnavailableError,
    KeysError,
    CacheError,
    ListenError,
    RenderFailedError,
)
"""Errors whose message is one line that tells the owner what to do."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="pwgserve")
def main() -> None:
    """Serve the pictures of a Piwigo gallery, to those who may see them."""


@main.command("serve")
@click.option(
    "--config",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration, a TOML file.",
)
def serve_command(file: Path) -> None:
    """Serve the gallery that FILE describes, until told to stop."""
    try:
        found = settings.load(file)
        logs.configure(found.log.level, found.log.format)
        uvloop.run(serve(found))
    except _OF_CONFIGURATION as error:
        _fail(str(error))


@main.command("demo")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Where to listen on 127.0.0.1.")
def demo_command(port: int | None) -> None:
    """Show a small gallery with its viewers and its intruders, in the browser."""
    from pwgserve.demo import server

    sys.exit(server.run(port))


def _fail(message: str) -> NoReturn:
    click.echo(f"pwgserve: {' '.join(message.split())}", err=True)
    sys.exit(WRONG)
