"""What the gallery holds and how it is set up, as it is now: the daemon's view of Piwigo, at most MAX_AGE old.

Combines the owner's configuration file with table `config`, and finds the photo that a request names. Who may see it
is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from pwgserve.answers.freshness import Fresh, fresh
from pwgserve.answers.owner_file import OwnerFile
from pwgserve.answers.together import Questions, Together
from pwgserve.piwigo.conf import SETTING_NAMES, ConfError, from_words
from pwgserve.piwigo.derivatives import DerivativeSettings, DerivativeSettingsError, from_config
from pwgserve.piwigo.gallery import Format, Gallery, GalleryConfigurationError, GalleryUnavailableError
from pwgserve.piwigo.permissions import GalleryRules, Photo
from pwgserve.piwigo.requests import PictureRequest
from pwgserve.piwigo.wanted import Part, Wanted
from pwgserve.render.plan import RenderRules
from pwgserve.targets import GallerySettings

KEPT = 50_000
"""How many photos are remembered, each for `freshness.MAX_AGE`."""

ANEW_PAUSE = 0.1
"""Seconds between two looks at the settings that somebody needs newer than they are: anybody may ask for odd sizes."""

_DERIVATIVES = "derivatives"
_log = structlog.get_logger("catalogue")


@dataclass(frozen=True)
class Found:
    """A photo of the gallery and what of it a request wants; `format_extension`: of its other format, if that is it."""

    photo: Photo
    wanted: Wanted
    format_extension: str | None = None


class Catalogue:
    """Answers about one gallery. One per process; safe to use from many tasks.

    lockdown: nobody gets anything who has not logged in. render: the daemon's own rules for derivatives.
    """

    def __init__(
        self, gallery: Gallery, owner_file: OwnerFile, lockdown: bool, render: RenderRules, questions: Questions
    ) -> None:
        self._gallery = gallery
        self._owner_file = owner_file
        self._lockdown = lockdown
        self._render = render
        self._settings = Fresh(self._ask_settings, 1)
        self._anew = questions.add(Together(self._ask_anew, None, ANEW_PAUSE))
        self._photos: Fresh[int, Photo | None] = fresh(questions, gallery.photos, None, KEPT)
        self._at: Fresh[str, Sequence[Photo]] = fresh(questions, gallery.photos_at, (), KEPT)
        self._beside: Fresh[str, Sequence[Photo]] = fresh(questions, gallery.photos_beside, (), KEPT)
        self._formats: Fresh[int, Format | None] = fresh(questions, gallery.formats, None, KEPT)
        self._formats_beside: Fresh[str, Sequence[Format]] = fresh(questions, gallery.formats_beside, (), KEPT)
        self._parsed: tuple[str | None, DerivativeSettings] | None = None

    async def settings(self) -> GallerySettings:
        """How the gallery is set up. Raises GalleryUnavailableError, also when its settings cannot be understood."""
        return await self._settings.get(None)

    async def settings_anew(self) -> GallerySettings:
        """The same, asked for after this call: Piwigo lists a custom size while it writes the first page with it.

        Raises GalleryUnavailableError.
        """
        asked_at = asyncio.get_running_loop().time()
        found = await self._anew.get(None)
        if found is None:
            raise GalleryUnavailableError("its settings were not told")
        self._settings.note(None, asked_at, found)
        return found

    async def photo(self, photo_id: int) -> Photo | None:
        """The photo with this id. Raises GalleryUnavailableError."""
        return await self._photos.get(photo_id)

    async def format_extension(self, wanted: Wanted, photo: Photo | None) -> str | None:
        """The extension of a photo's other format that is wanted, None when it has no such format."""
        if wanted.format_id is None:
            return None
        found = await self._formats.get(wanted.format_id)
        return found.extension if found and photo and found.photo_id == photo.photo_id else None

    async def find(self, request: PictureRequest) -> tuple[Found, ...]:
        """The photos that a request may mean: none or one in a sound gallery. Raises GalleryUnavailableError.

        Asks the database the same number of questions whether there is such a photo or not.
        """
        wanted = request.wanted
        if request.path is not None and request.extension is not None:
            return await self._find_beside(f"./{request.path}", request.extension, wanted)
        if request.path is not None:
            return tuple(Found(photo, wanted) for photo in await self._at.get(f"./{request.path}"))
        if wanted.format_id is not None:
            # A format that does not exist has a photo of its own that does not: both cost two questions.
            of_format = await self._formats.get(wanted.format_id)
            photo = await self._photos.get(of_format.photo_id if of_format else -wanted.format_id)
        else:
            photo = await self._photos.get(request.photo_id or 0)
        extension = await self.format_extension(wanted, photo)
        return (Found(photo, wanted, extension),) if photo else ()

    def will_be_asked(self, found: Found) -> None:
        """Who was given a link to what was found at its path asks for it by its id in a moment: it is known already.

        Only for those who may see it. Nobody else may learn from the time that an answer takes what was found.
        """
        kept = self._at.kept(found.photo.path)
        if kept is not None and found.photo in kept[1]:
            self._photos.note(found.photo.photo_id, kept[0], found.photo)

    async def _find_beside(self, stem: str, extension: str, wanted: Wanted) -> tuple[Found, ...]:
        """The photos whose representative, or other format, has this extension."""
        photos = await self._beside.get(stem)
        if wanted.part is Part.REPRESENTATIVE:
            return tuple(Found(photo, wanted) for photo in photos if photo.representative_ext == extension)
        by_id = {photo.photo_id: photo for photo in photos}
        return tuple(
            Found(by_id[other.photo_id], Wanted(Part.FORMAT, format_id=other.format_id), extension)
            for other in await self._formats_beside.get(stem)
            if other.extension == extension and other.photo_id in by_id
        )

    async def _ask_anew(self, keys: Sequence[None]) -> Mapping[None, GallerySettings | None]:
        return {key: await self._ask_settings(key) for key in keys}

    async def _ask_settings(self, _key: None) -> GallerySettings:
        try:
            conf = await asyncio.to_thread(self._owner_file.conf)
            rows = await self._gallery.config(sorted(SETTING_NAMES | {_DERIVATIVES}))
            serialized = rows.pop(_DERIVATIVES, None)
            conf = conf.updated(from_words(rows))
            derivatives = self._derivatives(serialized)
        except (GalleryConfigurationError, ConfError, DerivativeSettingsError) as error:
            # On settings that nobody understands nothing may be served; the owner learns why, visitors do not.
            _log.error("gallery-settings", problem=str(error))
            raise GalleryUnavailableError(str(error)) from error
        rules = GalleryRules(
            guest_access=conf.guest_access and not self._lockdown,
            gallery_locked=conf.gallery_locked,
        )
        render = replace(self._render, keep_metadata_from=conf.derivatives_strip_metadata_threshold)
        return GallerySettings(conf, derivatives, rules, render)

    def _derivatives(self, serialized: str | None) -> DerivativeSettings:
        if self._parsed is None or self._parsed[0] != serialized:
            self._parsed = (serialized, from_config(serialized.encode() if serialized else None))
        return self._parsed[1]
