"""Lines for a log, written by a thread: nobody waits for a disk, or for who should take them from a pipe and does not.

They wait in bounded memory; those that find no room, or cannot be written, are lost and counted.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Sequence

WAITING = 10_000
"""Lines that may wait to be written."""

AT_ONCE = 500
"""Lines that are written together at the most."""

CLOSE_SECONDS = 2.0
"""For how long at the end what waits is still written."""

_END = None
_STANDARD_ERROR = 2


class Lines:
    """write: takes whole lines, may wait, and returns how many it wrote; it never raises. lost: lines not written."""

    def __init__(self, name: str, write: Callable[[Sequence[str]], int]) -> None:
        self._name = name
        self._write = write
        self._waiting: queue.Queue[str | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.lost = 0

    def put(self, line: str) -> None:
        """Have a line written soon; it ends with a line break. Never waits, never raises."""
        if self._thread is None:
            self._start()
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._lose(1)

    @property
    def waiting(self) -> int:
        """How many lines wait."""
        return self._waiting.qsize()

    def close(self) -> None:
        """Write what waits, for a moment at most. Blocks."""
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(_END)
            self._thread.join(CLOSE_SECONDS)

    def _lose(self, count: int) -> None:
        with self._lock:  # several threads lose some
            self.lost += count

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            batch = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while len(batch) < AT_ONCE:
                    batch.append(self._waiting.get_nowait())
            lines = [line for line in batch if line is not None]
            self._lose(len(lines) - self._write(lines))
            if _END in batch:
                return


def to_standard_error(lines: Sequence[str]) -> int:
    """Write lines, each in one piece: all processes write there, and would else come into the midst of each other's."""
    return sum(_is_written(line.encode(errors="backslashreplace")) for line in lines)


def _is_written(content: bytes) -> bool:
    left = memoryview(content)
    with contextlib.suppress(OSError):  # a full disk, or nobody there any more
        # Python's own `sys.stderr` has a lock, and a process could not end while its thread waits here.
        while left:
            left = left[os.write(_STANDARD_ERROR, left) :]
    return not left
