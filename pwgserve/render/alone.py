"""Lets one picture that needs much memory be rendered at a time, in all server processes of one daemon together.

Which pictures those are is decided in `limits`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import math
import os
import time
from collections import OrderedDict, deque
from pathlib import Path
from types import TracebackType

ASK_SECONDS = 0.05
"""How often is asked whether another process has finished its large picture."""

STAY_OUT_SECONDS = 3 * ASK_SECONDS
"""For how long a process that has finished one leaves the next to others: they see that it is free when they ask."""


class Alone:
    """An asynchronous lock among the tasks of this process and, given the name of a pipe to lock, among processes.

    Clients take turns, however many pictures one of them waits for. The kernel gives the file back when a process ends
    in whatever way. A file that cannot be locked is done without: two large pictures at once are better than none.
    """

    def __init__(self, file: Path | None) -> None:
        self._is_taken = False
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._file = file
        self._descriptor: int | None = None
        self._not_before = -math.inf

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def taken_now(self) -> bool:
        """Take it if that needs no waiting."""
        if self._is_taken:
            return False
        self._is_taken = self._locked()
        return self._is_taken

    async def take(self, client: str = "") -> None:
        """Wait for it, among others that this client waits for."""
        if self._is_taken:
            await self._called(client)
        self._is_taken = True
        try:
            while not self._locked():  # noqa: ASYNC110 (another process sets no event)
                await asyncio.sleep(ASK_SECONDS)
        except BaseException:
            self._pass_on()
            raise

    def give_back(self) -> None:
        """Leave it to the next, or to another process for a moment."""
        self.let_go()
        self._pass_on()

    def let_go(self) -> None:
        """Leave it to other processes, whoever has it in this one."""
        if self._descriptor is not None:
            self._not_before = time.monotonic() + STAY_OUT_SECONDS
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    async def __aenter__(self) -> None:
        await self.take()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()

    async def _called(self, client: str) -> None:
        call = asyncio.get_running_loop().create_future()
        self._lines.setdefault(client, deque()).append(call)
        try:
            await call
        except asyncio.CancelledError:
            if not call.cancelled():  # it was called in the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Call who waits next in this process: the first of the client that was called longest ago."""
        while self._lines:
            client, line = self._lines.popitem(last=False)
            call = line.popleft()
            if line:
                self._lines[client] = line
            if not call.done():
                call.set_result(None)
                return
        self._is_taken = False

    def _locked(self) -> bool:
        if self._file is not None and self._descriptor is not None and _is_replaced(self._descriptor, self._file):
            self.close()  # others lock the file that has its name now
        if self._descriptor is None and self._file is not None:
            self._descriptor = _opened(self._file)
        if self._descriptor is None:
            return True
        if time.monotonic() < self._not_before:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


class Turn:
    """What one task does with the lock: takes it when it turns out that it needs it, and has it until its end."""

    def __init__(self, alone: Alone) -> None:
        self._alone = alone
        self._is_ours = False

    def taken_now(self) -> bool:
        """Have the lock, if that needs no waiting."""
        self._is_ours = self._is_ours or self._alone.taken_now()
        return self._is_ours

    async def wait(self, client: str, seconds: float | None) -> None:
        """Have the lock, for a client who waits so many seconds at the most. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._alone.take(client)
        self._is_ours = True

    def end(self) -> None:
        """Give it back."""
        if self._is_ours:
            self._is_ours = False
            self._alone.give_back()


def _is_replaced(descriptor: int, file: Path) -> bool:
    """Whether the folder was emptied by hand, or another disk was mounted there."""
    try:
        return not os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _opened(file: Path) -> int | None:
    # A named pipe that is never written to: in the cache's folder, nobody can mistake it for a derivative.
    with contextlib.suppress(OSError):
        os.mkfifo(file, 0o600)
    with contextlib.suppress(OSError):
        return os.open(file, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    return None
