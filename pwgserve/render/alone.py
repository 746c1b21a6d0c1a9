"""Lets one picture that needs much memory be rendered at a time, in all server processes of one daemon together.

Which pictures those are is decided in `limits`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType

ASK_SECONDS = 0.05
"""How often is asked whether another process has finished its large picture."""


class Alone:
    """An asynchronous lock among the tasks of this process and, given the name of a pipe to lock, among processes.

    The kernel gives the file back when a process ends in whatever way. A file that cannot be locked is done without:
    two large pictures at once are better than none.
    """

    def __init__(self, file: Path | None) -> None:
        self._within = asyncio.Lock()
        self._file = file
        self._descriptor: int | None = None

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def __aenter__(self) -> None:
        await self._within.acquire()
        try:
            if self._descriptor is None and self._file is not None:
                self._descriptor = _opened(self._file)
            while not self._locked():  # noqa: ASYNC110 (another process sets no event)
                await asyncio.sleep(ASK_SECONDS)
        except BaseException:
            self._within.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._within.release()

    def _locked(self) -> bool:
        if self._descriptor is None:
            return True
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


def _opened(file: Path) -> int | None:
    # A named pipe that is never written to: in the cache's folder, nobody can mistake it for a derivative.
    with contextlib.suppress(OSError):
        os.mkfifo(file, 0o600)
    with contextlib.suppress(OSError):
        return os.open(file, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    return None
