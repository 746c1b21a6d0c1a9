"""`pwgserve keys export-plugin`: hands the keys that sign links to Piwigo's plugin."""

from __future__ import annotations

from pathlib import Path

import click

from pwgserve import settings_file
from pwgserve.commands.options import config_file
from pwgserve.commands.rotate_keys import wait_until_known
from pwgserve.keys import keys_file, plugin_file
from pwgserve.settings import Listen


@click.command("export-plugin")
@config_file
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write them; local/config/pwgserve.inc.php in Piwigo's folder if not given.",
)
@click.option("--address", metavar="ADDRESS", help="Where PHP reaches the daemon; server.listen if not given.")
@click.option("--group", metavar="NAME", help="PHP's group, like www-data; that of database.inc.php if not given.")
def export_plugin_command(file: Path, output: Path | None, address: str | None, group: str | None) -> None:
    """Hand the keys to Piwigo's plugin. `keys rotate` renews the plugin's copy, or says to do this again."""
    found = settings_file.load(file)
    where = address or found.server.listen
    try:
        Listen.parse(where)
    except ValueError as error:
        raise click.UsageError(f"--address: {error}") from error
    keys = keys_file.load_or_create(found.links.keys_file)
    wait_until_known(keys)
    target = (output or found.piwigo.root / plugin_file.NAME).absolute()
    plugin_file.write(target, plugin_file.text(keys, where), group)
    click.echo(f"Written: {target} (mode 0640). Only PHP needs to read it.")
    if output is None:
        click.echo("Now look at Plugins > pwgserve in Piwigo's administration.")
