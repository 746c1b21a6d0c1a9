"""How full the cache is, without looking: a number in its folder that all processes keep. Blocks."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS, ASK_SECONDS = 1.0, 0.002
"""For how long the lock of the tally is waited for, which others have for microseconds, and how often it is tried."""

_FORMAT = struct.Struct("<qqq")


@dataclass(frozen=True)
class Tally:
    """How much the store holds, as far as is known without looking. measured: when it was counted (since 1970)."""

    size: int = 0
    files: int = 0
    measured: int = 0


class SharedTally:
    """The tally in the store's folder, kept by all processes together, and right after whatever end of one of them.

    last: as it was when this process last had it in its hands.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / "tally"
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self.last = Tally()

    def get(self) -> Tally:
        """The tally as it is now. Waits for nobody who changes it: that may be a process that was stopped."""
        try:
            self.last = _unpacked(self._file.read_bytes())
        except OSError:
            self.last = Tally()
        return self.last

    def add(self, size: int, files: int) -> Tally:
        """Note that something was added (or, negative, removed); returns the new tally."""
        return self._changed(lambda tally: Tally(tally.size + size, tally.files + files, tally.measured))

    def set(self, size: int, files: int) -> None:
        """Note what was counted just now."""
        self._changed(lambda _: Tally(size, files, int(time.time())))

    def _changed(self, change: Callable[[Tally], Tally]) -> Tally:
        with self._lock, contextlib.suppress(OSError):
            descriptor = self._opened()
            is_locked = _locked(descriptor)
            try:
                before = _unpacked(os.pread(descriptor, _FORMAT.size, 0))
                after = change(before)
                if after != before:
                    os.pwrite(descriptor, _FORMAT.pack(max(0, after.size), max(0, after.files), after.measured), 0)
                self.last = after
                return after
            finally:
                if is_locked:
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
        # A tally that cannot be kept is no reason to keep anybody from a picture.
        return Tally()

    def _opened(self) -> int:
        """The file, open; opened again when the store was emptied by hand, or another disk was mounted there."""
        if self._descriptor is not None and is_replaced(self._descriptor, self._file):
            os.close(self._descriptor)
            self._descriptor = None
        if self._descriptor is None:
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        return self._descriptor


def is_replaced(descriptor: int, file: Path) -> bool:
    """Whether the name of an open file has come to mean another one, or none."""
    try:
        status, named = os.fstat(descriptor), file.stat()
    except OSError:
        return True
    return (named.st_dev, named.st_ino) != (status.st_dev, status.st_ino)


def _unpacked(content: bytes) -> Tally:
    return Tally(*_FORMAT.unpack(content)) if len(content) == _FORMAT.size else Tally()


def _locked(descriptor: int) -> bool:
    """Whether nobody else changes the tally now. Rather it is counted wrongly for a day than waited for long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(ASK_SECONDS)
        except OSError:
            return False
        else:
            return True
