"""`pwgserve keys`: the keys that sign links."""

from __future__ import annotations

import click

from pwgserve.commands.export_plugin import export_plugin_command


@click.group("keys")
def keys_command() -> None:
    """The keys that sign links."""


keys_command.add_command(export_plugin_command)
