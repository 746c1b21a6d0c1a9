"""A connection that answers requests that repeat as soon as they are read.

The library parses every request, bounds what waits, and answers all others in its ordinary way; what this saves are
two tasks, a request and a response for each picture of a page that many look at (docs/decisions/0019).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

Known = Callable[[RawRequestMessage, str | None, float], tuple[bytes, ...] | None]
"""The answer that may be given at once to a request from a peer at a time of the loop, or None."""


class RepeatingHandler(RequestHandler):
    """The library's connection, with a short way for what `known` has the answer to."""

    def __init__(self, manager: Any, known: Known, **options: Any) -> None:
        super().__init__(manager, **options)
        self._known = known
        self._peer: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the transport once there is a connection."""
        super().connection_made(transport)
        self._peer = _host(self.peername)  # whoever asks the transport asks the kernel

    def data_received(self, data: bytes) -> None:
        """Called by the transport with what was read."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages:
            super().data_received(data)
            return
        # While the library parses, it wakes nobody: what is answered here is no work for its task.
        self._waiter = None
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if self._messages and not (len(self._messages) == 1 and self._answered()) and not waiter.done():
            waiter.set_result(None)

    def _answered(self) -> bool:
        """Whether the one request that waits was answered here."""
        message, payload = self._messages[0]
        if not isinstance(message, RawRequestMessage) or not payload.is_eof():
            return False
        if self._paused or self._close or self._force_close:  # the other side takes too little, or is about to go
            return False
        now = self._loop.time()
        answer = self._known(message, self._peer, now)
        if answer is None or self.transport is None or self._parser is None or self._manager is None:
            return False
        self._messages.popleft()
        self._parser.message_consumed()
        self._manager.requests_count += 1
        self._next_keepalive_close_time = now + self._keepalive_timeout
        self.transport.writelines(answer)
        return True


def _host(peer: Any) -> str | None:
    """As in `BaseRequest.remote`."""
    if peer is None:
        return None
    return str(peer[0]) if isinstance(peer, (list, tuple)) else str(peer)
