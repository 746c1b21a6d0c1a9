"""Requests that the gallery's own server makes: after an upload Piwigo's PHP asks for a size of the new photo, as a
stranger, only to have it made.

It is refused like any stranger. But that is no attack, and the size is made in the background: soon somebody will ask
for it who may have it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Mapping, Sequence

import structlog

from pwgserve.answers.sources import ChangedError, Sources
from pwgserve.finished import Derivatives
from pwgserve.originals import MissingOriginalError
from pwgserve.piwigo.gallery import GalleryUnavailableError
from pwgserve.render.pool import BusyError
from pwgserve.render.turns import Client
from pwgserve.render.workers import RenderFailedError, UnrenderableError
from pwgserve.settings import Network
from pwgserve.shortage import ShortageError
from pwgserve.targets import GallerySettings, Target, recoded

AHEAD = 50
"""How many sizes may wait to be made ahead; beyond that requests of the own server only get their no."""

KEPT = 1000
"""Addresses of which is remembered whether they are the machine's own."""

_log = structlog.get_logger("http")
_BROWSER = ("image/avif,image/webp,*/*",)
_CLIENT = Client("own-server", is_bulk=True)


class OwnAddresses:
    """Tells the machine's own addresses. further: what else its requests may seem to come from, such as its router."""

    def __init__(self, further: Sequence[Network] = ()) -> None:
        self._further = further
        self._known: dict[str, bool] = {}

    def has(self, visitor: str | None, headers: Mapping[str, str]) -> bool:
        """Whether a request without any cookie comes from the machine itself, as far as its address tells."""
        if visitor is None or "Cookie" in headers:
            return False
        if visitor not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[visitor] = self._is_own(visitor)
        return self._known[visitor]

    def _is_own(self, visitor: str) -> bool:
        try:
            address = ipaddress.ip_address(visitor)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_loopback or any(address in network for network in self._further):
            return True
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        # To an address of its own the kernel would send from that very address. Nothing is sent.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return bool(probe.getsockname()[0] == str(address))
        return False


class Ahead:
    """Makes derivatives that nobody waits for, one after the other, after everybody who does wait.

    encodings: what browsers get that announce all of them.
    """

    def __init__(self, sources: Sources, derivatives: Derivatives, encodings: Sequence[str]) -> None:
        self._sources = sources
        self._derivatives = derivatives
        self._encodings = encodings
        self._wanted: asyncio.Queue[tuple[Target, GallerySettings]] = asyncio.Queue(AHEAD)
        self._task: asyncio.Task[None] | None = None

    def ask(self, found: Target | None, settings: GallerySettings) -> None:
        """Have a derivative made soon, or not at all if too many wait. Takes no time, whatever is found."""
        if found is None or found.plan is None:
            return
        with contextlib.suppress(asyncio.QueueFull):
            self._wanted.put_nowait((found, settings))
            if self._task is None:
                self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Forget what waits, and finish what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        while True:
            found, settings = await self._wanted.get()
            try:
                choices = dict.fromkeys((found, recoded(found, self._encodings, _BROWSER, settings)))
                # At once, so that the photo is decoded once.
                await asyncio.gather(*(self._make(choice, settings) for choice in choices))
            except Exception as error:
                # One photo's trouble must not end this for all others.
                _log.error("unexpected-error", error=type(error).__name__, at="own_server")

    async def _make(self, found: Target, settings: GallerySettings) -> None:
        # Whoever asks for it in earnest will be told what is wrong.
        with contextlib.suppress(
            MissingOriginalError,
            ChangedError,
            UnrenderableError,
            RenderFailedError,
            BusyError,
            ShortageError,
            GalleryUnavailableError,
        ):
            version = await self._sources.version(found)
            finished = await self._derivatives.get(found, version, _CLIENT, settings)
            finished.close()
