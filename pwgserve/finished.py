"""Finished derivatives: from the cache, or else rendered once, however many ask for the same at the same time.

Brings together the cache, the worker pool and the gallery's files. Who may have a derivative is decided before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from pwgserve.cache import Cache, Draft, Entry
from pwgserve.render.pool import RenderFailedError, RenderPool, UnrenderableError
from pwgserve.sources import Sources, Version
from pwgserve.targets import Target

BROKEN_FOR = 60.0
"""Seconds for which a picture that could not be rendered is not tried again."""

BROKEN_KEPT = 10_000
_log = structlog.get_logger("render")


@dataclass(frozen=True)
class Finished:
    """A derivative in the cache: its file's name there and the open file (the caller closes its descriptor)."""

    name: str
    entry: Entry
    was_rendered: bool


@dataclass(frozen=True)
class _Files:
    """What a rendering reads and writes, open."""

    source: int
    watermark: int | None
    draft: Draft


class Derivatives:
    """All derivatives of a gallery. `on_rendered` is told the seconds that each rendering took."""

    def __init__(self, cache: Cache, pool: RenderPool, sources: Sources, on_rendered: Callable[[float], None]) -> None:
        self._cache = cache
        self._pool = pool
        self._sources = sources
        self._on_rendered = on_rendered
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._broken: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def get(self, found: Target, version: Version) -> Finished:
        """The derivative of a target in this version.

        Raises BusyError, UnrenderableError, RenderFailedError, MissingOriginalError and ChangedError.
        """
        name = self._cache.name(*version.facts)
        entry = await asyncio.to_thread(self._cache.get, name)
        if entry is not None:
            return Finished(name, entry, was_rendered=False)
        self._refuse_broken(name)
        task = self._under_way.get(name)
        if task is None:
            task = self._under_way[name] = asyncio.create_task(self._make(name, found, version))
            task.add_done_callback(lambda done: self._ended(name, done))
        # The work goes on when an asker leaves: others may wait for it, and somebody will ask again.
        await asyncio.shield(task)
        entry = await asyncio.to_thread(self._cache.get, name)
        if entry is None:
            raise RenderFailedError("the cache did not keep the derivative; is cache.max_size very small?")
        return Finished(name, entry, was_rendered=True)

    def path(self, name: str) -> Path:
        """Where the derivative with this name lies, for a proxy that sends it."""
        return self._cache.path(name)

    async def close(self) -> None:
        """Wait for the renderings that are under way."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _make(self, name: str, found: Target, version: Version) -> None:
        plan = found.plan
        if plan is None:
            raise UnrenderableError("not a derivative")
        started = time.perf_counter()
        stack = contextlib.ExitStack()
        try:
            files = await asyncio.to_thread(self._opened, stack, version)
            await self._pool.render(plan, files.source, files.draft.descriptor, files.watermark)
            await asyncio.to_thread(self._cache.publish, files.draft, name)
        except OSError as error:
            raise RenderFailedError(f"the cache cannot be written: {error.strerror}") from error
        except UnrenderableError as error:
            self._note_broken(name, str(error))
            _log.warning("unrenderable", photo=found.photo.photo_id, wanted=found.wanted.spelled(), problem=str(error))
            raise
        finally:
            await asyncio.to_thread(stack.close)
        self._on_rendered(time.perf_counter() - started)

    def _opened(self, stack: contextlib.ExitStack, version: Version) -> _Files:
        source = self._sources.open(version)
        stack.callback(os.close, source.descriptor)
        watermark = self._sources.open_watermark(version)
        if watermark is not None:
            stack.callback(os.close, watermark.descriptor)
        draft = stack.enter_context(self._cache.draft())
        return _Files(source.descriptor, watermark.descriptor if watermark else None, draft)

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        del self._under_way[name]
        if not task.cancelled():
            # Whoever waited has been told; without this the loop would complain when nobody did.
            task.exception()

    def _note_broken(self, name: str, problem: str) -> None:
        self._broken[name] = (time.monotonic() + BROKEN_FOR, problem)
        while len(self._broken) > BROKEN_KEPT:
            self._broken.popitem(last=False)

    def _refuse_broken(self, name: str) -> None:
        until, problem = self._broken.get(name, (0.0, ""))
        if until > time.monotonic():
            raise UnrenderableError(problem)
        self._broken.pop(name, None)
