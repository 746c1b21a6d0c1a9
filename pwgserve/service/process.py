"""A server process as its supervisor sees it: started, watched, told to finish, ended.

It gets the listening sockets as open descriptors. How it begins is in `recruit`, what it does with them in `entry`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pwgserve.service import reports
from pwgserve.service.recruit import Recruit, StartError, cannot_start
from pwgserve.service.share import Share

START_SECONDS = 60.0
"""How long a process may take until its first sign of life: a slow machine reads much code from a slow disk."""

SECOND_LOOK_SECONDS = 1.0
"""How long is looked once more for a sign of life before a process is ended for having given none."""

FINISH_SECONDS = 30.0
"""How long a process that was told to finish may go on with requests that are under way."""

END_SECONDS = 10.0
"""How much longer than that it may take to end, before it is killed."""


@dataclass(frozen=True)
class Configuration:
    """A configuration as the owner wrote it, which is how server processes get it. source: its file's name."""

    text: str
    source: str


class ServerProcess:
    """A process that serves. `start` makes one of a recruit."""

    def __init__(self, process: asyncio.subprocess.Process, patience: float) -> None:
        self._process = process
        self._patience = patience
        self._told = asyncio.Event()
        self._problem: str | None = None
        self._following: asyncio.Task[None]
        self.protections = ""
        self.end = ""

    @classmethod
    def start(
        cls,
        recruit: Recruit,
        configuration: Configuration,
        listeners: Sequence[socket.socket],
        share: Share,
        patience: float,
    ) -> ServerProcess:
        """Let a recruit serve. patience: seconds without a sign of life after which it is killed. Raises StartError."""
        orders = {
            "source": configuration.source,
            "number": share.number,
            "processes": share.processes,
            "folder": str(share.folder),
        }
        with cannot_start(), contextlib.ExitStack() as stack:
            text = os.memfd_create("configuration")
            stack.callback(os.close, text)
            os.pwrite(text, configuration.text.encode(), 0)
            receiving, telling = os.pipe()
            stack.callback(os.close, telling)
            recruit.order(orders, [telling, text, *(listener.fileno() for listener in listeners)])
        started = cls(recruit.process, patience)
        started._following = asyncio.create_task(started._follow(receiving))
        return started

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ready(self) -> None:
        """Wait until it serves. Raises StartError when it cannot, or ends before."""
        await self._told.wait()
        if self._problem is not None:
            raise StartError(self._problem)

    async def ended(self) -> None:
        """Wait until it has ended; `end` says how, in words."""
        # Who waits may be cancelled; the process is followed to its end.
        await asyncio.shield(self._following)

    def finish(self) -> None:
        """Tell it to take no more connections, and to end when requests under way are answered."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._signal(signal.SIGKILL)

    async def finished(self) -> None:
        """Tell it to finish, and wait until it has ended, at most as long as it may take."""
        self.finish()
        try:
            async with asyncio.timeout(FINISH_SECONDS + END_SECONDS):
                await self.ended()
        except TimeoutError:
            self.kill()
            await self.ended()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _follow(self, receiving: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        pipe = os.fdopen(receiving, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        hangs = False
        try:
            await self._listen(reader)
        except TimeoutError:
            hangs = True
        except ValueError:
            # Nothing that a process of ours says.
            pass
        if hangs:
            self.kill()
        code = await self._process.wait()
        transport.close()
        self.end = f"gave no sign of life for {self._patience:g} s" if hangs else _words(code)
        if not self._told.is_set():
            self._problem = f"a server process ended while it was starting ({self.end})"
            self._told.set()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        patience = START_SECONDS
        while True:
            line = await _next_line(reader, patience)
            if not line:
                return
            protections, problem = reports.parse(line)
            if protections is not None or problem is not None:
                self.protections, self._problem = protections or "", problem
                self._told.set()
            patience = self._patience


async def _next_line(reader: asyncio.StreamReader, patience: float) -> bytes:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            return await reader.readline()
    # It was the supervisor that stood still, if what the process has said lies there by now.
    async with asyncio.timeout(SECOND_LOOK_SECONDS):
        return await reader.readline()


def _words(code: int) -> str:
    """How a process ended, given its exit code as Python has it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
