"""`pwgserve keys`: the keys that sign links."""

from __future__ import annotations

import click

from pwgserve.commands.export_plugin import export_plugin_command
from pwgserve.commands.list_keys import list_command
from pwgserve.commands.rotate_keys import rotate_command


@click.group("keys")
def keys_command() -> None:
    """The keys that sign links."""


for _command in (list_command, rotate_command, export_plugin_command):
    keys_command.add_command(_command)
