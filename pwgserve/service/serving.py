"""Serves visitors in one process: accepts connections, answers until told to stop, and lets requests finish.

What starts such a process and gives it its sockets is in `process` and `entry`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import heapq
import signal
import socket
import struct
import termios
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from pwgserve import logs
from pwgserve.app import Daemon
from pwgserve.http.refusals import Refusal
from pwgserve.http.repeating import RepeatingHandler
from pwgserve.render import machine, sandbox
from pwgserve.service.accepting import Accepting, Counts
from pwgserve.service.process import FINISH_SECONDS
from pwgserve.service.reports import Reports
from pwgserve.service.share import Share
from pwgserve.settings import Settings

LOOK_SECONDS = 0.05
LEAVING_SECONDS = 1.0
"""How long a connection that waits idly stays open after the process was told to stop: a request may be on its way."""

LINGERING_SECONDS = 2.0
"""How long what a refused request still sends is read, so that its sender sees the refusal."""

SLOWEST = 1000
"""Bytes a second of an answer that its visitor must take at least. A throttled telephone takes ten times as many."""

MAKING_ROOM = 0.01
"""Which share of the idle connections makes room at once: to find them in thousands takes milliseconds."""

FILES_OF_OURS = 100
"""Descriptors that are not connections or pictures: database, workers, logs."""

THREADS = 32
"""For what waits for files: more than the few that Python has for a small machine, of which disks that do not answer
would soon hold all."""

MAX_HEAD = 40_000
"""Bytes that a request may have before its body. Each header has a limit of its own, and there may be a hundred; no
browser and no proxy sends nearly as much. What is not complete is kept, and a stranger may have thousands of them."""

_AT_ONCE = struct.pack("ii", 1, 0)
"""For SO_LINGER: forget what was not sent."""


class _Connection(RepeatingHandler):
    """A connection that nobody can hold for nothing, and whose broken requests get our refusals.

    The library's own answers to broken requests would quote them.
    """

    def __init__(self, manager: _Server, **options: Any) -> None:
        super().__init__(manager, manager.known, **options)
        self._server = manager
        self._deadline: asyncio.TimerHandle | None = None
        self._head = 0
        self._body: StreamReader = EMPTY_PAYLOAD
        self._unsent = 0
        self._link: asyncio.Transport | None = None
        self.heard = self._loop.time()

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._link = self.transport  # the library forgets it as soon as it wants the end, and not when that comes
        if not self._server.has_room():
            self._abort()
            return
        self._server.count()
        self._deadline = self._loop.call_later(self._server.limits.header_timeout, self._expect_request)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._forget_deadline()
        self._link = None
        super().connection_lost(exc)
        self._server.count()

    async def start(self) -> None:
        """Answer one request after the other; called by the library."""
        try:
            await super().start()
        finally:
            if self._link is not None:
                # It stays until what is left was taken, be it so little that nothing was paused for it.
                self._watch_taking()

    def data_received(self, data: bytes) -> None:
        """Called by the transport with what was read."""
        self.heard = self._loop.time()
        requests, is_body = self._request_count, not self._body.is_eof()
        super().data_received(data)
        if self._request_count != requests:
            self._head, self._body = 0, self._messages[-1][1] if self._messages else EMPTY_PAYLOAD
        elif not is_body:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._refuse_head()

    def _refuse_head(self) -> None:
        """Answer as the library answers what it cannot parse, after what was asked before; then the connection ends."""
        self._head = 0
        self._request_count += 1
        self._messages.append((_ErrInfo(400, HttpProcessingError(code=400), ""), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def pause_writing(self) -> None:
        # Until the other side has taken what is buffered, which may be never.
        super().pause_writing()
        self._watch_taking()

    def _watch_taking(self) -> None:
        """Have it looked at again whether the other side takes anything. The kernel tells only when much was taken."""
        self._forget_deadline()
        self._unsent = self._left_to_send()
        self._deadline = self._loop.call_later(self._server.limits.send_timeout, self._expect_taking)

    def _expect_taking(self) -> None:
        if self._link is None or not (self._paused or self._link.is_closing()):
            return
        if self._unsent - self._left_to_send() < SLOWEST * self._server.limits.send_timeout:
            self._abort()
        else:
            self._watch_taking()

    def _left_to_send(self) -> int:
        """Bytes that the other side has not taken: ours and the kernel's."""
        if self._link is None:
            return 0
        connection = self._link.get_extra_info("socket")
        try:
            kernels = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        except (OSError, AttributeError):
            kernels = 0
        return self._link.get_write_buffer_size() + int(kernels)

    def _expect_request(self) -> None:
        if self._request_count == 0:
            self._abort()

    def _abort(self) -> None:
        if self._link is None:
            return
        connection = self._link.get_extra_info("socket")
        if connection is not None:
            # Without this the kernel keeps what was not taken, megabytes of it, and goes on offering it for minutes.
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._link.abort()

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

    def __init__(self, daemon: Daemon, limits: _Limits, idle_timeout: float, counts: Counts) -> None:
        super().__init__(
            daemon.handle,
            access_log=None,
            keepalive_timeout=idle_timeout,
            lingering_time=LINGERING_SECONDS,
            request_factory=self._request,
        )
        self.limits = limits
        self._counts = counts
        self._repeated = daemon.repeated
        self._is_leaving = False

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def known(self, message: RawRequestMessage, peer: str | None, now: float) -> tuple[bytes, ...] | None:
        """The answer that may be given at once. None while this process is leaving: it must say `Connection: close`."""
        return None if self._is_leaving else self._repeated(message, peer, now)

    async def take(self, connection: socket.socket) -> None:
        """Answer what is asked on a new connection."""
        try:
            await self._loop.connect_accepted_socket(self, connection)
        except OSError:
            connection.close()  # its visitor has left

    def count(self) -> None:
        """Tell the other processes how many connections this one holds."""
        if not self._is_leaving:  # the one that takes its place has told its own
            self._counts.tell(len(self._connections))

    async def leave(self) -> None:
        """Let every connection end with its next answer, and those that ask nothing after a moment; wait for all.

        An answer that was under way has promised that the connection stays: its next request is still heard.
        """
        self._is_leaving = True
        clock = asyncio.get_running_loop().time
        deadline = clock() + FINISH_SECONDS
        idle_since: dict[_Connection, float] = {}
        while self._connections and clock() < deadline:
            idle = [one for one in self._connections if isinstance(one, _Connection) and one.is_idle]
            idle_since = {one: idle_since.get(one, clock()) for one in idle}
            for one, since in idle_since.items():
                if clock() - since > LEAVING_SECONDS:
                    one.force_close()
            await asyncio.sleep(LOOK_SECONDS)

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """A request as the library makes it, whose answer says in time that the connection ends, if it is to end.

        Of a process that leaves: whoever sent another request along a connection that is being closed could not tell
        whether it was answered. Behind a body: nobody sends one with what we answer but to hide a second request in it.
        Behind an upgrade, which is never made: of what comes with it the library loses some.
        """
        if self._is_leaving or message.upgrade or payload is not EMPTY_PAYLOAD:
            message = message._replace(should_close=True)
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop)

    def has_room(self) -> bool:
        """Whether one more connection may stay; if need be, those that have been idle longest make room for it."""
        if len(self._connections) <= self.limits.connections:
            return True
        idle = [one for one in self._connections if isinstance(one, _Connection) and one.is_idle]
        for one in heapq.nsmallest(1 + int(len(idle) * MAKING_ROOM), idle, key=lambda one: one.heard):
            one.force_close()
        return bool(idle)


async def serve(settings: Settings, listeners: Sequence[socket.socket], share: Share, reports: Reports) -> None:
    """Serve on sockets that listen already, until SIGTERM. Raises what `Daemon.open` raises."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS))
    logs.watch(loop)
    sandbox.hide_memory()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as resources:
        beating = asyncio.create_task(reports.beat())
        resources.callback(beating.cancel)
        daemon = await Daemon.open(settings, share)
        resources.push_async_callback(daemon.close)
        options = settings.server
        most = share.of(options.max_connections) if options.max_connections else _room_for_connections()
        limits = _Limits(most, options.header_timeout, options.send_timeout)
        counts = Counts(share)
        server = _Server(daemon, limits, options.idle_timeout, counts)
        daemon.metrics.read("pwgserve_connections", lambda: len(server.connections))
        runner = web.ServerRunner(server, shutdown_timeout=FINISH_SECONDS)
        resources.push_async_callback(runner.cleanup)
        await runner.setup()
        if stop.is_set():
            return
        accepting = [Accepting(listener, counts, server.take) for listener in listeners]
        reports.ready(daemon.protections)
        await stop.wait()
        for one in accepting:
            one.close()
        await server.leave()


def _room_for_connections() -> int:
    """How many connections the open files of this process allow, each with a picture that is being sent."""
    return max(8, (machine.open_files() - FILES_OF_OURS) // 2)
