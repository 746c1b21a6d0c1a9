"""Asks a running daemon on this machine how it is: `/-/ready` and `/-/metrics`, over TCP or its socket.

For commands. What the daemon answers is in `http.ops`; what the numbers mean, in docs/metrics.md.
"""

from __future__ import annotations

import asyncio
import time

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from pwgserve.numbers.shared import Samples
from pwgserve.numbers.trend import total
from pwgserve.settings import Listen

TIMEOUT = aiohttp.ClientTimeout(total=5)
ASK_AGAIN = 1.0
"""Seconds for which an answer about visitors is believed."""

LONGEST_WAIT = 20.0
"""Seconds after which work goes on however busy the daemon is: a gallery that is never idle must be warmed, too."""


class OpsClient:
    """A daemon, by its `server.listen`."""

    def __init__(self, listen: str) -> None:
        self._listen = Listen.parse(listen)
        self._session: aiohttp.ClientSession | None = None
        self._asked_at = float("-inf")
        self._is_rendering = False

    async def get(self, page: str) -> tuple[int, str]:
        """Status and text of `/-/PAGE`. Raises OSError (aiohttp.ClientError is one of its kind) or TimeoutError."""
        if self._session is None:
            connector = aiohttp.UnixConnector(self._listen.path) if self._listen.path else aiohttp.TCPConnector()
            self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT)
        try:
            async with self._session.get(f"http://{self._host}/-/{page}") as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError as error:
            raise OSError(str(error)) from error

    async def samples(self) -> Samples:
        """The daemon's numbers. Raises OSError, TimeoutError and ValueError."""
        return parsed((await self.get("metrics"))[1])

    async def wait_while_rendering(self) -> None:
        """Return when the daemon renders nothing for visitors, does not run, or has been busy for long."""
        began = time.monotonic()
        while time.monotonic() - began < LONGEST_WAIT:
            if time.monotonic() - self._asked_at > ASK_AGAIN:
                try:
                    self._is_rendering = total(await self.samples(), "pwgserve_render_jobs") > 0
                except (OSError, TimeoutError, ValueError):
                    self._is_rendering = False
                self._asked_at = time.monotonic()
            if not self._is_rendering:
                return
            await asyncio.sleep(ASK_AGAIN / 4)

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()

    @property
    def _host(self) -> str:
        host, port = self._listen.host or "localhost", self._listen.port
        if host in ("0.0.0.0", "::"):  # noqa: S104 - what listens everywhere also listens here
            host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        return f"{host}:{port}" if port else host


def parsed(text: str) -> Samples:
    """Numbers in Prometheus' text format. Raises ValueError."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
