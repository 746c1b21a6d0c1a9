"""Renders derivatives before anybody asks for them: what is not in the cache yet, of photos given one after the other.

Names, plans and rendering are the daemon's own (`finished`), so that both share the cache and never make the same
picture at the same time. What is told to a person about it is in `commands.warm`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from pwgserve.answers.catalogue import Catalogue
from pwgserve.answers.sources import ChangedError, Sources
from pwgserve.cache.store import Cache
from pwgserve.finished import Derivatives
from pwgserve.originals import MissingOriginalError
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.wanted import Part, Wanted
from pwgserve.render.pool import BusyError
from pwgserve.render.turns import Client
from pwgserve.render.workers import RenderFailedError, UnrenderableError
from pwgserve.shortage import ShortageError, is_of_machine
from pwgserve.targets import GallerySettings, Target, changes_nothing, recoded, target
from pwgserve.versions import Version

BROKEN_TOLD = 1000
"""How many failed photos are named at the end; the others are counted."""

BROWSERS, PROGRAMS = "image/avif,image/webp,*/*;q=0.8", "*/*"
"""What today's browsers accept, and what others say: phone apps, mail programs, scripts."""

FULL_SHARE = 0.97
"""From this share of the cache's limit on, one more derivative would only push out another."""

_CLIENT = Client("warm")
_FAILURES = (
    UnrenderableError,
    RenderFailedError,
    MissingOriginalError,
    ChangedError,
    ShortageError,
    BusyError,
)


class FullError(Exception):
    """The cache or the machine takes nothing more; the message says why and what to do."""


@dataclass
class Tally:
    """What was done so far. photos: looked at. after: all photos up to this id are done. broken: (id, size, why)."""

    photos: int = 0
    rendered: int = 0
    was_there: int = 0
    not_needed: int = 0
    failed: int = 0
    after: int = 0
    broken: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Warming:
    """Renders what the photos' `types` (codes) lack. at_once: how many renderings. let_pass: waits for visitors.

    encodings: what browsers get that announce all of them, the best first. accepts: the `Accept` headers of those for
    whom is rendered.
    """

    catalogue: Catalogue
    sources: Sources
    derivatives: Derivatives
    cache: Cache
    types: Sequence[str]
    encodings: Sequence[str]
    accepts: Sequence[str]
    at_once: int
    let_pass: Callable[[], Awaitable[None]]

    async def run(self, photos: AsyncIterator[Photo], tally: Tally, on_photo: Callable[[], None]) -> None:
        """Work through the photos, given by ascending id; `tally` is kept up to date for whoever interrupts.

        Raises GalleryUnavailableError and FullError.
        """
        under_way: dict[asyncio.Task[None], int] = {}
        try:
            async for photo in photos:
                while len(under_way) >= self.at_once:
                    await self._one_done(under_way, tally, on_photo)
                await self.let_pass()
                self._refuse_full()
                under_way[asyncio.create_task(self._photo(photo, tally))] = photo.photo_id
            while under_way:
                await self._one_done(under_way, tally, on_photo)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _one_done(
        self, under_way: dict[asyncio.Task[None], int], tally: Tally, on_photo: Callable[[], None]
    ) -> None:
        done, waiting = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        latest = max(under_way.values())
        for task in done:
            del under_way[task]
            await task
            tally.photos += 1
            on_photo()
        tally.after = min((under_way[task] for task in waiting), default=latest + 1) - 1

    async def _photo(self, photo: Photo, tally: Tally) -> None:
        settings = await self.catalogue.settings()
        sizes = [target(photo, wanted, settings) for wanted in wanted_of(photo, self.types, settings)]
        choices = [self._choices(found, settings) for found in sizes if found is not None and found.plan is not None]
        # All sizes at once: they are made from one decoding.
        made = [self._counted(choice, settings, tally) for choice in chain.from_iterable(choices)]
        for problem in await asyncio.gather(*made, return_exceptions=True):
            if problem is not None:
                raise problem

    async def _counted(self, found: Target, settings: GallerySettings, tally: Tally) -> None:
        try:
            await self._derivative(found, settings, tally)
        except _FAILURES as error:
            if is_of_machine(error):
                raise FullError("this process may open no more files, or have no more memory; try --jobs 1") from error
            tally.failed += 1
            if len(tally.broken) < BROKEN_TOLD:
                tally.broken.append((found.photo.photo_id, found.wanted.spelled(), _why(error)))

    def _choices(self, found: Target, settings: GallerySettings) -> list[Target]:
        """The encodings of one size that are asked for, each once."""
        choices = [recoded(found, self.encodings, [accept], settings) for accept in self.accepts]
        return list({choice.wanted.spelled(): choice for choice in choices}.values())

    async def _derivative(self, found: Target, settings: GallerySettings, tally: Tally) -> None:
        version = await self.sources.version(found)
        if await self._is_shown_as_it_is(found, version, settings):
            tally.not_needed += 1
            return
        if await asyncio.to_thread(self.cache.has, self.cache.name(*version.facts)):
            tally.was_there += 1
            return
        finished = await self.derivatives.get(found, version, _CLIENT, settings)
        finished.close()
        if not finished.is_stored:
            raise FullError("the cache cannot be written; is the disk of cache.dir full?")
        tally.rendered += 1

    async def _is_shown_as_it_is(self, found: Target, version: Version, settings: GallerySettings) -> bool:
        """Whether visitors get the original instead, because it fits (see `http.legacy`)."""
        if not changes_nothing(found):
            return False
        return not (settings.render.strip_gps and await self.sources.tells_more(version))

    def _refuse_full(self) -> None:
        if self.cache.upkeep.is_nearly(FULL_SHARE):
            raise FullError(
                "the cache has reached cache.max_size: further pictures would only push out others; raise it, "
                "or choose fewer sizes or albums"
            )


def wanted_of(photo: Photo, types: Sequence[str], settings: GallerySettings) -> list[Wanted]:
    """The sizes of a photo that pages show: of itself, or of its representative when it is no picture."""
    part = Part.ELEMENT if settings.conf.is_picture(photo.extension) else Part.REPRESENTATIVE
    return [Wanted(part, code) for code in types if code in settings.derivatives.types]


def _why(error: Exception) -> str:
    if isinstance(error, MissingOriginalError):
        return "its file is missing, or cannot be read by this user"
    if isinstance(error, ChangedError):
        return "its file was being changed"
    if isinstance(error, ShortageError):
        return "out of open files or memory, or the disk fails"
    return str(error) or "could not be rendered now"
