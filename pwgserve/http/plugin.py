"""What Piwigo's plugin may ask of the daemon: `POST /-/plugin/NAME`, signed, from the machine itself.

Whoever else asks gets what every other POST gets. How requests are signed is in `pwgserve.plugin`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import web

from pwgserve import __version__, fingerprints
from pwgserve.answers.catalogue import Catalogue
from pwgserve.answers.sources import ChangedError, Sources
from pwgserve.cache.standing import Standing
from pwgserve.cache.upkeep import EndedError
from pwgserve.finished import Derivatives
from pwgserve.http.ops import OF_PROXIES
from pwgserve.http.refusals import SERVER
from pwgserve.http.visitor import Proxies
from pwgserve.links import LinkSigner
from pwgserve.numbers.metrics import Metrics
from pwgserve.originals import MissingOriginalError
from pwgserve.piwigo.gallery import GalleryUnavailableError
from pwgserve.piwigo.walking import Walk
from pwgserve.piwigo.wanted import Wanted
from pwgserve.plugin import NONCE, PROOF, SIGNATURE, TIME, Acquaintance, Asked
from pwgserve.render.plan import MAX_AVIF_PIXELS, RECODED
from pwgserve.render.pool import BusyError
from pwgserve.render.quality import is_reached
from pwgserve.render.turns import Client
from pwgserve.render.workers import RenderFailedError, UnrenderableError
from pwgserve.targets import GallerySettings, Target, target
from pwgserve.versions import Version

FOLDER = "plugin/"
MAX_BODY = 262_144
MAX_PHOTOS = 1000
"""How many photos one question may be about."""

READ_SECONDS = 10.0
_CLIENT = Client("plugin", is_bulk=True)

Answer = Mapping[str, Any]
_log = structlog.get_logger("plugin")


@dataclass(frozen=True)
class LinkFacts:
    """What the plugin must know of the owner's settings to write links that the daemon would write.

    ttl, message_ttl: seconds. encodings: what derivatives are sent as to browsers that show it, the best first.
    """

    public_url: str
    send_file: str
    prefix: str
    ttl: int
    message_ttl: int
    bind_session: bool
    encodings: Sequence[str] = ()


@dataclass(frozen=True)
class Plugin:
    """Answers the plugin of one gallery."""

    acquaintance: Acquaintance
    proxies: Proxies
    links: LinkFacts
    signer: LinkSigner
    catalogue: Catalogue
    sources: Sources
    derivatives: Derivatives
    standing: Standing
    walk: Walk
    max_cache: int
    metrics: Metrics
    protections: str
    _purging: list[asyncio.Task[None]] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest, path: str) -> web.Response | None:
        """The answer to the plugin; None for everybody else. `path`: below the operator's addresses.

        Raises GalleryUnavailableError.
        """
        if request.method != "POST" or not path.startswith(FOLDER):
            return None
        if not self.proxies.is_trusted(request.remote) or any(header in request.headers for header in OF_PROXIES):
            return None
        asked = await _read(request, path.removeprefix(FOLDER))
        if asked is None or not self.acquaintance.knows(asked, int(time.time())):
            return None
        answers: Mapping[str, Callable[[dict[str, Any]], Awaitable[Answer]]] = {
            "status": self._status,
            "check": self._check,
            "missing": self._missing,
            "render": self._render,
            "purge": self._purge,
        }
        answer = answers.get(asked.name)
        question = _question(asked.body)
        if answer is None or question is None:
            return None
        content = json.dumps(await answer(question)).encode()
        headers = {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Server": SERVER,
            PROOF: self.acquaintance.proof(asked, content),
        }
        return web.Response(body=content, headers=headers)

    async def _status(self, question: dict[str, Any]) -> Answer:
        settings = await self.catalogue.settings()
        tally = await asyncio.to_thread(self.standing.cache.upkeep.tally.get)
        return {
            "version": __version__,
            "time": int(time.time()),
            "key": self.acquaintance.standing(str(question.get("key", ""))),
            "public_url": self.links.public_url,
            "send_file": self.links.send_file,
            "prefix": self.links.prefix,
            "ttl": self.links.ttl,
            "message_ttl": self.links.message_ttl,
            "bind_session": self.links.bind_session,
            "encodings": _encodings(self.links.encodings, settings),
            "quality": settings.derivatives.quality,
            "max_avif_pixels": MAX_AVIF_PIXELS,
            "guest_access": settings.rules.guest_access,
            "rules": fingerprints.rules_digest(settings.render),
            "cache": {"files": tally.files, "bytes": tally.size, "max_bytes": self.max_cache},
            "responses": self.metrics.outcomes(),
            "renderings": self.metrics.renderings(),
            "protections": self.protections,
        }

    async def _check(self, question: dict[str, Any]) -> Answer:
        """Whether a link that the plugin has written is the one that the daemon would write."""
        link = self.signer.verify(str(question.get("token", "")))
        if link is None:
            return {"signature": False, "fingerprint": False}
        settings = await self.catalogue.settings()
        version = None
        found = await self._target(link.photo_id, link.wanted.spelled(), settings)
        if found is not None:
            version = await self._version(found)
        if found is None or version is None:
            return {"signature": True, "fingerprint": False}
        expected = self.signer.fingerprint(*fingerprints.facts(found, version, settings.derivatives))
        return {"signature": True, "fingerprint": hmac.compare_digest(expected, link.fingerprint)}

    async def _missing(self, question: dict[str, Any]) -> Answer:
        """Which derivatives are not in the cache: {"photos": {"5": ["me", "sq"]}} gets the same without what is."""
        settings = await self.catalogue.settings()
        photos = question.get("photos")
        missing: dict[str, list[str]] = {}
        for photo_id, spelled in list(photos.items())[:MAX_PHOTOS] if isinstance(photos, dict) else []:
            if not str(photo_id).isdecimal() or not isinstance(spelled, list):
                continue
            absent = [one for one in spelled[:100] if await self._is_missing(int(photo_id), str(one), settings)]
            if absent:
                missing[photo_id] = absent
        return {"photos": missing}

    async def _render(self, question: dict[str, Any]) -> Answer:
        """Make one derivative, unless it is there."""
        settings = await self.catalogue.settings()
        found = await self._target(question.get("photo"), str(question.get("wanted", "")), settings)
        version = await self._version(found) if found is not None else None
        if found is None or version is None or found.plan is None:
            return {"done": False, "problem": "missing"}
        try:
            finished = await self.derivatives.get(found, version, _CLIENT, settings)
        except UnrenderableError:
            return {"done": False, "problem": "unrenderable"}
        except (BusyError, RenderFailedError, ChangedError, MissingOriginalError):
            return {"done": False, "problem": "busy"}
        finished.close()
        return {"done": True}

    async def _purge(self, question: dict[str, Any]) -> Answer:
        """Empty the cache of some photos, or begin to empty it of everything or of some types.

        Visitors notice nothing but that pictures are made anew.
        """
        codes, photo_ids = _texts(question.get("types")), _numbers(question.get("photos"))
        if question.get("all") is True:
            self._begin(asyncio.to_thread(self.standing.cache.upkeep.purge))
        elif photo_ids:
            # At once: Piwigo may be about to delete the photos, and then nobody knows their files' names any more.
            await self._removed(codes, photo_ids)
        elif codes:
            self._begin(self._removed(codes, []))
        else:
            return {"started": False}
        return {"started": True}

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        """Do it in the background, after what was asked before."""
        before = self._purging[-1] if self._purging else None

        async def in_turn() -> None:
            if before is not None:
                await asyncio.wait([before])
            try:
                await work
            except EndedError:
                pass  # the daemon stops, and what is left of the cache stays
            except (GalleryUnavailableError, OSError) as error:
                _log.warning("purge", problem=str(error) if isinstance(error, GalleryUnavailableError) else "files")

        self._purging[:] = [asyncio.create_task(in_turn())]

    async def _removed(self, codes: list[str], photo_ids: list[int]) -> None:
        wanted = frozenset(codes) or None
        if photo_ids:
            for photo in await self.walk.of(photo_ids):
                await self.standing.remove(photo, wanted)
        else:
            async for photo in self.walk.photos():
                await self.standing.remove(photo, wanted)

    async def _is_missing(self, photo_id: int, spelled: str, settings: GallerySettings) -> bool:
        found = await self._target(photo_id, spelled, settings)
        version = await self._version(found) if found is not None and found.plan is not None else None
        if version is None:
            return False  # nothing that could be made
        return not await asyncio.to_thread(self.standing.cache.has, self.standing.cache.name(*version.facts))

    async def _target(self, photo_id: object, spelled: str, settings: GallerySettings) -> Target | None:
        wanted = Wanted.parse(spelled)
        photo = await self.catalogue.photo(photo_id) if isinstance(photo_id, int) and photo_id > 0 else None
        if wanted is None or photo is None:
            return None
        return target(photo, wanted, settings, await self.catalogue.format_extension(wanted, photo))

    async def _version(self, found: Target) -> Version | None:
        try:
            return await self.sources.version(found)
        except MissingOriginalError:
            return None


def _encodings(offered: Sequence[str], settings: GallerySettings) -> Mapping[str, list[str]]:
    """Format of a source → encodings in which the daemon also makes its derivatives."""
    quality, animate = settings.derivatives.quality, settings.render.animate
    made = {
        native: [name for name in offered if name in formats and is_reached(quality, native, formats[name])]
        for native, formats in RECODED.items()
    }
    return {native: names for native, names in made.items() if names and not (animate and native == "webp")}


async def _read(request: web.BaseRequest, name: str) -> Asked | None:
    if request.content_length is None or request.content_length > MAX_BODY:
        return None
    try:
        async with asyncio.timeout(READ_SECONDS):
            body = await request.read()
    except (TimeoutError, web.HTTPException):
        return None
    headers = request.headers
    return Asked(name, headers.get(TIME, ""), headers.get(NONCE, ""), headers.get(SIGNATURE, ""), body)


def _question(body: bytes) -> dict[str, Any] | None:
    try:
        question = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return question if isinstance(question, dict) else None


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _numbers(value: object) -> list[int]:
    return [one for one in value if isinstance(one, int) and one > 0][:MAX_PHOTOS] if isinstance(value, list) else []
