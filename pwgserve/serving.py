"""Runs a daemon as a service: listens, answers until told to stop, and lets requests that are under way finish."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from pwgserve import logs
from pwgserve.app import Daemon
from pwgserve.http.refusals import Refusal
from pwgserve.settings import Listen, Settings

FINISH_SECONDS = 30.0
"""How long requests may go on after the daemon was told to stop."""

_log = structlog.get_logger("serving")


class ListenError(Exception):
    """The address cannot be listened on; the message says why and what to do."""


class _Connection(RequestHandler):
    """A connection whose broken requests get our refusals: the library's own would quote them."""

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


class _Server(web.Server):
    """Accepts connections for a daemon."""

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ListenError and what `Daemon.open` raises."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    logs.watch(loop)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    daemon = await Daemon.open(settings)
    async with contextlib.AsyncExitStack() as resources:
        resources.push_async_callback(daemon.close)
        server = _Server(daemon.handle, access_log=None, keepalive_timeout=75.0)
        runner = web.ServerRunner(server, shutdown_timeout=FINISH_SECONDS)
        resources.push_async_callback(runner.cleanup)
        await runner.setup()
        await _listening(runner, settings.server.listen)
        _log.info("serving", listen=settings.server.listen)
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


def _remove_dead_socket(path: Path) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
