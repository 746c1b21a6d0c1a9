"""The file by which Piwigo's plugin gets its keys: as safe where it lies as Piwigo's own database password.

It is a PHP file that says nothing when a browser opens it; behind PHP's end mark stands JSON. Written as a whole or not
at all. Which keys there are is in `keys_file`; the plugin's side is `Keys.php`.
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pwgserve.keys.keyring import KeyRing
from pwgserve.keys.keys_file import KeysError

NAME = Path("local/config/pwgserve.inc.php")
"""Below Piwigo's root: where the plugin looks."""

NEIGHBOUR = "database.inc.php"
"""Piwigo's own secret beside it: who may read that one may read ours."""

MODE = 0o640
_END = "__halt_compiler();"
_HEAD = f"<?php /* Keys of pwgserve's plugin: keep as secret as database.inc.php. */ exit; {_END}\n"


def text(keys: KeyRing, address: str) -> str:
    """The file's content. address: where the daemon listens, as `server.listen` has it."""
    content = {
        "address": address,
        "link_key": keys.link_keys[-1].hex(),
        "mark_key": keys.mark_key.hex(),
    }
    return _HEAD + json.dumps(content, indent=1) + "\n"


def renew(file: Path, keys: KeyRing) -> None:
    """Put other keys into a file that was written before; all else about it stays. Raises KeysError. Blocks."""

    def as_before(handle: int) -> None:
        os.fchmod(handle, status.st_mode & 0o777)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(handle, status.st_uid, status.st_gid)

    try:
        status = file.stat()
        content = json.loads(file.read_text("utf-8").partition(_END)[2])
        _replace(file, text(keys, str(content["address"])), as_before)
    except OSError as error:
        raise KeysError(f"{file}: cannot renew it: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise KeysError(f"{file}: not what keys export-plugin writes") from error


def write(file: Path, content: str, group: str | None = None) -> None:
    """Put the file in its place, for Piwigo's PHP to read. group: who may read it, if not who reads its neighbour.

    Raises KeysError. Blocks.
    """

    def for_php(handle: int) -> None:
        os.fchmod(handle, MODE)
        _give_away(handle, file.parent, group)

    try:
        _replace(file, content, for_php)
    except LookupError as error:
        raise KeysError(f"--group: this machine has no group {group}") from error
    except OSError as error:
        raise KeysError(
            f"{file}: cannot write there: {error.strerror}; run this as root, or give --output and move the file"
        ) from error


def _replace(file: Path, content: str, give: Callable[[int], None]) -> None:
    """Write all of a file or nothing. give: lets it be whose it is to be, before anything is in it. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".pwgserve-")
    try:
        with os.fdopen(handle, "w") as stream:
            give(handle)
            stream.write(content)
            stream.flush()
            os.fsync(handle)
        Path(temporary).replace(file)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _give_away(handle: int, folder: Path, group: str | None) -> None:
    """To whom Piwigo's own secret belongs, or else the folder; only root can."""
    if group is not None:
        os.fchown(handle, -1, grp.getgrnam(group).gr_gid)
        return
    try:
        status = (folder / NEIGHBOUR).stat()
    except FileNotFoundError:
        status = folder.stat()
    if os.geteuid() == 0:
        os.fchown(handle, status.st_uid, status.st_gid)
        return
    with contextlib.suppress(PermissionError):
        os.fchown(handle, -1, status.st_gid)
