"""Finished derivatives: from the cache, or else rendered once, however many ask for the same at the same time.

Brings together the cache, the worker pool and the gallery's files. Who may have a derivative is decided before.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from pwgserve.answers.sources import ChangedError, Sources, Version
from pwgserve.at_hand import NotAtHandError
from pwgserve.cache.store import Cache, Entry
from pwgserve.originals import SourceFacts
from pwgserve.render.pool import Larger, RenderPool
from pwgserve.render.turns import Client
from pwgserve.render.workers import RenderFailedError, UnrenderableError
from pwgserve.shortage import ShortageError
from pwgserve.targets import GallerySettings, Target, larger

BROKEN_SECONDS = 300.0
"""For how long a picture that could not be rendered is not tried again, unless its file changes."""

BROKEN_KEPT = 10_000

ATTEMPTS = 3
"""How often a rendering is tried whose worker is killed from outside."""

CLAIM_SECONDS = 0.03
"""How often is asked whether another process has finished what is wanted here, too."""

COMPLAIN_SECONDS = 60.0
"""How often the log says that the cache cannot be written."""

_log = structlog.get_logger("render")


@dataclass(frozen=True)
class Finished:
    """A derivative: its name in the cache, and its content (the caller closes the entry's descriptor, if any).

    is_stored: whether the cache has it, too; a full disk does not keep visitors from their pictures.
    """

    name: str
    entry: Entry
    was_rendered: bool
    is_stored: bool = True


@dataclass(frozen=True)
class _Made:
    """What a rendering made. is_stored: whether the cache took it."""

    content: bytes
    is_stored: bool


class Derivatives:
    """All derivatives of a gallery. `on_rendered` is told the seconds that each rendering took."""

    def __init__(self, cache: Cache, pool: RenderPool, sources: Sources, on_rendered: Callable[[float], None]) -> None:
        self._cache = cache
        self._pool = pool
        self._sources = sources
        self._on_rendered = on_rendered
        self._under_way: dict[str, asyncio.Task[_Made]] = {}
        self._broken: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._complained = -math.inf

    async def get(
        self, found: Target, version: Version, client: Client, settings: GallerySettings | None = None
    ) -> Finished:
        """The derivative of a target in this version, for a client who waits for it.

        settings: of the gallery, so that it may be made from a larger one of its sizes. Raises BusyError,
        UnrenderableError, RenderFailedError, MissingOriginalError, ChangedError and ShortageError.
        """
        name = self._cache.name(*version.facts)
        with contextlib.suppress(NotAtHandError):
            return Finished(name, self._cache.at_hand(name), was_rendered=False)
        with self._pool.on_its_way(version.source):
            entry = await asyncio.to_thread(self._cache.get, name)
            if entry is not None:
                return Finished(name, entry, was_rendered=False)
            self._refuse_broken(name)
            task = self._under_way.get(name)
            if task is None:
                task = self._under_way[name] = asyncio.create_task(self._make(name, found, version, client, settings))
                task.add_done_callback(lambda done: self._ended(name, done))
            else:
                self._pool.join(name, client)
        # The work goes on when an asker leaves: others may wait for it, and somebody will ask again.
        made = await asyncio.shield(task)
        return Finished(name, Entry(None, len(made.content), made.content), True, made.is_stored)

    def path(self, name: str) -> str:
        """Where the derivative with this name lies, for a proxy that sends it."""
        return self._cache.location(name)

    async def close(self) -> None:
        """Wait for the renderings that are under way."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _make(
        self, name: str, found: Target, version: Version, client: Client, settings: GallerySettings | None
    ) -> _Made:
        """The derivative, made by this process, or by another one that was about to when we wanted it."""
        made = await self._claimed(name)
        if made is not None:
            return made
        try:
            started = time.perf_counter()
            content = await self._rendered(name, found, version, client, settings)
            stored = await self._stored(name, content)
            self._on_rendered(time.perf_counter() - started)
            return _Made(content, stored)
        except UnrenderableError as error:
            self._note_broken(name, str(error))
            _log.warning("unrenderable", photo=found.photo.photo_id, wanted=found.wanted.spelled(), problem=str(error))
            raise
        finally:
            self._cache.release(name)

    async def _claimed(self, name: str) -> _Made | None:
        """Wait until the making is ours (None), or until the process that has it has made it."""
        is_first = True
        while not self._cache.claim(name):
            is_first = False
            await asyncio.sleep(CLAIM_SECONDS)
        if is_first:
            return None
        entry = await asyncio.to_thread(self._cache.get, name)
        if entry is None or entry.descriptor is None:
            return None
        self._cache.release(name)
        try:
            return _Made(await asyncio.to_thread(os.pread, entry.descriptor, entry.size, 0), is_stored=True)
        finally:
            os.close(entry.descriptor)

    async def _rendered(
        self, name: str, found: Target, version: Version, client: Client, settings: GallerySettings | None
    ) -> bytes:
        plan = found.plan
        if plan is None:
            raise UnrenderableError("is not a derivative")
        candidates = larger(found, settings) if settings is not None else []
        for attempt in range(1, ATTEMPTS + 1):
            with contextlib.ExitStack() as stack:
                with self._pool.on_its_way(version.source):
                    source, watermark = await asyncio.to_thread(self._opened, stack, version)
                    made = await asyncio.to_thread(self._larger, stack, version, candidates) if candidates else None
                output = os.memfd_create("derivative")
                stack.callback(os.close, output)
                try:
                    await self._pool.render(name, client, plan, source, output, watermark, version.source, made)
                except RenderFailedError:
                    # Somebody killed the worker, not the picture: visitors need not notice.
                    if attempt == ATTEMPTS:
                        raise
                    continue
                except UnrenderableError as error:
                    if made is not None:
                        # What was made earlier may be at fault: only the photo itself tells.
                        candidates = []
                        continue
                    # Remembered would be the version that we know by its size and time, and that is not what was read.
                    if not _is_still(source, version.source):
                        raise ChangedError from error
                    raise
                if not _is_still(source, version.source):
                    raise ChangedError
                return os.pread(output, os.fstat(output).st_size, 0)
        raise RenderFailedError("a rendering failed again and again")

    def _opened(self, stack: contextlib.ExitStack, version: Version) -> tuple[int, int | None]:
        source = self._sources.open(version)
        stack.callback(os.close, source.descriptor)
        watermark = self._sources.open_watermark(version)
        if watermark is None:
            return source.descriptor, None
        stack.callback(os.close, watermark.descriptor)
        return source.descriptor, watermark.descriptor

    def _larger(self, stack: contextlib.ExitStack, version: Version, candidates: Sequence[Target]) -> Larger | None:
        """The first of the candidates that the cache has, open."""
        for other in candidates:
            entry = None
            with contextlib.suppress(ShortageError):  # what cannot be read is no reason to make nothing
                entry = self._cache.get(self._cache.name(*Version.of(other, version.source).facts))
            if entry is not None and entry.descriptor is not None and other.plan is not None:
                stack.callback(os.close, entry.descriptor)
                return Larger(entry.descriptor, other.plan)
        return None

    async def _stored(self, name: str, content: bytes) -> bool:
        try:
            await asyncio.to_thread(self._cache.put, name, content)
        except OSError as error:
            now = time.monotonic()
            if now - self._complained > COMPLAIN_SECONDS:
                self._complained = now
                _log.error("cache-not-written", problem=f"{error.strerror}; pictures are rendered at every request")
            return False
        return True

    def _ended(self, name: str, task: asyncio.Task[_Made]) -> None:
        del self._under_way[name]
        if not task.cancelled():
            # Whoever waited has been told; without this the loop would complain when nobody did.
            task.exception()

    def _note_broken(self, name: str, problem: str) -> None:
        self._broken[name] = (time.monotonic() + BROKEN_SECONDS, problem)
        while len(self._broken) > BROKEN_KEPT:
            self._broken.popitem(last=False)

    def _refuse_broken(self, name: str) -> None:
        until, problem = self._broken.get(name, (0.0, ""))
        if until > time.monotonic():
            raise UnrenderableError(problem)
        self._broken.pop(name, None)


def _is_still(descriptor: int, facts: SourceFacts) -> bool:
    """Whether an open file is what it was when its version was asked: nobody wrote into it meanwhile."""
    status = os.fstat(descriptor)
    return (status.st_size, status.st_mtime_ns) == (facts.size, facts.mtime)
