"""Answers the URLs that Piwigo's own pages hold: who may have the picture is sent to its signed URL.

What the URLs mean is in `pwgserve.piwigo.requests`.
"""

from __future__ import annotations

from urllib.parse import urljoin

from aiohttp import web

from pwgserve.catalogue import Catalogue, Found
from pwgserve.http.icons import Icons, is_icon
from pwgserve.http.issuing import SERVER, Issued, Issuer, redirect
from pwgserve.http.refusals import RefusedError
from pwgserve.http.visitor import Proxies, claims
from pwgserve.originals import MissingOriginalError
from pwgserve.piwigo.requests import parse
from pwgserve.piwigo.wanted import Part, Wanted
from pwgserve.sources import Sources
from pwgserve.targets import GallerySettings, Target, changes_nothing, is_allowed, target
from pwgserve.viewers import Asker, Viewers


class Legacy:
    """Piwigo's own URLs. public_url: of the gallery, with a slash at the end."""

    def __init__(
        self,
        catalogue: Catalogue,
        viewers: Viewers,
        sources: Sources,
        issuer: Issuer,
        proxies: Proxies,
        icons: Icons,
        public_url: str,
    ) -> None:
        self._catalogue = catalogue
        self._sources = sources
        self._viewers = viewers
        self._issuer = issuer
        self._proxies = proxies
        self._icons = icons
        self._public_url = public_url

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """The redirect to a signed URL, or an icon. `path` and `query`: below the base, still percent-encoded.

        Raises MalformedRequestError, UnservedRequestError, RefusedError and GalleryUnavailableError.
        """
        settings = await self._catalogue.settings()
        asked = parse(path, query, settings.conf, settings.derivatives)
        if is_icon(asked):
            return await self._icons.answer(request, asked, settings)
        secrets = {"auth_key": asked.auth_key, "pwg_token": asked.pwg_token}
        asker = await self._viewers.who(
            claims(request.headers, request.remote, self._proxies, settings.conf, secrets), settings.conf
        )
        found = await self._catalogue.find(asked)
        issued = await self._issued(asker, found, settings) if asker else None
        if issued is None:
            raise RefusedError("forbidden" if found else "unknown-photo")
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
                    issued = await self._issuer.issue(asker, choice, settings)
                except MissingOriginalError:
                    continue
                if issued is not None:
                    return issued
        return None

    async def _target(self, found: Found, settings: GallerySettings) -> Target | None:
        extension = None
        if found.wanted.format_id is not None:
            extension = await self._catalogue.format_extension(found.wanted.format_id, found.photo)
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
            return await self._sources.tells_more(await self._sources.version(original))
        except MissingOriginalError:
            return True

    def _as_json(self, issued: Issued, keep: bool) -> web.Response:
        """What the theme's lazy thumbnails ask for."""
        response = redirect(issued, keep=keep)
        return web.json_response(
            {"url": urljoin(self._public_url, issued.path)},
            headers={
                "Cache-Control": response.headers["Cache-Control"],
                "Vary": "Cookie",
                "X-Content-Type-Options": "nosniff",
                "Server": SERVER,
            },
        )
