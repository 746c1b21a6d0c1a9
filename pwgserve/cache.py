"""The hashed store of finished derivatives: files whose names nobody can derive from a gallery's paths.

Names are keyed hashes; a file appears by an atomic rename and never changes; the least recently used go when the store
is full. What a name stands for is decided by the caller. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KEEP_SHARE = 0.9
"""To which share of the limit the store is emptied when it is over it."""

USED_RESOLUTION = 600.0
"""Seconds: how exactly the last use of a file is known. Noting every use would be a write for every read."""

ABANDONED_AFTER = 3600.0
"""Seconds after which an unfinished file belongs to no rendering any more."""

SMALL = 262_144
"""Bytes up to which a derivative is read whole when it is opened."""

_TEMPORARY = "tmp"


class CacheError(Exception):
    """The store cannot be used; the message says which folder, what is wrong and what to do."""


@dataclass(frozen=True)
class Entry:
    """A derivative in the store: an open descriptor (the caller closes it) and its size in bytes.

    content: all of it, when it is small; reading it at once saves another trip to a thread.
    """

    descriptor: int
    size: int
    content: bytes | None = None


class Cache:
    """The store in one folder, shared by all processes that are given the same folder and key."""

    def __init__(self, directory: Path, key: bytes, max_size: int) -> None:
        self._directory = directory
        self._key = hmac.digest(key, b"pwgserve.cache.v1", hashlib.sha256)
        self._max_size = max_size
        self._size = 0
        self._lock = threading.Lock()

    def open(self) -> None:
        """Make the folder if missing and remove what killed processes left unfinished. Raises CacheError."""
        try:
            (self._directory / _TEMPORARY).mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = self._directory / _TEMPORARY / f"probe-{secrets.token_hex(8)}"
            probe.touch(mode=0o600, exist_ok=False)
            probe.unlink()
            for file in (self._directory / _TEMPORARY).iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if file.stat().st_mtime < time.time() - ABANDONED_AFTER:
                        file.unlink()
        except OSError as error:
            raise CacheError(
                f"cache.dir: cannot write to {self._directory}: {error.strerror}; "
                "make the folder and give it to this user"
            ) from error

    def name(self, *facts: str) -> str:
        """The name of the derivative that the facts (source and plan) describe completely."""
        encoded = [fact.encode("utf-8", "surrogateescape") for fact in facts]
        message = b"".join(b"%d:%s" % (len(fact), fact) for fact in encoded)
        digest = hmac.digest(self._key, message, hashlib.sha256).hex()
        return f"{digest[:2]}/{digest[2:4]}/{digest[4:]}"

    def get(self, name: str) -> Entry | None:
        """The derivative with this name, or None when it is not (or no longer) there."""
        try:
            descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        status = os.fstat(descriptor)
        if status.st_size == 0:
            # What a power cut may leave of a file; no derivative is empty.
            os.close(descriptor)
            return None
        if time.time() - status.st_atime > USED_RESOLUTION:
            with contextlib.suppress(OSError):
                os.utime(descriptor, (time.time(), status.st_mtime))
        content = os.pread(descriptor, status.st_size, 0) if status.st_size <= SMALL else None
        return Entry(descriptor, status.st_size, content)

    @contextlib.contextmanager
    def draft(self) -> Iterator[Draft]:
        """A file to render into; it vanishes at the end unless it was published. Raises OSError."""
        path = self._directory / _TEMPORARY / secrets.token_hex(16)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield Draft(descriptor, path)
        finally:
            os.close(descriptor)
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def publish(self, draft: Draft, name: str) -> None:
        """Make a finished draft the derivative with this name, at once and completely. Raises OSError."""
        os.fdatasync(draft.descriptor)
        size = os.fstat(draft.descriptor).st_size
        target = self._directory / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.path.replace(target)
        with self._lock:
            self._size += size
            is_full = self._size > self._max_size
        if is_full:
            self.collect()

    def collect(self) -> int:
        """Measure the store and remove the least recently used until it is well below its limit.

        Returns how many bytes are left.
        """
        files: list[tuple[float, int, str]] = []
        for file in self._files():
            with contextlib.suppress(FileNotFoundError):
                status = file.stat(follow_symlinks=False)
                files.append((max(status.st_atime, status.st_mtime), status.st_size, file.path))
        left = sum(size for _, size, _ in files)
        if left > self._max_size:
            files.sort(reverse=True)
            while files and left > self._max_size * KEEP_SHARE:
                _, size, path = files.pop()
                with contextlib.suppress(FileNotFoundError):
                    Path(path).unlink()
                left -= size
        with self._lock:
            self._size = left
        return left

    def path(self, name: str) -> Path:
        """Where the derivative with this name lies or would lie."""
        return self._directory / name

    def _files(self) -> Iterator[os.DirEntry[str]]:
        for first in _folders(self._directory):
            for second in _folders(Path(first.path)):
                with os.scandir(second.path) as entries:
                    yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))


@dataclass(frozen=True)
class Draft:
    """An unfinished derivative: the open descriptor to write to, and where it lies."""

    descriptor: int
    path: Path


def _folders(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return [entry for entry in entries if len(entry.name) == 2 and entry.is_dir(follow_symlinks=False)]
