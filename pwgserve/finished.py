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
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from pwgserve.answers.sources import ChangedError, Sources
from pwgserve.at_hand import NotAtHandError
from pwgserve.cache.store import Cache, Entry
from pwgserve.render.pool import Begin, ElsewhereError, Larger, RenderPool
from pwgserve.render.turns import Client
from pwgserve.render.workers import RenderFailedError, UnrenderableError
from pwgserve.shortage import ShortageError
from pwgserve.targets import GallerySettings, Target, facts_of_plan, larger
from pwgserve.versions import SourceFacts, Version, facts_of

BROKEN_SECONDS = 300.0
"""For how long a picture that could not be rendered is not tried again, unless its file changes."""

BROKEN_KEPT = 10_000

ATTEMPTS = 3
"""How often a rendering is tried whose worker is killed from outside."""

CLAIM_SECONDS = 0.03
"""How often is asked whether another process has finished what is wanted here, too."""

PATIENCE_SECONDS = 2.0
"""For how long at the most. It may have been stopped, or its disk hangs: rendering twice is better than not at all."""

COMPLAIN_SECONDS = 60.0
"""How often the log says that the cache cannot be written."""

_log = structlog.get_logger("render")


@dataclass(frozen=True)
class Finished:
    """A derivative: its name in the cache, and its content (whoever gets it sends or closes it).

    is_stored: whether the cache has it, too; a full disk does not keep visitors from their pictures.
    """

    name: str
    entry: Entry
    was_rendered: bool
    is_stored: bool = True

    def close(self) -> None:
        """Let go of the content: it was wanted in the cache, and by nobody here."""
        if self.entry.descriptor is not None:
            os.close(self.entry.descriptor)


@dataclass(frozen=True)
class _Made:
    """What a rendering made. is_stored: whether the cache took it."""

    content: bytes
    is_stored: bool


@dataclass(frozen=True)
class _Order:
    """A derivative to be made, and the client whose turn that takes. settings: as in `Derivatives.get`."""

    name: str
    found: Target
    version: Version
    client: Client
    settings: GallerySettings | None


@dataclass(frozen=True)
class _Files:
    """What a rendering needs, as open descriptors. They are closed at the end of a `with` block, or by who takes them.

    output: an empty file without a name. larger: what it may be made from instead of the source. open: all of them that
    are not taken. close: closes them without waiting for their disk.
    """

    source: int
    output: int
    watermark: int | None
    larger: Larger | None
    open: list[int]
    close: Callable[..., None]

    def taken(self) -> _Files:
        """The same files, which are now closed by nobody but the caller."""
        taken = replace(self, open=self.open.copy())
        self.open.clear()
        return taken

    def __enter__(self) -> None:
        pass

    def __exit__(self, *problem: object) -> None:
        if self.open:
            self.close(*self.open)


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

    def at_hand(self, version: Version) -> Finished | None:
        """The derivative of a version, if it is finished and having it takes no waiting."""
        name = self._cache.name(*version.facts)
        try:
            return Finished(name, self._cache.at_hand(name), was_rendered=False)
        except NotAtHandError:
            return None

    async def get(
        self, found: Target, version: Version, client: Client, settings: GallerySettings | None = None
    ) -> Finished:
        """The derivative of a target in this version, for a client who waits for it.

        settings: of the gallery, so that it may be made from a larger one of its sizes. Raises BusyError,
        UnrenderableError, RenderFailedError, MissingOriginalError, ChangedError and ShortageError.
        """
        if (at_hand := self.at_hand(version)) is not None:
            return at_hand
        name = self._cache.name(*version.facts)
        order = _Order(name, found, version, client, settings)
        with self._pool.on_its_way(version.source):
            task = self._under_way.get(name)
            if task is None:
                looked = await self._sources.in_turn(order.found.path, partial(self._looked, order))
                if isinstance(looked, Entry):
                    return Finished(name, looked, was_rendered=False)
                with looked:
                    self._refuse_broken(name)
                    # Somebody else may have begun meanwhile.
                    task = self._under_way.get(name) or self._begun(order, looked)
            self._pool.join(name, client)
        # The work goes on when an asker leaves: others may wait for it, and somebody will ask again.
        made = await asyncio.shield(task)
        return Finished(name, Entry(None, len(made.content), made.content), True, made.is_stored)

    def let_go(self) -> None:
        """Keep no other process waiting: this one is about to be stopped. What it was making it makes all the same."""
        self._cache.let_go()
        self._pool.workers.let_go()

    def path(self, name: str) -> str:
        """Where the derivative with this name lies, for a proxy that sends it."""
        return self._cache.location(name)

    async def close(self) -> None:
        """Wait for the renderings that are under way."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def abandon(self) -> None:
        """End the renderings that are under way."""
        for task in self._under_way.values():
            task.cancel()
        await self.close()

    def _looked(self, order: _Order) -> Entry | _Files:
        """The derivative, if the cache has it, or else the files that it is made from. In one go: each trip to a
        thread costs the loop a tenth of a millisecond."""
        entry = self._cache.get(order.name)
        return self._opened(order) if entry is None else entry

    def _opened(self, order: _Order) -> _Files:
        opened: list[int] = []
        with contextlib.ExitStack() as stack:

            def kept(descriptor: int) -> int:
                stack.callback(os.close, descriptor)
                opened.append(descriptor)
                return descriptor

            source = kept(self._sources.open(order.version).descriptor)
            mark = self._sources.open_watermark(order.version)
            watermark = None if mark is None else kept(mark.descriptor)
            larger = self._larger(order)
            if larger is not None:
                kept(larger.descriptor)
            try:
                output = kept(os.memfd_create("derivative"))
            except OSError as error:
                raise ShortageError from error
            stack.pop_all()  # whoever gets them closes them
        return _Files(source, output, watermark, larger, opened, partial(self._sources.close, order.found.path))

    def _larger(self, order: _Order) -> Larger | None:
        """The first that the cache has of those that it may be made from, open."""
        plans = larger(order.found, order.settings) if order.settings is not None else ()
        for plan in plans:
            entry = None
            with contextlib.suppress(ShortageError):  # what cannot be read is no reason to make nothing
                entry = self._cache.get(self._cache.name(*facts_of(facts_of_plan(plan), order.version.source)))
            if entry is not None and entry.descriptor is not None:
                return Larger(entry.descriptor, plan)
        return None

    def _begun(self, order: _Order, files: _Files) -> asyncio.Task[_Made]:
        """The making of a derivative, which takes the files."""
        task = self._under_way[order.name] = asyncio.create_task(self._make(order, files.taken()))
        task.add_done_callback(lambda done: self._ended(order.name, done))
        return task

    async def _make(self, order: _Order, files: _Files) -> _Made:
        """The derivative, made by this process, or by another one that was at it when it was our turn."""
        found = order.found
        try:
            for begins in (self._begins, self._is_missing):
                try:
                    return await self._timed(order, files, partial(begins, order.name))
                except ElsewhereError:
                    if (made := await self._made_elsewhere(order.name)) is not None:
                        return made
                files = await self._sources.in_turn(order.found.path, partial(self._opened, order))
            return await self._timed(order, files, None)
        except UnrenderableError as error:
            self._note_broken(order.name, str(error))
            _log.warning("unrenderable", photo=found.photo.photo_id, wanted=found.wanted.spelled(), problem=str(error))
            raise
        finally:
            self._cache.release(order.name)

    async def _begins(self, name: str) -> bool:
        """Whether the making is ours now that it is our turn. Who still waits for its turn keeps nobody from it."""
        # Another process may have begun meanwhile, or even ended.
        return self._cache.claim(name) and await self._is_missing(name)

    async def _is_missing(self, name: str) -> bool:
        """Whether nobody has made it: the process that we waited for in vain may have, until it is our turn."""
        return not await asyncio.to_thread(self._cache.has, name)

    async def _made_elsewhere(self, name: str) -> _Made | None:
        """What another process has made, once it has; None when it has not, or not in time: then it is ours to make."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._cache.claim(name):
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(CLAIM_SECONDS)
        entry = await asyncio.to_thread(self._cache.get, name)
        if entry is None or entry.descriptor is None:
            return None
        try:
            return _Made(await asyncio.to_thread(os.pread, entry.descriptor, entry.size, 0), is_stored=True)
        finally:
            os.close(entry.descriptor)

    async def _timed(self, order: _Order, files: _Files, begin: Begin | None) -> _Made:
        started = time.perf_counter()
        made = await self._rendered(order, files, begin)
        self._on_rendered(time.perf_counter() - started)
        return made

    async def _rendered(self, order: _Order, files: _Files, begin: Begin | None) -> _Made:
        """The derivative, made and stored. Closes the files. begin: as in RenderPool.render."""
        for attempt in range(1, ATTEMPTS + 1):
            if attempt > 1:
                with self._pool.on_its_way(order.version.source):
                    files = await self._sources.in_turn(order.found.path, partial(self._opened, order))
            with files:
                try:
                    await self._render(order, files, begin)
                    return await self._sources.in_turn(order.found.path, partial(self._stored, order, files))
                except RenderFailedError:
                    # Somebody killed the worker, not the picture: visitors need not notice.
                    if attempt == ATTEMPTS:
                        raise
                except UnrenderableError:
                    if files.larger is None:
                        raise
                    # What was made earlier may be at fault: only the photo itself tells.
                    order = replace(order, settings=None)
        raise RenderFailedError("a rendering failed again and again")

    async def _render(self, order: _Order, files: _Files, begin: Begin | None) -> None:
        """Fill the output. Raises ChangedError when somebody wrote into a source that cannot be rendered."""
        plan, source = order.found.plan, order.version.source
        if plan is None:
            raise UnrenderableError("is not a derivative")
        try:
            await self._pool.render(
                order.name, order.client, plan, files.source, files.output, files.watermark, source, files.larger, begin
            )
        except UnrenderableError as error:
            # Remembered would be the version that we know by its size and time, and that is not what was read.
            is_still = partial(_is_still, files.source, source)
            if files.larger is None and not await self._sources.in_turn(order.found.path, is_still):
                raise ChangedError from error
            raise

    def _stored(self, order: _Order, files: _Files) -> _Made:
        """What is in the output, put into the cache. Raises ChangedError if somebody wrote into the source since."""
        if not _is_still(files.source, order.version.source):
            raise ChangedError
        content = os.pread(files.output, os.fstat(files.output).st_size, 0)
        try:
            self._cache.put(order.name, content)
        except OSError as error:
            now = time.monotonic()
            if now - self._complained > COMPLAIN_SECONDS:
                self._complained = now
                _log.error("cache-not-written", problem=f"{error.strerror}; pictures are rendered at every request")
            return _Made(content, is_stored=False)
        return _Made(content, is_stored=True)

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
    """Whether an open file is what it was when its version was asked: nobody wrote into it meanwhile.

    Blocks. Raises ShortageError.
    """
    try:
        status = os.fstat(descriptor)
    except OSError as error:
        raise ShortageError from error
    return (status.st_size, status.st_mtime_ns) == (facts.size, facts.mtime)
