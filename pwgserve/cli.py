"""The `pwgserve` command. Exit codes: 0 fine, 1 a check found something, 2 wrong usage or configuration (one line),
130 interrupted (`warm`).

What each command does is in `pwgserve.commands`.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NoReturn

import click

from pwgserve import loading
from pwgserve.problems import OwnerError

WRONG = 2

COMMANDS = ("init", "serve", "check", "keys", "warm", "cache", "sign", "status", "demo")
"""In the order in which an owner meets them. Each is `NAME_command` in `pwgserve.commands.NAME`."""


class _Commands(click.Group):
    """Commands that are imported when they are called, and whose expected errors are one line, not a traceback.

    `serve` must not wait for what `check` and `init` need.
    """

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        with loading.for_good():
            module = importlib.import_module(f"pwgserve.commands.{name}")
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except OwnerError as error:
            _fail(str(error))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", package_name="pwgserve", prog_name="pwgserve")
def main() -> None:
    """Serve the pictures of a Piwigo gallery, to those who may see them."""


def _fail(message: str) -> NoReturn:
    click.echo(f"pwgserve: {' '.join(message.split())}", err=True)
    sys.exit(WRONG)
