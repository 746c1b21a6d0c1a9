"""A stranger on the web: sends requests exactly as they are written, without cookies, slowly, and reads a little.

Nothing that is sent is secret. What is asked for is in `attempts`.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from pwgserve import __version__
from pwgserve.check.attempts import Attempt
from pwgserve.check.verdicts import TOO_MANY, Answer
from pwgserve.problems import OwnerError

AT_ONCE = 4
RATE_OF_ONE = 25.0
"""Requests a second that one request at a time makes possible, a no taking its time."""

READ = 65_536
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
WAITS = (2.0, 6.0)
"""Seconds to wait before asking again what was too much, or failed."""

REDIRECTS = 3

HUNG_UP = 0
"""In the place of a status, where the server ended the connection without a word each time."""


class UnreachableError(OwnerError):
    """The address does not answer; the message is one line for the owner."""


class Stranger:
    """Asks one web server. origin: scheme, host and port. rate: requests a second, at most."""

    def __init__(self, origin: str, rate: float) -> None:
        self._origin = origin
        self._interval = 1 / rate
        self._next = 0.0
        self._room = asyncio.Semaphore(max(AT_ONCE, int(rate / RATE_OF_ONE)))
        self._session: aiohttp.ClientSession | None = None
        self.requests = 0

    async def __aenter__(self) -> Stranger:
        self._session = aiohttp.ClientSession(
            timeout=TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": f"pwgserve-check/{__version__}", "Accept": "*/*"},
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, attempt: Attempt) -> Answer:
        """The answer, asked for again if it was none. Raises UnreachableError."""
        for wait in (*WAITS, None):
            try:
                answer = await self._ask(self._address(attempt), attempt)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # Some servers are made to hang up on what they do not like (nginx: `return 444`): a no, like others.
                if wait is None:
                    return Answer(HUNG_UP, {}, b"")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if wait is None:
                    raise UnreachableError(f"{attempt.origin or self._origin}: {_in_words(error)}") from error
            else:
                if wait is None or answer.status not in (TOO_MANY, 503):
                    return answer
            await asyncio.sleep(wait or 0)
        raise AssertionError("unreachable")

    async def once(self, attempt: Attempt) -> Answer:
        """The answer to one request that may well fail. Raises UnreachableError."""
        try:
            return await self._ask(self._address(attempt), attempt)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"{attempt.origin or self._origin}: {_in_words(error)}") from error

    async def end(self, answer: Answer, attempt: Attempt) -> Answer:
        """Where an answer leads to in the end, on the same host. Raises UnreachableError."""
        address = self._address(attempt)
        for _ in range(REDIRECTS):
            location = answer.headers.get("location", "")
            if answer.status not in (301, 302, 303, 307, 308) or not location:
                break
            address = urljoin(address, location)
            if urlsplit(address).hostname != urlsplit(self._origin).hostname:
                break
            try:
                answer = await self._ask(address, attempt)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                break
        return answer

    def _address(self, attempt: Attempt) -> str:
        return (attempt.origin or self._origin) + attempt.target

    async def _ask(self, address: str, attempt: Attempt) -> Answer:
        assert self._session is not None, "used outside of its block"
        async with self._room:
            await self._turn()
            self.requests += 1
            asking = self._session.request(
                attempt.method,
                URL(address, encoded=True),
                headers=list(attempt.headers),
                allow_redirects=False,
                # Whom a certificate names is no concern of who wants the pictures.
                ssl=not attempt.origin,
                server_hostname=attempt.server_name or None,
            )
            async with asking as response:
                body = b""
                if attempt.method != "HEAD":
                    while len(body) < READ and (chunk := await response.content.read(READ - len(body))):
                        body += chunk
                headers = {name.lower(): value for name, value in response.headers.items()}
                if not response.content.at_eof():
                    response.close()
                return Answer(response.status, headers, body)

    async def _turn(self) -> None:
        now = time.monotonic()
        self._next = max(self._next + self._interval, now)
        await asyncio.sleep(max(0.0, self._next - now))


def _in_words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return (
            'it hangs up without an answer; does a rule there refuse programs? This one calls itself "pwgserve-check"'
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not to be trusted ({error.certificate_error})"
    return str(error) or type(error).__name__
