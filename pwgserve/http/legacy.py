"""Answers the URLs that Piwigo's own pages hold: who may have the picture is sent to its signed URL.

What the URLs mean is in `pwgserve.piwigo.requests`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

from aiohttp import web

from pwgserve.answers.catalogue import Catalogue, Found
from pwgserve.answers.sources import ChangedError, Sources
from pwgserve.answers.viewers import Asker, Claims, Viewers
from pwgserve.http.icons import Icons, is_icon
from pwgserve.http.issuing import Issued, Issuer, browsers_keep, redirect
from pwgserve.http.own_server import Ahead, OwnAddresses
from pwgserve.http.refusals import OF_ONE_SITE, SERVER, RefusedError
from pwgserve.http.visitor import FORWARDED_FOR, Proxies, claims
from pwgserve.originals import MissingOriginalError
from pwgserve.piwigo.history import History
from pwgserve.piwigo.history import line as history_line
from pwgserve.piwigo.permissions import NOBODYS, Album, Photo
from pwgserve.piwigo.requests import ACTION, PictureRequest, UnlistedSizeError, parse
from pwgserve.piwigo.wanted import Part, Wanted
from pwgserve.targets import GallerySettings, Target, changes_nothing, is_allowed, recoded, target

VARY = "Cookie, Accept"
"""What decides where one address leads: who asks, and which encodings their browser shows."""

NOBODYS_PHOTO = 0
"""The id that no photo has."""


@dataclass(frozen=True)
class Legacy:
    """Piwigo's own URLs. public_url: of the gallery, with a slash at the end. history: None keeps none.

    encodings: what derivatives are sent as to browsers that show it, the best first.
    """

    catalogue: Catalogue
    viewers: Viewers
    sources: Sources
    issuer: Issuer
    proxies: Proxies
    icons: Icons
    public_url: str
    own_addresses: OwnAddresses
    ahead: Ahead
    history: History | None = None
    encodings: Sequence[str] = ()

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """The redirect to a signed URL, or an icon. `path` and `query`: below the base, still percent-encoded.

        Raises MalformedRequestError, UnservedRequestError, RefusedError and GalleryUnavailableError.
        """
        settings = await self.catalogue.settings()
        try:
            asked = parse(path, query, settings.conf, settings.derivatives)
        except UnlistedSizeError:
            settings = await self.catalogue.settings_anew()
            asked = parse(path, query, settings.conf, settings.derivatives)
        told = (request.headers, request.remote, self.proxies, settings.conf)
        claimed = claims(*told, auth_key=asked.auth_key, pwg_token=asked.pwg_token)
        asker = await self.viewers.who(claimed, settings.conf)
        found = await self.catalogue.find(asked)
        # An owner's photos may lie below the folders of icons: a photo is none, wherever it lies.
        if asker is not None and not found and is_icon(asked):
            return await self.icons.answer(request, asked, asker, settings)
        accept = request.headers.getall("Accept", ())
        issued = await self._issued(asker, found or (_of_nobody(asked),), settings, accept) if asker else None
        if asker is None or issued is None:
            if self._is_of_own_server(request):
                self._make_ahead(found, settings)
                raise RefusedError("own-server")
            raise RefusedError(_reason(claimed, asker, found))
        if self.history is not None and path == ACTION and request.method == "GET":
            photo, wanted = found[0].photo, found[0].wanted
            entry = history_line(asker.viewer, claimed.address, photo.photo_id, wanted, settings.conf)
            if entry is not None:
                self.history.note(entry)
        if asked.ajaxload:
            return _as_json(urljoin(self.public_url, issued.path), browsers_keep(issued, not asked.uncached))
        return redirect(issued, asked.download, keep=not asked.uncached, vary=VARY)

    def _is_of_own_server(self, request: web.BaseRequest) -> bool:
        visitor = self.proxies.visitor(request.remote, request.headers.getall(FORWARDED_FOR, ()))
        return self.own_addresses.has(visitor, request.headers)

    def _make_ahead(self, found: tuple[Found, ...], settings: GallerySettings) -> None:
        """Have what Piwigo asks for after an upload made soon, for whoever may see it."""
        for one in found[:1]:
            self.ahead.ask(target(one.photo, one.wanted, settings, one.format_extension), settings)

    async def _issued(
        self, asker: Asker, found: tuple[Found, ...], settings: GallerySettings, accept: Sequence[str]
    ) -> Issued | None:
        for one in found:
            picture = target(one.photo, one.wanted, settings, one.format_extension)
            # Files are looked at only for who may see them: a no must not take longer for a photo that exists.
            if picture is None or not is_allowed(asker.viewer, picture, settings, asker.is_trusted_admin):
                continue
            if one.photo.photo_id == NOBODYS_PHOTO:
                continue
            for choice in await self._choices(picture, settings):
                choice = recoded(choice, self.encodings, accept, settings)
                try:
                    issued = await self.issuer.issue(asker, choice, settings)
                except MissingOriginalError:
                    continue
                if issued is not None:
                    self.catalogue.will_be_asked(one)
                    return issued
        return None

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
        except (MissingOriginalError, ChangedError):
            return True


def _reason(claimed: Claims, asker: Asker | None, found: tuple[Found, ...]) -> str:
    """Why a request is refused, for those who watch for attacks."""
    if not found:
        return "unknown-photo"
    was_logged_in = claimed.session_id or claimed.remember_me
    return "logged-out" if was_logged_in and (asker is None or asker.credential is None) else "forbidden"


def _of_nobody(asked: PictureRequest) -> Found:
    """What is judged where there is no photo: a no takes as much work, or else who asks often enough could tell."""
    path = f"./{asked.path or 'upload/0000/00/00/00000000000000-00000000.jpg'}"
    album = Album(0, private=True, visible=False)
    photo = Photo(NOBODYS_PHOTO, path, path, NOBODYS, None, None, 0, None, asked.extension, (album,))
    return Found(photo, asked.wanted, asked.extension or "raw")


def _as_json(url: str, cache_control: str) -> web.Response:
    """What the theme's lazy thumbnails ask for."""
    return web.json_response(
        {"url": url},
        headers={
            "Cache-Control": cache_control,
            "Vary": VARY,
            **OF_ONE_SITE,
            "X-Content-Type-Options": "nosniff",
            "Server": SERVER,
        },
    )
