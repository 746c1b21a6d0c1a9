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
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from pwgserve.cache.tally import SharedTally

TELL_SECONDS = 3600.0
"""How often the log says that something was skipped."""

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

AGAIN_SECONDS = 60.0
"""After how long it is tried again to empty a store that stayed too full because files could not be removed."""

_FINENESS = math.log(1.01)
_log = structlog.get_logger("cache")

OnWalk = Callable[[int], None]
"""Is told now and then how many files a walk has seen so far."""


class EndedError(Exception):
    """A walk was ended before its end."""


@dataclass
class Contents:
    """What a walk found at a moment (since 1970). size in bytes; ages: classes of age → bytes and files.

    skipped: how many files and folders could not be read.
    """

    moment: float
    size: int = 0
    files: int = 0
    skipped: int = 0
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
    """What was removed, and what is left, in files and bytes. is_busy: another process was at it, nothing was done.

    skipped: how many files and folders could not be read or removed.
    """

    removed: int = 0
    removed_size: int = 0
    left: int = 0
    left_size: int = 0
    is_busy: bool = False
    skipped: int = 0


class Upkeep:
    """Keeps one store below its limit. max_size in bytes."""

    def __init__(self, directory: Path, max_size: int) -> None:
        self._directory = directory
        self._max_size = max_size
        self._thread: threading.Thread | None = None
        self._overflowed = False
        self._not_before = self._told = -math.inf
        self._skipped = 0
        self._ending = threading.Event()
        self.tally = SharedTally(directory)

    def added(self, size: int) -> None:
        """Something of this many bytes was put into the store; too much is removed in the background."""
        tally = self.tally.add(size, 1)
        self._overflowed |= tally.size > self._max_size
        is_at_it = self._thread is not None and self._thread.is_alive()
        if tally.size > self._max_size and not is_at_it and time.monotonic() > self._not_before:
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

    def end(self) -> None:
        """Let whoever walks stop soon, and nobody begin."""
        self._ending.set()

    def measure(self, on_walk: OnWalk | None = None) -> Contents:
        """Count what the store holds. Raises EndedError."""
        self._skipped = 0
        contents = Contents(time.time())
        for _, status in self._files(on_walk):
            found = contents.ages[_age_class(contents.moment - _last_use(status))]
            found[0] += status.st_size
            found[1] += 1
            contents.size += status.st_size
            contents.files += 1
        contents.skipped = self._skipped
        return contents

    def collect(self, max_size: int | None = None, on_walk: OnWalk | None = None) -> Collected:
        """Remove the least recently used until the store is well below its limit; above it nothing is touched.

        max_size: another limit than the store's own. Raises EndedError, and OSError when the folder cannot be read.
        """
        limit = self._max_size if max_size is None else max_size
        with self._alone() as is_alone:
            if not is_alone:
                return Collected(is_busy=True)
            self.remove_abandoned()
            contents = self.measure(on_walk)
            removed, removed_size = 0, 0
            if contents.size > limit:
                removed, removed_size = self._remove(contents, contents.size - int(limit * KEEP_SHARE), on_walk)
            left, left_size = contents.files - removed, contents.size - removed_size
            self.tally.set(left_size, left)
            if left_size > limit:
                self._not_before = time.monotonic() + AGAIN_SECONDS
            skipped = max(contents.skipped, self._skipped)
            self._tell(skipped)
            return Collected(removed, removed_size, left, left_size, skipped=skipped)

    def purge(self, on_walk: OnWalk | None = None) -> Collected:
        """Remove everything, as far as it was there when the walk came by. Raises EndedError."""
        self._skipped = 0
        removed, size = 0, 0
        for path, status in self._files(on_walk):
            if self._removed(path):
                removed, size = removed + 1, size + status.st_size
        self.tally.set(0, 0)
        self._tell(self._skipped)
        return Collected(removed, size, skipped=self._skipped)

    def remove_abandoned(self) -> None:
        """Remove what processes that were killed left unfinished."""
        with contextlib.suppress(OSError), os.scandir(self._directory / TEMPORARY) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - ABANDONED_AFTER:
                        Path(entry.path).unlink()

    def _remove(self, contents: Contents, excess: int, on_walk: OnWalk | None) -> tuple[int, int]:
        """Remove `excess` bytes of the oldest; returns how many files and bytes went."""
        self._skipped = 0
        cut, older = _cut(contents, excess)
        files, size = 0, 0
        of_the_cut: list[tuple[float, int, str]] = []
        rest = excess - older

        def take_oldest() -> None:
            nonlocal files, size, rest
            of_the_cut.sort(reverse=True)
            while of_the_cut and rest > 0:
                _, length, path = of_the_cut.pop()
                if self._removed(path):
                    files, size, rest = files + 1, size + length, rest - length
            of_the_cut.clear()

        for path, status in self._files(on_walk):
            age = _age_class(contents.moment - _last_use(status))
            if age > cut:
                if self._removed(path):
                    files, size = files + 1, size + status.st_size
            elif age == cut and rest > 0:
                of_the_cut.append((_last_use(status), status.st_size, path))
                if len(of_the_cut) >= SORTED_AT_ONCE:
                    take_oldest()
        take_oldest()
        return files, size

    def _collect_quietly(self) -> None:
        # Not with a lower priority: a thread that waits for a processor may hold the interpreter, and visitors with it.
        try:
            self.collect()
        except EndedError:
            pass
        except OSError as error:
            _log.warning("cache-upkeep", problem=f"cache.dir cannot be read: {error.strerror}; nothing old is removed")

    def _tell(self, skipped: int) -> None:
        if skipped and time.monotonic() - self._told > TELL_SECONDS:
            self._told = time.monotonic()
            _log.warning(
                "cache-upkeep",
                problem=f"{skipped} files or folders cannot be read or removed; give all of cache.dir to this user",
            )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other process collects; none will until the block ends."""
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield _is_locked(descriptor)
        finally:
            os.close(descriptor)

    def _files(self, on_walk: OnWalk | None) -> Iterator[tuple[str, os.stat_result]]:
        """All derivatives. What cannot be read is skipped, and counted. Raises EndedError."""
        seen = 0
        for first in self._folders(self._directory):
            for second in self._folders(first):
                for entry in self._entries(second):
                    status = self._status(entry)
                    if status is None:
                        continue
                    yield entry.path, status
                    seen += 1
                    if seen % REST_EVERY == 0:
                        self._rest(REST_SECONDS)
                        if on_walk:
                            on_walk(seen)
                self._rest(0)
        if on_walk:
            on_walk(seen)

    def _rest(self, seconds: float) -> None:
        if self._ending.wait(seconds):
            raise EndedError

    def _folders(self, directory: Path | str) -> list[str]:
        entries = self._entries(directory)
        return [entry.path for entry in entries if len(entry.name) == 2 and entry.is_dir(follow_symlinks=False)]

    def _entries(self, directory: Path | str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as entries:
                yield from entries
        except FileNotFoundError:
            pass
        except OSError:
            self._skipped += 1

    def _status(self, entry: os.DirEntry[str]) -> os.stat_result | None:
        try:
            return entry.stat(follow_symlinks=False) if entry.is_file(follow_symlinks=False) else None
        except FileNotFoundError:
            pass
        except OSError:
            self._skipped += 1
        return None

    def _removed(self, path: str) -> bool:
        try:
            os.unlink(path)  # noqa: PTH108 - a Path would keep a million names among its interned strings for a while
        except FileNotFoundError:
            return False
        except OSError:
            self._skipped += 1
            return False
        return True


def _is_locked(descriptor: int) -> bool:
    """Whether we have the lock now. Where a file system has none, nobody can keep us from it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


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
