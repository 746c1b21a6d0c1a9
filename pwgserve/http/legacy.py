"""Answers the URLs that Piwigo's own pages hold: who may have the picture is sent to its signed URL.

What the URLs mean is in `pwgserve.piwigo.requests`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from aiohttp import web

from pwgserve.catalogue import Catalogue, Found
from pwgserve.http.icons import Icons, is_icon
from pwgserve.http.issuing import SERVER, Issued, Issuer, redirect
from pwgserve.http.refusals import RefusedError
from pwgserve.http.visitor import Proxies, claims
from pwgserve.originals import MissingOriginalError
from pwgserve.piwigo.history import History
from pwgserve.piwigo.history import line as history_line
from pwgserve.piwigo.requests import ACTION, parse
from pwgserve.piwigo.wanted import Part, Wanted
from pwgserve.sources import Sources
from pwgserve.targets import GallerySettings, Target, changes_nothing, is_allowed, target
from pwgserve.viewers import Asker, Viewers


@dataclass(frozen=True)
class Legacy:
    """Piwigo's own URLs. public_url: of the gallery, with a slash at the end. history: None keeps none."""

    catalogue: Catalogue
    viewers: Viewers
    sources: Sources
    issuer: Issuer
    proxies: Proxies
    icons: Icons
    public_url: str
    history: History | None = None

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """The redirect to a signed URL, or an icon. `path` and `query`: below the base, still percent-encoded.

        Raises MalformedRequestError, UnservedRequestError, RefusedError and GalleryUnavailableError.
        """
        settings = await self.catalogue.settings()
        asked = parse(path, query, settings.conf, settings.derivatives)
        if is_icon(asked):
            return await self.icons.answer(request, asked, settings)
        secrets = {"auth_key": asked.auth_key, "pwg_token": asked.pwg_token}
        claimed = claims(request.headers, request.remote, self.proxies, settings.conf, secrets)
        asker = await self.viewers.who(claimed, settings.conf)
        found = await self.catalogue.find(asked)
        issued = await self._issued(asker, found, settings) if asker else None
        if asker is None or issued is None:
            raise RefusedError("forbidden" if found else "unknown-photo")
        if self.history is not None and path == ACTION and request.method == "GET":
            photo, wanted = found[0].photo, found[0].wanted
            entry = history_line(asker.viewer, claimed.address, photo.photo_id, wanted, settings.conf)
            if entry is not None:
                self.history.note(entry)
        if asked.ajaxload:
            return self._as_json(issued, keep=not asked.uncached)
        return redirect(issued, asked.download, keep=not asked.uncached)

    async def _issued(self, asker: Asker, found: tuple[Found, ...], settings: GallerySettings) -> Issued | None:
        for one in found:
            picture = await self._target(one, settings)
            # Files are looked at only for who may see them: a no must not take longer for a photo that exists.
            if picture is None or not is_allowed(asker.viewer, picture, settings, asker.is_trusted_admin):
                continue
            for choice in await self._choices(picture, settings):
                try:
                    issued = await self.issuer.issue(asker, choice, settings)
                except MissingOriginalError:
                    continue
                if issued is not None:
                    return issued
        return None

    async def _target(self, found: Found, settings: GallerySettings) -> Target | None:
        extension = None
        if found.wanted.format_id is not None:
            extension = await self.catalogue.format_extension(found.wanted.format_id, found.photo)
        return target(found.photo, found.wanted, settings, extension)

    async def _choices(self, picture: Target, settings: GallerySettings) -> list[Target]:
        """What would answer, the best first: a derivative like its original is the original, if that is permitted."""
        original = target(picture.photo, Wanted(Part.ELEMENT), settings) if changes_nothing(picture) else None
        if original is None or (settings.render.strip_gps and await self._tells_more(original)):
            return [picture]
        return [original, picture]

    async def _tells_more(self, original: Target) -> bool:
        """Whether the original itself would tell where it was taken, or by whose camera."""
        try:
            return await self.sources.tells_more(await self.sources.version(original))
        except MissingOriginalError:
            return True

    def _as_json(self, issued: Issued, keep: bool) -> web.Response:
        """What the theme's lazy thumbnails ask for."""
        response = redirect(issued, keep=keep)
        return web.json_response(
            {"url": urljoin(self.public_url, issued.path)},
            headers={
                "Cache-Control": response.headers["Cache-Control"],
                "Vary": "Cookie",
                "X-Content-Type-Options": "nosniff",
                "Server": SERVER,
            },
        )
