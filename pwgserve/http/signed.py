"""Serves signed URLs: the signature, then the audience, then the permission as it is now, and only then the picture.

What a link says is in `pwgserve.links`; how bytes leave is in `sending`.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from pwgserve import fingerprints
from pwgserve.answers.catalogue import Catalogue
from pwgserve.answers.freshness import AGE_FOR_PROXIES, LONGEST_DECISION, in_time
from pwgserve.answers.sources import Sources
from pwgserve.answers.viewers import ADMIN_TOKEN, Asker, Viewers
from pwgserve.finished import Derivatives
from pwgserve.http.issuing import Issuer, redirect
from pwgserve.http.media import headers_of
from pwgserve.http.mirror import mirrored
from pwgserve.http.ranges import Validators
from pwgserve.http.refusals import OF_ONE_SITE, SERVER, RefusedError
from pwgserve.http.repeats import Repeats
from pwgserve.http.sending import PROXY_KEEPS, OpenFile, Sender, of_cache
from pwgserve.http.visitor import Proxies, claims, client_of
from pwgserve.links import Link, LinkSigner, claims_to_be_expired
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.targets import GallerySettings, Target, is_allowed, target
from pwgserve.versions import Version

DOWNLOAD = "download"
"""The one query that a signed address may have."""


@dataclass(frozen=True)
class Permitted:
    """What may be sent of a photo. asked_at: the loop's time before the first question of this decision."""

    found: Target
    version: Version
    settings: GallerySettings
    asked_at: float


@dataclass(frozen=True)
class Signed:
    """The signed URLs of one gallery. `bind_session`: a link for one user works only with that user's cookies."""

    catalogue: Catalogue
    viewers: Viewers
    signer: LinkSigner
    issuer: Issuer
    sources: Sources
    derivatives: Derivatives
    sender: Sender
    proxies: Proxies
    repeats: Repeats
    bind_session: bool

    async def answer(self, request: web.BaseRequest, name: str, query: str) -> web.StreamResponse:
        """The picture behind a signed URL; `name` is `TOKEN.EXTENSION`, the last part of its path.

        Raises RefusedError, GalleryUnavailableError and what making a derivative raises.
        """
        decided = asyncio.get_running_loop().time()
        name, _, appended = name.partition("&")
        token, _, extension = name.rpartition(".")
        link = self.signer.verify(token)
        if link is None:
            if (seen := mirrored(request, token, self.signer, self.proxies)) is not None:
                return seen
            raise RefusedError("outdated" if claims_to_be_expired(token, time.time()) else "forged")
        download = DOWNLOAD in [option.partition("=")[0] for option in f"{query}&{appended}".split("&")]
        issued = self.issuer.repeated(f"{token}.{extension}")
        is_usual = request.raw_path in (issued.path, f"{issued.path}?{DOWNLOAD}")
        is_odd = not is_usual and extension.isalnum() and extension.isascii()
        if is_odd and not link.is_expired(time.time()) and await self._may_still(request, link):
            # Programs append i.php's options (`&b=…`) to whatever address a page holds. One picture has one address,
            # or else caches could be filled with copies of it.
            return redirect(issued, download, keep=False)
        try:
            response = await self._answered(request, link, extension, download)
        except BaseException:
            self.repeats.forget(request)
            raise
        self.repeats.keep(request, link, response, decided)
        return response

    async def _answered(
        self, request: web.BaseRequest, link: Link, extension: str, download: bool
    ) -> web.StreamResponse:
        decision = await in_time(lambda: self._decided(request, link, extension, download))
        if isinstance(decision, web.StreamResponse):
            return decision
        return await self._picture(request, link, decision, download)

    async def _decided(
        self, request: web.BaseRequest, link: Link, extension: str, download: bool
    ) -> Permitted | web.StreamResponse:
        """What may be sent, or the redirect to the link that it has now. Raises RefusedError."""
        asked_at = asyncio.get_running_loop().time()
        settings = await self.catalogue.settings()
        found = await self._target(link, settings)
        if found is None and link.wanted.custom is not None:
            settings = await self.catalogue.settings_anew()
            found = await self._target(link, settings)
        is_expired = link.is_expired(time.time())
        sender, holder = await self._sender_and_holder(request, link, settings.conf, is_expired)
        if holder is None or found is None or found.extension != extension:
            raise RefusedError("expired" if is_expired else "audience" if holder is None else "missing")
        if not is_allowed(holder.viewer, found, settings, holder.is_trusted_admin):
            # What was public when the link was made may be for this very visitor now; browsers keep old redirects.
            visitor = await self._sender(request, settings.conf) if link.audience.is_public else None
            if visitor is None or not is_allowed(visitor.viewer, found, settings):
                raise RefusedError("withdrawn")
            return await self._fresh(visitor, found, settings, download)
        version = await self.sources.version(found)
        fingerprint = self.signer.fingerprint(*fingerprints.facts(found, version, settings.derivatives))
        if is_expired or not hmac.compare_digest(fingerprint, link.fingerprint):
            # Whoever has nothing but the link must not get one that lives longer.
            until = None if sender is not None and sender.viewer.user_id == holder.viewer.user_id else link.expiry
            return await self._fresh(holder, found, settings, download, until)
        return Permitted(found, version, settings, asked_at)

    async def _target(self, link: Link, settings: GallerySettings) -> Target | None:
        photo = await self.catalogue.photo(link.photo_id)
        if photo is None:
            return None
        extension = await self.catalogue.format_extension(link.wanted, photo)
        return target(photo, link.wanted, settings, extension)

    async def _may_still(self, request: web.BaseRequest, link: Link) -> bool:
        """Whether the link would show its picture, or lead to it, if it was asked for now."""
        settings = await self.catalogue.settings()
        found = await self._target(link, settings)
        _, holder = await self._sender_and_holder(request, link, settings.conf, link.is_expired(time.time()))
        return (
            found is not None
            and holder is not None
            and is_allowed(holder.viewer, found, settings, holder.is_trusted_admin)
        )

    async def _sender_and_holder(
        self, request: web.BaseRequest, link: Link, conf: PiwigoConf, is_expired: bool
    ) -> tuple[Asker | None, Asker | None]:
        """Who sends the request, as far as that counts for the link, and in whose name the link is used."""
        sender = None if link.audience.is_public and not is_expired else await self._sender(request, conf)
        return sender, await self._holder(sender, link, conf, is_expired)

    async def _holder(self, sender: Asker | None, link: Link, conf: PiwigoConf, is_expired: bool) -> Asker | None:
        """In whose name a link is used, None when in nobody's (any more). sender: who sends the request, if logged in.

        ====================  ====================================================================================
        a public link         the guest's, whoever sends it; after its time its sender's
        a user's link         the user's, while the session or other credential that it was made with is theirs; it
                              is asked for if another one sends it, which `bind_session` forbids
        after its time        the user's, if they send it themselves
        by an admin's token   the user's, by that token's session alone: other cookies of theirs give less
        ====================  ====================================================================================
        """
        audience = link.audience
        if audience.is_public and not is_expired:
            guest = await self.viewers.guest(conf)
            return Asker(guest) if guest else None
        is_own = sender is not None and audience.user_id in (None, sender.viewer.user_id)
        if not is_own and (is_expired or self.bind_session):
            return None
        needs_own_credential = audience.credential is not None and audience.credential.kind == ADMIN_TOKEN
        return sender if is_own and not needs_own_credential else await self._held(link, conf)

    async def _sender(self, request: web.BaseRequest, conf: PiwigoConf) -> Asker | None:
        """Who sends the request, None when nobody is logged in."""
        asker = await self.viewers.who(claims(request.headers, request.remote, self.proxies, conf), conf)
        return asker if asker is not None and asker.credential is not None else None

    async def _held(self, link: Link, conf: PiwigoConf) -> Asker | None:
        audience = link.audience
        if audience.user_id is None or audience.credential is None:
            return None
        return await self.viewers.holder(audience.user_id, audience.credential, conf)

    async def _fresh(
        self, asker: Asker, found: Target, settings: GallerySettings, download: bool, until: int | None = None
    ) -> web.StreamResponse:
        """The way to a picture that was edited since its link was made, or to one's own picture after its time.

        until: as for `Issuer.issue`.
        """
        issued = await self.issuer.issue(asker, found, settings, until)
        if issued is None:
            raise RefusedError("forbidden")
        return redirect(issued, download, keep=False)

    async def _picture(
        self, request: web.BaseRequest, link: Link, permitted: Permitted, download: bool
    ) -> web.StreamResponse:
        found, version, asked_at = permitted.found, permitted.version, permitted.asked_at
        clock = asyncio.get_running_loop().time
        outcome, opened = await self._opened(request, link, permitted)
        with opened as file:
            # Rendering takes its time, and so does a disk that was asleep: it may be another picture by now.
            if outcome == "render" or clock() - asked_at > LONGEST_DECISION:
                now = await in_time(lambda: self._decided(request, link, found.extension, download))
                if isinstance(now, web.StreamResponse):
                    return now
                if now.version != version:
                    return await self._picture(request, link, now, download)
                asked_at = now.asked_at
            headers = headers_of(found.extension, found.file_name, download) | {
                "Cache-Control": _cache_control(link),
                "X-Pwgserve": outcome,
                "Server": SERVER,
            }
            if link.audience.is_public:
                # Until the end of this second, if nginx in front is told to keep pictures at all. Without this it would
                # keep them for as long as browsers may, and permission would not be asked.
                is_new = clock() - asked_at <= AGE_FOR_PROXIES
                headers[PROXY_KEEPS] = f"@{int(time.time())}" if is_new else "0"
            else:
                headers |= OF_ONE_SITE
            return await self.sender.send(request, file, headers, Validators(f'"{link.fingerprint}"', version.modified))

    async def _opened(self, request: web.BaseRequest, link: Link, permitted: Permitted) -> tuple[str, OpenFile]:
        """The file that may be sent, and how it came about, in the words of `X-Pwgserve`."""
        found, version = permitted.found, permitted.version
        if found.plan is None:
            source = await self.sources.in_turn(found.path, partial(self.sources.open, version))
            facts = source.facts
            return "original", OpenFile(
                source.descriptor,
                facts.size,
                source.real_path,
                f"originals/{facts.path}",
                mtime=facts.mtime,
                in_turn=partial(self.sources.in_turn, found.path),
                close=partial(self.sources.close, found.path),
            )
        finished = self.derivatives.at_hand(version)
        if finished is None:
            client = client_of(request.headers, request.remote, self.proxies, link.audience.user_id)
            finished = await self.derivatives.get(found, version, client, permitted.settings)
        outcome = "render" if finished.was_rendered else "hit"
        return outcome, of_cache(finished, self.derivatives.path(finished.name))


def _cache_control(link: Link) -> str:
    left = max(0, link.expiry - int(time.time()))
    return f"{'public' if link.audience.is_public else 'private'}, max-age={left}, immutable"
