"""The `pwgserve` command. Exit codes: 0 fine, 1 a check found something, 2 wrong usage or configuration (one line).

What each command does is in `pwgserve.commands`.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from pwgserve import __version__
from pwgserve.commands.cache import cache_command
from pwgserve.commands.check import check_command
from pwgserve.commands.demo import demo_command
from pwgserve.commands.init import init_command
from pwgserve.commands.keys import keys_command
from pwgserve.commands.serve import serve_command
from pwgserve.commands.sign import sign_command
from pwgserve.commands.status import status_command
from pwgserve.commands.warm import warm_command
from pwgserve.problems import OwnerError

WRONG = 2


class _Commands(click.Group):
    """Commands whose expected errors are one line, not a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except OwnerError as error:
            _fail(str(error))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="pwgserve")
def main() -> None:
    """Serve the pictures of a Piwigo gallery, to those who may see them."""


for _command in (
    init_command,
    serve_command,
    check_command,
    keys_command,
    warm_command,
    cache_command,
    sign_command,
    status_command,
    demo_command,
):
    main.add_command(_command)


def _fail(message: str) -> NoReturn:
    click.echo(f"pwgserve: {' '.join(message.split())}", err=True)
    sys.exit(WRONG)
