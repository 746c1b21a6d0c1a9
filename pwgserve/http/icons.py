"""The icons of themes and plugins that stand for films and documents without a representative.

They are public files of the web server; Piwigo's pages ask for their sizes with the same addresses as for photos.
Nothing here belongs to a photo: whoever may enter the gallery may have them, and nothing is signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from pwgserve.answers.sources import Sources
from pwgserve.answers.viewers import Asker
from pwgserve.finished import Derivatives
from pwgserve.http.media import headers_of
from pwgserve.http.ranges import Validators
from pwgserve.http.refusals import OF_ONE_SITE, SERVER, RefusedError
from pwgserve.http.sending import Sender, of_cache
from pwgserve.links import LinkSigner
from pwgserve.piwigo.permissions import Photo, may_enter
from pwgserve.piwigo.requests import PictureRequest
from pwgserve.render.turns import Client
from pwgserve.targets import GallerySettings, target

FOLDERS = ("themes", "plugins")
MAX_AGE = 86_400


def is_icon(asked: PictureRequest) -> bool:
    """Whether a request is for a size of an icon rather than of a photo."""
    return asked.wanted.code is not None and (asked.path or "").startswith(tuple(f"{name}/" for name in FOLDERS))


@dataclass(frozen=True)
class Icons:
    """Serves icons. `sources` and `derivatives` are of the folders FOLDERS, not of the originals."""

    sources: Sources
    derivatives: Derivatives
    signer: LinkSigner
    sender: Sender
    public_url: str

    async def answer(
        self, request: web.BaseRequest, asked: PictureRequest, asker: Asker, settings: GallerySettings
    ) -> web.StreamResponse:
        """The icon in its size, or its address as JSON. Raises RefusedError and MissingOriginalError."""
        path = asked.path or ""
        found = target(_as_photo(path), asked.wanted, settings)
        if found is None:
            raise RefusedError("unknown-address")
        if not may_enter(asker.viewer, settings.rules):
            raise RefusedError("forbidden")
        version = await self.sources.version(found)
        if asked.ajaxload:
            stem, _, extension = path.rpartition(".")
            url = f"{self.public_url}i.php?/{quote(stem)}-{asked.wanted.spelled()}.{quote(extension)}"
            headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": SERVER}
            return web.json_response({"url": url}, headers={**headers, **OF_ONE_SITE})
        finished = await self.derivatives.get(found, version, Client("icons"))
        headers = headers_of(found.extension, found.file_name, download=False) | {
            "Cache-Control": f"private, max-age={MAX_AGE}",
            "X-Pwgserve": "render" if finished.was_rendered else "hit",
            "Server": SERVER,
            **OF_ONE_SITE,
        }
        validators = Validators(f'"{self.signer.fingerprint(*version.facts)}"', version.modified)
        with of_cache(finished, self.derivatives.path(finished.name)) as file:
            return await self.sender.send(request, file, headers, validators)


def _as_photo(path: str) -> Photo:
    """An icon as the row that it has not: upright, in no album, so that no rule ever lets it out as a photo."""
    return Photo(
        photo_id=0,
        path=path,
        file=path.rpartition("/")[2],
        level=0,
        width=None,
        height=None,
        rotation=0,
        coi=None,
        representative_ext=None,
        albums=(),
    )
