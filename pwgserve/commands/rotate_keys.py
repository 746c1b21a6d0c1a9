"""`pwgserve keys rotate`: a new key to sign links with, while the old ones are honoured until their links expire."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from pwgserve import settings_file
from pwgserve.commands.list_keys import span
from pwgserve.commands.options import config_file, keys_file
from pwgserve.credentials import HANDED_OVER, is_kept_by_root
from pwgserve.keys import keyring, plugin_file
from pwgserve.keys.keyring import KeyRing
from pwgserve.keys.keys_file import KeysError, rotated
from pwgserve.keys.keywatch import lifetime
from pwgserve.plugin import key_id


@click.command("rotate")
@config_file
@keys_file
@click.option("--forget-old", is_flag=True, help="The old keys count no more: all links made so far end at once.")
def rotate_command(file: Path, keys: Path | None, forget_old: bool) -> None:
    """Sign links with a new key from now on.

    Links made before work until they expire; then their key is forgotten. A daemon that runs learns of the new key by
    itself, within seconds; nothing needs a restart. As root, the plugin's copy of the key is renewed, too.

    Keys that root keeps for the service in /etc/credstore are rotated there by root, and taken at its next restart.
    """
    found = settings_file.load(file)
    target = keys or found.links.keys_file
    refuse_handed_over(target)
    ring = rotated(target, lifetime(found), forget_old)
    click.echo(f"New key {key_id(ring.link_keys[-1])}; it signs in {keyring.SETTLE_SECONDS} s.")
    if forget_old:
        click.echo("All links made so far have ended.")
    elif len(ring.link_keys) > 1 and (ends := ring.ends(len(ring.link_keys) - 2, lifetime(found))) is not None:
        click.echo(f"Links of the key before are honoured for {span(ends - time.time())} more.")
    copy = found.piwigo.root / plugin_file.NAME
    has_plugin = os.path.exists(copy)  # noqa: PTH110 (False where it may not look)
    if is_kept_by_root(target):
        # Until then the service refuses what the new key signs, so the plugin must not have it yet.
        export = f" && pwgserve keys export-plugin --config {file}" if has_plugin else ""
        click.echo(f"The service takes it when it starts again; now run: systemctl restart pwgserve{export}")
    elif has_plugin:
        _renew_copy(copy, ring, file)


def wait_until_known(ring: KeyRing) -> None:
    """Wait until every process of a daemon believes what the newest key signs."""
    begins = ring.signs_from(len(ring.link_keys) - 1)
    if begins is not None:
        time.sleep(min(keyring.SETTLE_SECONDS, max(0.0, begins - time.time())))


def refuse_handed_over(keys: Path) -> None:
    """Raise KeysError for a file that is systemd's copy: a change there would be lost, and is not possible."""
    folder = os.environ.get(HANDED_OVER)
    if keys.is_relative_to("/run/credentials") or (folder and keys.is_relative_to(folder)):
        raise KeysError(
            f"{keys}: systemd's copy of the keys, which cannot be changed; run as root, not in a unit: pwgserve keys "
            "rotate --config …; the unit's LoadCredential says where root keeps them"
        )


def _renew_copy(copy: Path, ring: KeyRing, file: Path) -> None:
    wait_until_known(ring)
    try:
        plugin_file.renew(copy, ring)
    except KeysError as error:
        click.echo(f"{error}. Run as root, before the old key's links end: pwgserve keys export-plugin --config {file}")
    else:
        click.echo(f"Piwigo's plugin signs with it, too ({copy}).")
