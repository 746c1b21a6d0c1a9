"""The parent of all server processes: holds the listening sockets, keeps processes running, replaces them on reload.

It serves nobody: no connection of a visitor, no connection to the database and no picture is ever in this process.
What it promises is in docs/service.md; why it is not an existing one, in docs/decisions/0011.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from pwgserve import logs, settings_file
from pwgserve.problems import OwnerError
from pwgserve.render import sandbox
from pwgserve.service import systemd
from pwgserve.service.listening import listeners
from pwgserve.service.own_folder import own_folder
from pwgserve.service.process import Configuration, ServerProcess
from pwgserve.service.recruit import Recruit, StartError
from pwgserve.service.share import Share, processes
from pwgserve.settings import Settings

PATIENCE_SECONDS = 30.0
"""How long a process may give no sign of life, when systemd's watchdog does not say."""

STEADY_SECONDS = 60.0
"""A process that served for so long is replaced at once when it ends; others after a pause that grows."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
"""Seconds between two attempts to replace a process that keeps ending."""

OF_SYSTEMD = "systemd"
_log = structlog.get_logger("service")


@dataclass
class _Generation:
    """The processes that serve with one configuration. listen: the sockets' address, or that they are systemd's.

    is_open_secret: whether everybody can read the password in it. started: all processes that ever had it, also those
    that are not ready yet.
    """

    configuration: Configuration
    settings: Settings
    listen: str
    sockets: Sequence[socket.socket]
    is_open_secret: bool = False
    members: list[ServerProcess] = field(default_factory=list)
    started: set[ServerProcess] = field(default_factory=set)
    keepers: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return processes(self.settings.server.processes)


class Supervisor:
    """Serves what a configuration file describes, until it is told to stop. first: its first process, already begun."""

    def __init__(self, file: Path, first: Recruit | None = None) -> None:
        self._file = file
        self._first = first
        self._folder: Path
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._reload = asyncio.Event()
        self._processes: set[ServerProcess] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._generations: list[_Generation] = []
        self._watchdog = systemd.watchdog_seconds()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises SettingsError, ListenError and StartError when it cannot begin."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        sandbox.hide_memory()
        if self._watchdog:
            self._in_background(self._say_alive(self._watchdog / 3))
        runtime = systemd.runtime_folder()
        with own_folder(Path(runtime) if runtime else None) as self._folder:
            serving = asyncio.create_task(self._serve())
            stopping = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    serving.result()
            finally:
                serving.cancel()
                await self._end()

    def _told_to_stop(self) -> None:
        (self._stop_now if self._stop.is_set() else self._stop).set()

    async def _serve(self) -> None:
        first = await asyncio.to_thread(self._read, None)
        logs.configure(first.settings.log.level, first.settings.log.format)
        logs.watch(asyncio.get_running_loop())
        await self._begin(first)
        self._say_ready()
        while True:
            await self._reload.wait()
            self._reload.clear()
            systemd.notify("RELOADING=1", f"MONOTONIC_USEC={_microseconds()}")
            await self._renew()
            self._say_ready()

    async def _renew(self) -> None:
        """Replace all processes by ones with the configuration and code of now; keep the old ones if that fails."""
        old = self._generations[-1]
        try:
            new = await asyncio.to_thread(self._read, old)
            await self._begin(new)
        except OwnerError as error:
            _log.error("reload-failed", problem=str(error), consequence="what served before goes on")
            return
        except Exception as error:  # whatever nobody thought of must not end what serves
            problem = f"unexpected {type(error).__name__}"
            _log.error("reload-failed", problem=problem, consequence="what served before goes on")
            return
        logs.configure(new.settings.log.level, new.settings.log.format)
        self._retire(old, new)

    def _read(self, old: _Generation | None) -> _Generation:
        """The configuration as its file is now, and sockets for it: those of `old` if its address stays. Blocks."""
        configuration = Configuration(settings_file.read(self._file), str(self._file))
        found = settings_file.parse(configuration.text, configuration.source)
        is_open = settings_file.is_open_secret(
            self._file, settings_file.content(configuration.text, configuration.source)
        )
        if old is None and (given := systemd.sockets()):
            return _Generation(configuration, found, OF_SYSTEMD, given, is_open)
        if old is not None and old.listen in (OF_SYSTEMD, found.server.listen):
            return _Generation(configuration, found, old.listen, old.sockets, is_open)
        return _Generation(configuration, found, found.server.listen, listeners(found.server.listen), is_open)

    async def _begin(self, generation: _Generation) -> None:
        """Start all processes of a generation and wait until they serve. If that fails, none of them stays.

        Raises StartError.
        """
        shares = [Share(number, generation.count, self._folder) for number in range(generation.count)]
        self._generations.append(generation)
        try:
            for share in shares:
                generation.members.append(await self._started(generation, share))
            for member in generation.members:
                await member.ready()
        except Exception:
            self._generations.remove(generation)
            # Some may serve already.
            for process in generation.started:
                self._in_background(process.finished())
            raise
        for member, share in zip(generation.members, shares, strict=True):
            generation.keepers.append(self._in_background(self._keep(generation, member, share)))
        if generation.is_open_secret:
            _log.warning(
                "configuration-readable",
                problem="everybody on this machine can read the database's password in the configuration; chmod 640 it",
            )
        _log.info(
            "serving",
            listen=generation.listen,
            processes=generation.count,
            workers_confined_by=generation.members[0].protections,
        )

    async def _started(self, generation: _Generation, share: Share) -> ServerProcess:
        patience = self._watchdog or PATIENCE_SECONDS
        recruit, self._first = self._first or await Recruit.begin(), None
        process = ServerProcess.start(recruit, generation.configuration, generation.sockets, share, patience)
        self._processes.add(process)
        generation.started.add(process)
        self._in_background(self._forget_when_ended(generation, process))
        return process

    async def _forget_when_ended(self, generation: _Generation, process: ServerProcess) -> None:
        await process.ended()
        self._processes.discard(process)
        generation.started.discard(process)

    async def _keep(self, generation: _Generation, member: ServerProcess, share: Share) -> None:
        """Replace a process whenever it ends."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        while True:
            began = loop.time()
            await member.ended()
            if loop.time() - began > STEADY_SECONDS:
                pause = 0.0
            _log.error("process-ended", process=share.number, how=member.end, replaced_in=f"{pause:g} s")
            while True:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, pause * 2))
                try:
                    member = await self._started(generation, share)
                    await member.ready()
                except StartError as error:
                    _log.error("process-not-started", process=share.number, problem=str(error), again_in=f"{pause:g} s")
                else:
                    break
            generation.members[share.number] = member

    def _retire(self, old: _Generation, new: _Generation) -> None:
        """Let a generation finish what it is doing, and end."""
        self._generations.remove(old)
        for keeper in old.keepers:
            keeper.cancel()
        for process in old.started:
            self._in_background(process.finished())
        if old.sockets is not new.sockets:
            for listener in old.sockets:
                listener.close()

    async def _end(self) -> None:
        """Let all processes finish, and wait for them; a second signal ends them at once."""
        if self._stop.is_set():
            systemd.notify("STOPPING=1", "STATUS=Finishing what is being sent")
            _log.info("stopping")
        for generation in self._generations:
            for keeper in generation.keepers:
                keeper.cancel()
            for listener in generation.sockets:
                listener.close()
        finishing = [asyncio.create_task(process.finished()) for process in self._processes]
        hurrying = asyncio.create_task(self._stop_now.wait())
        if finishing:
            everything = asyncio.gather(*finishing)
            await asyncio.wait((everything, hurrying), return_when=asyncio.FIRST_COMPLETED)
            for process in self._processes:
                process.kill()
            await everything
        hurrying.cancel()
        for task in self._tasks:
            task.cancel()

    def _say_ready(self) -> None:
        systemd.notify("READY=1", f"STATUS=Serving with {self._generations[-1].count} processes")

    async def _say_alive(self, seconds: float) -> None:
        while True:
            systemd.notify("WATCHDOG=1")
            await asyncio.sleep(seconds)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _microseconds() -> int:
    """The time of the clock that systemd compares with."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
