"""`pwgserve keys list`: which keys there are, how old, and what each is for. Never the keys themselves."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from pwgserve import settings_file
from pwgserve.commands.options import as_json, config_file, keys_file
from pwgserve.keys.keyring import KeyRing
from pwgserve.keys.keys_file import opened
from pwgserve.keys.keywatch import lifetime
from pwgserve.plugin import key_id


@click.command("list")
@config_file
@keys_file
@as_json
def list_command(file: Path, keys: Path | None, as_json: bool) -> None:
    """Show the keys that sign links: names from which they cannot be found, ages, and what each is for."""
    found = settings_file.load(file)
    rows = described(opened(keys or found.links.keys_file), time.time(), lifetime(found))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['id']}  {_age(row['age']):>12}  {row['state']}{_until(row['seconds'])}")


def described(ring: KeyRing, now: float, life: float) -> list[dict[str, Any]]:
    """Every key of the file: `id`, `age` in seconds (None: not known), `state`, `seconds` until that changes or None.

    state: "new" (accepted, will sign soon), "signs", "accepted" (signs no more), or "expired".
    """
    signing = ring.at(now, life).link_keys[-1]
    rows = []
    is_new = False
    for number, key in enumerate(ring.link_keys):
        made = ring.made[number] if number < len(ring.made) else None
        ends, begins = ring.ends(number, life), ring.signs_from(number)
        state, seconds = "accepted", None if ends is None else max(0, round(ends - now))
        if key == signing:
            state, seconds, is_new = "signs", None, True
        elif is_new:
            state, seconds = "new", None if begins is None else max(0, round(begins - now))
        elif ends is not None and now >= ends:
            state, seconds = "expired", None
        age = None if made is None else max(0, round(now - made))
        rows.append({"id": key_id(key), "age": age, "state": state, "seconds": seconds})
    return rows


def _age(seconds: int | None) -> str:
    return "age unknown" if seconds is None else f"{span(seconds)} old"


def _until(seconds: int | None) -> str:
    return "" if seconds is None else f", for {span(seconds)} more"


def span(seconds: float) -> str:
    """A duration in one unit, for people: `45 s`, `12 min`, `3 h`, `9 d`."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
