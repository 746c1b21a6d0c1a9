"""Runs a daemon as a service: listens, answers until told to stop, and lets requests that are under way finish."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from pwgserve import logs
from pwgserve.app import Daemon
from pwgserve.http.refusals import Refusal
from pwgserve.http.repeating import RepeatingHandler
from pwgserve.render import sandbox
from pwgserve.settings import Listen, Settings

FINISH_SECONDS = 30.0
"""How long requests may go on after the daemon was told to stop."""

LINGERING_SECONDS = 2.0
"""How long what a refused request still sends is read, so that its sender sees the refusal."""

MAX_FILES = 20_000
FILES_OF_OURS = 100
"""Descriptors that are not connections or pictures: database, workers, logs."""

_log = structlog.get_logger("serving")


class ListenError(Exception):
    """The address cannot be listened on; the message says why and what to do."""


class _Connection(RepeatingHandler):
    """A connection that nobody can hold for nothing, and whose broken requests get our refusals.

    The library's own answers to broken requests would quote them.
    """

    def __init__(self, manager: _Server, **options: Any) -> None:
        super().__init__(manager, manager.known, **options)
        self._server = manager
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self._server.has_room():
            self._abort()
            return
        self._deadline = self._loop.call_later(self._server.limits.header_timeout, self._expect_request)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        # Until the other side has taken what is buffered, which may be never.
        super().pause_writing()
        self._forget_deadline()
        self._deadline = self._loop.call_later(self._server.limits.send_timeout, self._abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_deadline()

    def _expect_request(self) -> None:
        if self._request_count == 0:
            self._abort()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.Response:
        response = (Refusal.MALFORMED if status < 500 else Refusal.UNAVAILABLE).response()
        response.force_close()
        return response


@dataclass(frozen=True)
class _Limits:
    """How many connections, and for how many seconds one may send nothing or take nothing."""

    connections: int
    header_timeout: float
    send_timeout: float


class _Server(web.Server):
    """Accepts connections for a daemon."""

    def __init__(self, daemon: Daemon, limits: _Limits, idle_timeout: float) -> None:
        super().__init__(
            daemon.handle, access_log=None, keepalive_timeout=idle_timeout, lingering_time=LINGERING_SECONDS
        )
        self.limits = limits
        self.known = daemon.repeated

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def has_room(self) -> bool:
        """Whether one more connection may stay; if need be, one that waits idly makes room for it."""
        if len(self._connections) <= self.limits.connections:
            return True
        idle = next((one for one in self._connections if isinstance(one, _Connection) and one.is_idle), None)
        if idle is None:
            return False
        idle.force_close()
        return True


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ListenError and what `Daemon.open` raises."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    logs.watch(loop)
    sandbox.hide_memory()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    daemon = await Daemon.open(settings)
    async with contextlib.AsyncExitStack() as resources:
        resources.push_async_callback(daemon.close)
        options = settings.server
        most = options.max_connections or _room_for_connections()
        limits = _Limits(most, options.header_timeout, options.send_timeout)
        server = _Server(daemon, limits, options.idle_timeout)
        runner = web.ServerRunner(server, shutdown_timeout=FINISH_SECONDS)
        resources.push_async_callback(runner.cleanup)
        await runner.setup()
        await _listening(runner, settings.server.listen)
        _log.info("serving", listen=settings.server.listen, workers_confined_by=daemon.protections)
        await stop.wait()
        _log.info("stopping")


async def _listening(runner: web.ServerRunner, address: str) -> None:
    listen = Listen.parse(address)
    site: web.BaseSite
    if listen.path:
        await asyncio.to_thread(_remove_dead_socket, Path(listen.path))
        site = web.UnixSite(runner, listen.path)
    else:
        site = web.TCPSite(runner, listen.host, listen.port, reuse_address=True)
    try:
        await site.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ListenError(f"server.listen: cannot listen on {address}: {reason}; choose another address") from error
    if listen.path:
        # Its folder says who may reach it: whoever can, is a proxy whose word counts.
        await asyncio.to_thread(Path(listen.path).chmod, 0o660)


def _room_for_connections() -> int:
    """How many connections the open files of this process allow, each with a picture that is being sent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < MAX_FILES:
        soft = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(8, (soft - FILES_OF_OURS) // 2)


def _remove_dead_socket(path: Path) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
