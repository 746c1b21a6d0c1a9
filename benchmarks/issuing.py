"""Signed links by the thousand, and derivatives put where the daemon finds them: made with the daemon's own parts.

Asking the daemon itself for each would take most of a benchmark's time.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from daemon import Daemon
from galleries import ADDRESS_PREFIX

from pwgserve import fingerprints
from pwgserve.foundation import Foundation
from pwgserve.links import PUBLIC, Audience, Link
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.settings_file import load
from pwgserve.targets import GallerySettings, Target, target
from pwgserve.versions import Version

PAGE = 500


@dataclass(frozen=True)
class Issuing:
    """The parts of a daemon's gallery that links and cached files are made with."""

    house: Foundation
    settings: GallerySettings
    prefix: str

    async def photos(self, photo_ids: Iterable[int]) -> dict[int, Photo]:
        """The rows of photos."""
        ids = sorted(set(photo_ids))
        found: dict[int, Photo] = {}
        for start in range(0, len(ids), PAGE):
            found |= await self.house.gallery.photos(ids[start : start + PAGE])
        return found

    async def picture(self, photo: Photo, code: str) -> tuple[Target, Version]:
        """A derivative of a photo, and the version of the photo's file."""
        found = target(photo, Wanted(code=code), self.settings)
        if found is None:
            raise RuntimeError(f"the gallery has no size {code}")
        return found, await self.house.sources.version(found)

    def link(self, found: Target, version: Version, user: int | None = None) -> str:
        """The path of a signed link; for a user who is logged in as `populating.cookie` says, or for everybody."""
        signer = self.house.signer
        audience = PUBLIC
        if user is not None:
            audience = Audience(user, signer.credential("s", f"{ADDRESS_PREFIX}session{user}"))
        facts = fingerprints.facts(found, version, self.settings.derivatives)
        link = Link(found.photo.photo_id, found.wanted, audience, int(time.time()) + 3600, signer.fingerprint(*facts))
        return f"/{self.prefix}/{signer.sign(link)}.{found.extension}"

    def store(self, version: Version, content: bytes) -> None:
        """Put a derivative into the cache."""
        self.house.cache.put(self.house.cache.name(*version.facts), content)


@asynccontextmanager
async def issuing(daemon: Daemon) -> AsyncIterator[Issuing]:
    """The parts of a running daemon's gallery."""
    settings = load(daemon.directory / "pwgserve.toml")
    async with AsyncExitStack() as resources:
        house = await Foundation.open(settings, resources)
        yield Issuing(house, await house.catalogue.settings(), settings.links.prefix)


def zipf(count: int, among: int, dice: object) -> Sequence[int]:
    """`count` numbers below `among`, the n-th of which comes 1/n as often as the first (Zipf's law, exponent 1)."""
    weights = [1 / rank for rank in range(1, among + 1)]
    return dice.choices(range(among), weights, k=count)  # type: ignore[attr-defined, no-any-return]
