"""How the daemon is: `/-/health`, `/-/ready`, `/-/metrics` and the page `/-/status`, for the machine's own eyes.

Requests that came through a proxy are refused, so that a proxy that forwards everything does not publish them; so are
those from other machines, where the daemon listens to the world itself.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from pwgserve.http import status_page
from pwgserve.http.refusals import SERVER, RefusedError
from pwgserve.numbers.metrics import Metrics
from pwgserve.numbers.trend import Trend
from pwgserve.piwigo.gallery import GalleryUnavailableError

PREFIX = "/-/"
OF_PROXIES = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Ops:
    """The operator's addresses. `is_ready` raises GalleryUnavailableError while nothing can be served."""

    def __init__(self, metrics: Metrics, trend: Trend, is_ready: Callable[[], Awaitable[None]]) -> None:
        self._metrics = metrics
        self._trend = trend
        self._is_ready = is_ready

    async def answer(self, request: web.BaseRequest, name: str) -> web.Response:
        """The page `/-/NAME`. Raises RefusedError for any other."""
        if any(header in request.headers for header in OF_PROXIES) or not _is_of_this_machine(request):
            raise RefusedError("ops-through-proxy")
        match name:
            case "health":
                return _text("alive\n")
            case "ready":
                return await self._ready()
            case "metrics":
                text = self._metrics.text(await self._metrics.samples())
                return _text(text.decode(), content_type=_PROMETHEUS)
            case "status":
                return await self._status()
        raise RefusedError("unknown-address")

    async def _status(self) -> web.Response:
        problem = None
        try:
            await self._is_ready()
        except GalleryUnavailableError as error:
            problem = str(error)
        samples = await self._metrics.samples()
        trend = self._trend.until(samples, time.time())
        text = await asyncio.to_thread(status_page.page, samples, trend, problem)
        return web.Response(body=text.encode(), headers={**status_page.HEADERS, "Server": SERVER})

    async def _ready(self) -> web.Response:
        try:
            await self._is_ready()
        except GalleryUnavailableError as error:
            return _text(f"not ready: {error}\n", status=503)
        return _text("ready\n")


def _is_of_this_machine(request: web.BaseRequest) -> bool:
    """Whether a connection comes from here: over loopback, from the address that it was made to, or our Unix socket."""
    peer = request.remote
    if not peer:
        return peer is not None  # who has left already may have been anybody
    own = request.transport.get_extra_info("sockname") if request.transport else None
    if own and own[0] == peer:
        return True
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _text(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> web.Response:
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Server": SERVER,
    }
    return web.Response(status=status, body=text.encode(), headers=headers)
