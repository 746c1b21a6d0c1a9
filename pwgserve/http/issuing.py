"""Makes signed URLs for askers who may have a picture, and the redirect that leads to one.

How a link is written is in `pwgserve.links`; here is decided for whom it is and how long browsers keep the redirect.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from aiohttp import web

from pwgserve import fingerprints
from pwgserve.answers.sources import Sources
from pwgserve.answers.viewers import Asker, Viewers
from pwgserve.http.refusals import SERVER
from pwgserve.links import PUBLIC, Audience, Link, LinkSigner, bucket_end, expiry
from pwgserve.targets import GallerySettings, Target, is_allowed


@dataclass(frozen=True)
class Issued:
    """A signed URL: its path with the gallery's base, and until when (seconds since 1970) it stays the same."""

    path: str
    same_until: int


class Issuer:
    """Signs URLs. base: path of the gallery with slashes at both ends. ttl: shortest life of a link in seconds."""

    def __init__(
        self, signer: LinkSigner, viewers: Viewers, sources: Sources, base: str, prefix: str, ttl: float
    ) -> None:
        self._signer = signer
        self._viewers = viewers
        self._sources = sources
        self._folder = f"{base}{prefix}/"
        self._ttl = int(ttl)

    async def issue(
        self, asker: Asker, found: Target, settings: GallerySettings, until: int | None = None
    ) -> Issued | None:
        """A link for the asker, None when they may not have it.

        until: when (seconds since 1970) the link by which alone the asker is known ends; theirs ends no later.
        Raises MissingOriginalError and GalleryUnavailableError.
        """
        guest = await self._viewers.guest(settings.conf)
        if not is_allowed(asker.viewer, found, settings, asker.is_trusted_admin):
            return None
        if guest is not None and is_allowed(guest, found, settings):
            audience = PUBLIC
        elif asker.credential is not None:
            audience = Audience(asker.viewer.user_id, asker.credential)
        else:
            return None
        ends = expiry(time.time(), self._ttl)
        if until is not None and not audience.is_public:
            ends = min(ends, until)
        fingerprint = await self.fingerprint(found, settings)
        token = self._signer.sign(Link(found.photo.photo_id, found.wanted, audience, ends, fingerprint))
        return Issued(f"{self._folder}{token}.{found.extension}", bucket_end(ends, self._ttl))

    def repeated(self, name: str) -> Issued:
        """A signed URL that was issued before, by the last part of its path."""
        return Issued(f"{self._folder}{name}", 0)

    async def fingerprint(self, found: Target, settings: GallerySettings) -> str:
        """What a link says of the present version of its target. Raises MissingOriginalError."""
        version = await self._sources.version(found)
        return self._signer.fingerprint(*fingerprints.facts(found, version, settings.derivatives))


def redirect(issued: Issued, download: bool = False, keep: bool = True, vary: str = "Cookie") -> web.Response:
    """Lead a browser to a signed URL. keep: whether it may remember the way until the URL changes.

    vary: the headers of the request that decided where it leads.
    """
    return web.Response(
        status=302,
        headers={
            "Location": issued.path + ("?download" if download else ""),
            "Cache-Control": browsers_keep(issued, keep),
            "Vary": vary,
            "Server": SERVER,
        },
    )


def browsers_keep(issued: Issued, keep: bool) -> str:
    """For how long a browser may remember where a signed URL is, as `Cache-Control` says it."""
    left = max(0, issued.same_until - int(time.time()))
    # A shared cache must never lead one viewer along another's way.
    return f"private, max-age={left}" if keep else "no-store"
