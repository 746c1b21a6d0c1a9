"""Which folders are pwgserve's own: `init` gives away, closes and names for removal no folder that holds anything else.

Only looks; changes nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from pwgserve.problems import OwnerError
from pwgserve.setup.answers import DEFAULT_CACHE, DEFAULT_KEYS, Place

_OWN = {
    Place.CACHE: r"[0-9a-f]{2}|tmp|tally|claims|large",
    Place.EXTRAS: r"nginx|apache|caddy|web-server|cache|private|database-user\.sql(\.before)?",
}
"""The names of all that pwgserve itself makes in a folder."""

_USUAL = {Place.CACHE: DEFAULT_CACHE, Place.KEYS: DEFAULT_KEYS.parent}


class FolderError(OwnerError):
    """A folder was named that is not pwgserve's to take."""


def shared(cache: Path, keys_file: Path, extras: Path) -> frozenset[Place]:
    """The places that hold something of others, besides the cache, which must not. Raises FolderError. Blocks."""
    keys = rf"{re.escape(keys_file.name)}|\.keys-.*"
    if cache.parent == keys_file.parent:
        keys += f"|{re.escape(cache.name)}"
    if not _is_own(Place.CACHE, cache, _OWN[Place.CACHE]):
        raise FolderError(f"--cache: {cache} is not empty; give a folder of its own, such as {cache / 'pwgserve'}")
    found = {Place.KEYS: (keys_file.parent, keys), Place.EXTRAS: (extras, _OWN[Place.EXTRAS])}
    return frozenset(place for place, (folder, names) in found.items() if not _is_own(place, folder, names))


def _is_own(place: Place, folder: Path, names: str) -> bool:
    """Whether a folder is the usual one, is missing or empty, or holds only what pwgserve made there."""
    if folder.absolute() == _USUAL.get(place):
        return True
    try:
        return all(re.fullmatch(names, entry.name) for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        raise FolderError(f"{folder}: cannot look into it: {error.strerror}; run this as root (sudo)") from error
