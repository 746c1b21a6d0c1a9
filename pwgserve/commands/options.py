"""Options that several commands have, so that they are spelled and explained alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

A_PATH = click.Path(path_type=Path, readable=False)
"""A path as it is given. Whoever opens it says what is wrong with it, in one line and with what to do."""

config_file = click.option(
    "--config",
    "file",
    required=True,
    type=A_PATH,
    metavar="FILE",
    help="The configuration, a TOML file.",
)
"""`--config FILE`, as the argument `file`."""

keys_file = click.option(
    "--keys-file",
    "keys",
    type=A_PATH,
    metavar="FILE",
    help="The keys, if not those of links.keys_file.",
)
"""`--keys-file FILE`, as the argument `keys`."""


ROW = click.IntRange(1, 2**31 - 1)
"""The id of a photo or an album. No database has larger ones, and drivers do not even ask for them."""


def chosen_albums(command: Callable[..., None]) -> Callable[..., None]:
    """`--album ID` (several times) and `--sub-albums`, as `albums` and `sub_albums`."""
    command = click.option("--sub-albums", is_flag=True, help="With all albums below those of --album.")(command)
    chosen = click.option(
        "--album",
        "albums",
        type=ROW,
        multiple=True,
        metavar="ID",
        help="Only this album; may be repeated.",
    )
    return chosen(command)


as_json = click.option("--json", "as_json", is_flag=True, help="For programs.")
"""`--json`, as the argument `as_json`."""
