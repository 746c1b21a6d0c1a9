"""The audit log: a line for every refusal, for people and fail2ban. It holds no path, token or cookie.

A log that cannot be written stops nobody: lines are handed to a thread, wait in bounded memory, and are counted when
they are lost. The file is found again under its name when it was rotated away, and may be truncated in place.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

WAITING = 10_000
"""Lines that may wait to be written."""

RETRY_SECONDS = 2.0
"""How soon a file is tried again that could not be written."""

OFF, STDERR = "off", "stderr"
_END = None


class AuditLog:
    """Writes to `destination`: a file's path, "stderr" or "off". lost: how many lines were not written."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING)
        self._descriptor: int | None = None
        self._tried = float("-inf")
        self._thread: threading.Thread | None = None
        self.lost = 0

    def note(self, visitor: str | None, kind: str, reason: str, status: int) -> None:
        """A request was refused. visitor: the address, None when a proxy told nonsense. Never waits, never raises."""
        if self._destination == OFF:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="audit-log", daemon=True)
            self._thread.start()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            self._lines.put_nowait(
                f"{now} pwgserve refused visitor={visitor or 'unknown'} kind={kind} reason={reason} status={status}\n"
            )
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Write what waits, for a moment at most. Blocks."""
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._lines.put_nowait(_END)
            self._thread.join(2.0)

    def _work(self) -> None:
        while True:
            batch = [self._lines.get()]
            with contextlib.suppress(queue.Empty):
                while len(batch) < 500:
                    batch.append(self._lines.get_nowait())
            lines = [line for line in batch if line is not None]
            if lines and not self._written("".join(lines).encode()):
                self.lost += len(lines)
            if _END in batch:
                return

    def _written(self, content: bytes) -> bool:
        if self._destination == STDERR:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.buffer.write(content)
                sys.stderr.buffer.flush()
                return True
            return False
        try:
            self._reopen_if_moved()
            # Whole lines in one write: other processes append to the same file.
            return self._descriptor is not None and os.write(self._descriptor, content) == len(content)
        except OSError:
            self._forget()
            return False

    def _reopen_if_moved(self) -> None:
        path = Path(self._destination)
        if self._descriptor is not None:
            ours = os.fstat(self._descriptor)
            try:
                there = path.stat()
            except FileNotFoundError:
                there = None
            if there is not None and (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return
            self._forget()
        elif time.monotonic() - self._tried < RETRY_SECONDS:
            return
        self._tried = time.monotonic()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._descriptor = os.open(path, flags, 0o640)

    def _forget(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
