"""Options that several commands have, so that they are spelled and explained alike."""

from __future__ import annotations

from pathlib import Path

import click

config_file = click.option(
    "--config",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration, a TOML file.",
)
"""`--config FILE`, as the argument `file`."""
