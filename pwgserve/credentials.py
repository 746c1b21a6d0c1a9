"""Secrets that systemd hands to the service, and the files in which root keeps them for that, see docs/service.md.

What settings mean is in `settings`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pwgserve.problems import OwnerError

HANDED_OVER = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what the units' LoadCredential names, for their processes and read-only."""

STORE = Path("/etc/credstore")
OF_SERVICE = Path("/etc/pwgserve.toml")
"""The configuration that the units name. For another one, nothing is kept."""

Values = dict[str, dict[str, Any]]


class CredentialError(OwnerError):
    """A secret that is there cannot be read."""


def handed_over() -> Values:
    """What systemd hands to this process, as tables of settings. Raises CredentialError. Blocks."""
    folder = os.environ.get(HANDED_OVER)
    return _values(Path(folder) / "keys", Path(folder) / "database") if folder else {}


def kept_by_root(configuration: Path) -> Values:
    """What root keeps for the service of a configuration, for commands that root runs: they are to see the same
    database and the same keys as the service. Raises CredentialError. Blocks.
    """
    if os.geteuid() != 0 or os.environ.get(HANDED_OVER) or configuration.absolute() != OF_SERVICE:
        return {}
    return _values(STORE / "pwgserve.keys", STORE / "pwgserve.database")


def is_kept_by_root(file: Path) -> bool:
    """Whether the service takes a file at its start only, from root."""
    return file.absolute().is_relative_to(STORE)


def _values(keys: Path, database: Path) -> Values:
    found: Values = {}
    if keys.exists():
        found["links"] = {"keys_file": keys}
    try:
        found["piwigo"] = {"database": database.read_text("utf-8").strip()}
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(f"{database}: cannot read this credential: {type(error).__name__}") from error
    return found
