"""Which version of its files a target is made from, and the files themselves, opened.

The version names cache files and goes into links, so that an edited photo is another picture to everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from pwgserve.answers.freshness import Fresh
from pwgserve.originals import MissingOriginalError, Originals, Source
from pwgserve.render.metadata import tells_more
from pwgserve.targets import Target
from pwgserve.versions import SourceFacts, Version

T = TypeVar("T")

KEPT = 50_000
"""How many files are remembered, each for `freshness.MAX_AGE`."""

METADATA_BYTES = 4_000_000
"""Larger files are not looked at for metadata, and count as telling."""

AT_ONCE, AT_ONCE_TOGETHER = 4, 12
"""Threads that wait for the files of one folder, and of all folders that lie together. On a disk that does not answer
(a NAS that is away) they stay, and there are `serving.THREADS` in all."""


class ChangedError(Exception):
    """The file was replaced between the question which version it is and its opening: ask again."""


class Sources:
    """The gallery's files. originals: where photos may lie. watermarks: where watermarks may lie.

    Their disks may be another machine's, which may go away at any moment. So whatever asks one, be it for an open
    file's time or to close it, goes through `in_turn`, and never runs on the event loop.
    """

    def __init__(self, originals: Originals, watermarks: Originals) -> None:
        self._originals = originals
        self.watermarks = watermarks
        self._facts = Fresh(self._ask_original, KEPT, at_hand=originals.facts_at_hand)
        # Of one version of a file this never changes.
        self._telling = Fresh(self._ask_telling, KEPT, max_age=math.inf)
        self._watermark_facts = Fresh(self._ask_watermark, KEPT)
        self._closing: set[asyncio.Task[None]] = set()
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._together: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE_TOGETHER))

    async def version(self, found: Target) -> Version:
        """The present version of what a target is made from. Raises MissingOriginalError."""
        source = await self._facts.get(found.path)
        if source is None:
            raise MissingOriginalError
        watermark = None
        if found.plan is not None and found.plan.watermark is not None:
            watermark = await self._watermark_facts.get(found.plan.watermark.file)
            # An owner who wants a mark on every picture must not find one without it.
            if watermark is None:
                raise MissingOriginalError
        return Version.of(found.facts(), source, watermark)

    async def tells_more(self, version: Version) -> bool:
        """Whether the file may tell a position, an owner or serial numbers.

        Raises MissingOriginalError and ChangedError.
        """
        return await self._telling.get(version.source)

    def open(self, version: Version) -> Source:
        """The file of a version; the caller closes its descriptor. Blocks.

        Raises MissingOriginalError and ChangedError.
        """
        return _opened(self._originals, version.source)

    def open_watermark(self, version: Version) -> Source | None:
        """The watermark's file, None when the version has none; the caller closes its descriptor. Blocks.

        Raises MissingOriginalError and ChangedError.
        """
        return _opened(self.watermarks, version.watermark) if version.watermark else None

    async def in_turn(self, path: str, work: Callable[[], T]) -> T:
        """Do in a thread what may wait for the file at a path; no file of another disk waits for it.

        Disks are told apart by the first two folders (`galleries/nas`): links and mounts lie there.
        """
        folders = path.split("/")[:-1]
        # In this order: who waits for one folder keeps no place from those beside it.
        async with self._turns["/".join(folders[:2])], self._together["".join(folders[:1])]:
            return await asyncio.to_thread(work)

    def close(self, path: str, *descriptors: int) -> None:
        """Close files, of which one lies at a path, soon: some disks are waited for even then."""
        task = asyncio.create_task(self.in_turn(path, partial(_close, descriptors)))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _ask_telling(self, facts: SourceFacts) -> bool:
        return await self.in_turn(facts.path, partial(self._read_metadata, facts))

    def _read_metadata(self, facts: SourceFacts) -> bool:
        source = _opened(self._originals, facts)
        try:
            return facts.size > METADATA_BYTES or tells_more(os.pread(source.descriptor, METADATA_BYTES, 0))
        finally:
            os.close(source.descriptor)

    async def _ask_original(self, path: str) -> SourceFacts | None:
        return await self.in_turn(path, partial(self._originals.facts, path))

    async def _ask_watermark(self, path: str) -> SourceFacts | None:
        return await self.in_turn(path, partial(self.watermarks.facts, path))


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # its disk has failed; Linux has closed it all the same
            os.close(descriptor)


def _opened(folder: Originals, facts: SourceFacts) -> Source:
    source = folder.open(facts.path)
    if source.facts != facts:
        os.close(source.descriptor)
        raise ChangedError
    return source
