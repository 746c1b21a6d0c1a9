"""The audit log: a line for every refusal, for people and fail2ban. It holds no path, token or cookie.

A log that cannot be written stops nobody (see `log_lines`). The file is found again under its name when it was rotated
away, and may be truncated in place.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pwgserve.log_lines import Lines, to_standard_error

RETRY_SECONDS = 2.0
"""How soon a file is tried again that could not be written."""

OFF, STDERR = "off", "stderr"


class AuditLog:
    """Writes to `destination`: a file's path, "stderr" or "off"."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._lines = Lines("audit-log", to_standard_error if destination == STDERR else self._written)
        self._descriptor: int | None = None
        self._tried = float("-inf")

    @property
    def lost(self) -> int:
        """How many lines were not written."""
        return self._lines.lost

    def note(self, visitor: str | None, kind: str, reason: str, status: int) -> None:
        """A request was refused. visitor: the address, None when a proxy told nonsense. Never waits, never raises."""
        if self._destination == OFF:
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._lines.put(
            f"{now} pwgserve refused visitor={visitor or 'unknown'} kind={kind} reason={reason} status={status}\n"
        )

    def close(self) -> None:
        """Write what waits, for a moment at most. Blocks."""
        self._lines.close()

    def _written(self, lines: Sequence[str]) -> int:
        content = "".join(lines).encode()
        with contextlib.suppress(OSError):
            self._reopen_if_moved()
            # Whole lines in one write: other processes append to the same file.
            if self._descriptor is not None and os.write(self._descriptor, content) == len(content):
                return len(lines)
            return 0
        self._forget()
        return 0

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
