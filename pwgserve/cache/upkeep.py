"""Upkeep of the cache's folder: how full it is, and how it is emptied, in bounded memory however many files it holds.

What is least recently used is found in two walks: the first only counts, by age; the second removes what is older than
the age at which enough will be left. What the files are and how they are read and written is in `store`.
Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

KEEP_SHARE = 0.9
"""To which share of the limit the store is emptied when it is over it."""

ABANDONED_AFTER = 3600.0
"""Seconds after which an unfinished file belongs to no rendering any more."""

COUNT_EVERY = 86_400.0
"""Seconds after which the files are counted anew: what crashes and other programs did to the tally ends there."""

TEMPORARY = "tmp"
"""The folder of unfinished files."""

SORTED_AT_ONCE = 50_000
"""How many files of about the same age are put in order before the oldest go: what bounds the memory of a walk."""

REST_EVERY, REST_SECONDS = 64, 0.002
"""After so many files a walk pauses for so long, so that visitors do not notice it."""

NICENESS = 15
_FINENESS = math.log(1.01)
_FORMAT = struct.Struct("<qqq")

OnWalk = Callable[[int], None]
"""Is told now and then how many files a walk has seen so far."""


@dataclass(frozen=True)
class Tally:
    """How much the store holds, as far as is known without looking. measured: when it was counted (since 1970)."""

    size: int = 0
    files: int = 0
    measured: int = 0


@dataclass
class Contents:
    """What a walk found at a moment (since 1970). size in bytes; ages: classes of age → bytes and files."""

    moment: float
    size: int = 0
    files: int = 0
    ages: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def used_within(self, seconds: float) -> tuple[int, int]:
        """Bytes and files of what was used within that time."""
        young = [found for age, found in self.ages.items() if age <= _age_class(seconds)]
        return sum(size for size, _ in young), sum(files for _, files in young)

    @property
    def oldest(self) -> float:
        """Seconds since the last use of what was used longest ago."""
        return math.exp(max(self.ages) * _FINENESS) if self.ages else 0.0


@dataclass(frozen=True)
class Collected:
    """What was removed, and what is left, in files and bytes. is_busy: another process was at it, nothing was done."""

    removed: int = 0
    removed_size: int = 0
    left: int = 0
    left_size: int = 0
    is_busy: bool = False


class SharedTally:
    """The tally in the store's folder, kept by all processes together, and right after whatever end of one of them."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "tally"
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def get(self) -> Tally:
        """The tally as it is now."""
        return self._changed(lambda tally: tally)

    def add(self, size: int, files: int) -> Tally:
        """Note that something was added (or, negative, removed); returns the new tally."""
        return self._changed(lambda tally: Tally(tally.size + size, tally.files + files, tally.measured))

    def set(self, size: int, files: int) -> None:
        """Note what was counted just now."""
        self._changed(lambda _: Tally(size, files, int(time.time())))

    def _changed(self, change: Callable[[Tally], Tally]) -> Tally:
        with self._lock, contextlib.suppress(OSError):
            if self._descriptor is None:
                self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                content = os.pread(self._descriptor, _FORMAT.size, 0)
                before = Tally(*_FORMAT.unpack(content)) if len(content) == _FORMAT.size else Tally()
                after = change(before)
                if after != before:
                    os.pwrite(
                        self._descriptor, _FORMAT.pack(max(0, after.size), max(0, after.files), after.measured), 0
                    )
                return after
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        # A tally that cannot be kept is no reason to keep anybody from a picture.
        return Tally()


class Upkeep:
    """Keeps one store below its limit. max_size in bytes."""

    def __init__(self, directory: Path, max_size: int) -> None:
        self._directory = directory
        self._max_size = max_size
        self._thread: threading.Thread | None = None
        self._overflowed = False
        self.tally = SharedTally(directory)

    def added(self, size: int) -> None:
        """Something of this many bytes was put into the store; too much is removed in the background."""
        tally = self.tally.add(size, 1)
        self._overflowed |= tally.size > self._max_size
        if tally.size > self._max_size and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._collect_quietly, name="cache-upkeep", daemon=True)
            self._thread.start()

    def is_nearly(self, share: float) -> bool:
        """Whether the store is filled to more than this share of its limit, as far as is known without looking.

        Also when it was, by what this process put there, and something had to go meanwhile.
        """
        return self._overflowed or self.tally.get().size > self._max_size * share

    def collect_if_due(self) -> None:
        """Count what nobody has counted for a day, and remove what is too much."""
        if time.time() - self.tally.get().measured > COUNT_EVERY:
            self._collect_quietly()

    def measure(self, on_walk: OnWalk | None = None) -> Contents:
        """Count what the store holds."""
        contents = Contents(time.time())
        for _, status in self._files(on_walk):
            found = contents.ages[_age_class(contents.moment - _last_use(status))]
            found[0] += status.st_size
            found[1] += 1
            contents.size += status.st_size
            contents.files += 1
        return contents

    def collect(self, max_size: int | None = None, on_walk: OnWalk | None = None) -> Collected:
        """Remove the least recently used until the store is well below its limit; above it nothing is touched.

        max_size: another limit than the store's own. Raises OSError when the folder cannot be read.
        """
        limit = self._max_size if max_size is None else max_size
        with self._alone() as is_alone:
            if not is_alone:
                return Collected(is_busy=True)
            self._remove_abandoned()
            contents = self.measure(on_walk)
            removed, removed_size = 0, 0
            if contents.size > limit:
                removed, removed_size = self._remove(contents, contents.size - int(limit * KEEP_SHARE), on_walk)
            left = Collected(removed, removed_size, contents.files - removed, contents.size - removed_size)
            self.tally.set(left.left_size, left.left)
            return left

    def purge(self, on_walk: OnWalk | None = None) -> Collected:
        """Remove everything, as far as it was there when the walk came by."""
        removed, size = 0, 0
        for path, status in self._files(on_walk):
            if _removed(path):
                removed, size = removed + 1, size + status.st_size
        self.tally.set(0, 0)
        return Collected(removed, size)

    def _remove(self, contents: Contents, excess: int, on_walk: OnWalk | None) -> tuple[int, int]:
        """Remove `excess` bytes of the oldest; returns how many files and bytes went."""
        cut, older = _cut(contents, excess)
        files, size = 0, 0
        of_the_cut: list[tuple[float, int, str]] = []
        rest = excess - older

        def take_oldest() -> None:
            nonlocal files, size, rest
            of_the_cut.sort(reverse=True)
            while of_the_cut and rest > 0:
                _, length, path = of_the_cut.pop()
                if _removed(path):
                    files, size, rest = files + 1, size + length, rest - length
            of_the_cut.clear()

        for path, status in self._files(on_walk):
            age = _age_class(contents.moment - _last_use(status))
            if age > cut:
                if _removed(path):
                    files, size = files + 1, size + status.st_size
            elif age == cut and rest > 0:
                of_the_cut.append((_last_use(status), status.st_size, path))
                if len(of_the_cut) >= SORTED_AT_ONCE:
                    take_oldest()
        take_oldest()
        return files, size

    def _collect_quietly(self) -> None:
        # Not with a lower priority: a thread that waits for a processor may hold the interpreter, and visitors with it.
        with contextlib.suppress(OSError):
            self.collect()

    def _remove_abandoned(self) -> None:
        with contextlib.suppress(FileNotFoundError), os.scandir(self._directory / TEMPORARY) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - ABANDONED_AFTER:
                        Path(entry.path).unlink()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other process collects; none will until the block ends."""
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)

    def _files(self, on_walk: OnWalk | None) -> Iterator[tuple[str, os.stat_result]]:
        seen = 0
        for first in _folders(self._directory):
            for second in _folders(first):
                with contextlib.suppress(FileNotFoundError), os.scandir(second) as entries:
                    for entry in entries:
                        if not entry.is_file(follow_symlinks=False):
                            continue
                        try:
                            status = entry.stat(follow_symlinks=False)
                        except FileNotFoundError:
                            continue
                        yield entry.path, status
                        seen += 1
                        if seen % REST_EVERY == 0:
                            time.sleep(REST_SECONDS)
                            if on_walk:
                                on_walk(seen)
        if on_walk:
            on_walk(seen)


def _cut(contents: Contents, excess: int) -> tuple[int, int]:
    """The class of age in which the last of `excess` bytes are, and how many bytes are older."""
    older, cut = 0, max(contents.ages)
    for age in sorted(contents.ages, reverse=True):
        cut = age
        if older + contents.ages[age][0] >= excess:
            break
        older += contents.ages[age][0]
    return cut, older


def _age_class(seconds: float) -> int:
    """Ages that differ by less than 1 % are of one class: a few thousand classes are enough for any store."""
    return math.ceil(math.log(max(1.0, seconds)) / _FINENESS)


def _last_use(status: os.stat_result) -> float:
    return max(status.st_atime, status.st_mtime)


def _removed(path: str) -> bool:
    try:
        os.unlink(path)  # noqa: PTH108 - a Path would keep a million names among its interned strings for a while
    except FileNotFoundError:
        return False
    return True


def _folders(directory: Path | str) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.path for entry in entries if len(entry.name) == 2 and entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
