"""What stands in the cache of one photo, as it is now: the names of all its derivatives, and how to remove them.

Names are keyed hashes of a photo's present file and the gallery's present settings; from the file of an older version
nobody can tell whose it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import structlog

from pwgserve.answers.catalogue import Catalogue
from pwgserve.answers.sources import Sources
from pwgserve.cache.store import Cache
from pwgserve.originals import MissingOriginalError
from pwgserve.piwigo.derivatives import CUSTOM
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.wanted import ENCODINGS, Part, Wanted
from pwgserve.targets import GallerySettings, target

_log = structlog.get_logger("cache")


@dataclass(frozen=True)
class Removed:
    """How many files were removed, how many bytes they had, and how many files could not be removed."""

    files: int = 0
    size: int = 0
    skipped: int = 0

    def __add__(self, other: Removed) -> Removed:
        return Removed(self.files + other.files, self.size + other.size, self.skipped + other.skipped)


@dataclass(frozen=True)
class Standing:
    """The derivatives of a gallery's photos in a cache."""

    catalogue: Catalogue
    sources: Sources
    cache: Cache

    async def names(self, photo: Photo, codes: Collection[str] | None = None) -> list[str]:
        """The names that the photo's derivatives have or would have. codes: of these types only, None for all.

        Raises GalleryUnavailableError.
        """
        settings = await self.catalogue.settings()
        names = []
        for wanted in _everything(photo, settings):
            if codes is not None and wanted.code not in codes:
                continue
            found = target(photo, wanted, settings)
            if found is not None and found.plan is not None:
                try:
                    version = await self.sources.version(found)
                except MissingOriginalError:
                    continue
                names.append(self.cache.name(*version.facts))
        return names

    async def remove(self, photo: Photo, codes: Collection[str] | None = None) -> Removed:
        """Remove them. Raises GalleryUnavailableError."""
        return await asyncio.to_thread(self._removed, await self.names(photo, codes))

    def _removed(self, names: list[str]) -> Removed:
        removed = Removed()
        for name in names:
            try:
                length = self.cache.remove(name)
            except OSError as error:
                _log.warning("purge", problem=f"a file of the cache cannot be removed: {error.strerror}")
                removed += Removed(skipped=1)
                continue
            if length is not None:
                removed += Removed(1, length)
        return removed


def _everything(photo: Photo, settings: GallerySettings) -> Iterator[Wanted]:
    """All that can be rendered of a photo: each type and each allowed custom size, of itself and its representative,
    in each encoding."""
    for wanted in _sizes(photo, settings):
        yield wanted
        for encoding in ENCODINGS:
            yield replace(wanted, encoding=encoding)


def _sizes(photo: Photo, settings: GallerySettings) -> Iterator[Wanted]:
    parts = (Part.ELEMENT, Part.REPRESENTATIVE) if photo.representative_ext else (Part.ELEMENT,)
    for part in parts:
        for code in settings.derivatives.types:
            yield Wanted(part, code)
        for token in settings.derivatives.custom:
            prefix = "" if part is Part.ELEMENT else f"{part.value}-"
            wanted = Wanted.parse(f"{prefix}{CUSTOM}_{token}")
            if wanted is not None:
                yield wanted
