"""Who may see a photo: Piwigo's rules as functions of rows. Read this file first if you audit pwgserve.

Pure. The rows come from `gallery` (photos) and `people` (viewers); who is asking is in `identity`.
Rules: docs/compatibility.md, "Permissions". Whatever is unknown is a no.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pwgserve.piwigo.sizing import Size, turned

NOBODYS = 2**31
"""The level of a photo whose row says none: above that of every viewer."""


class Status(StrEnum):
    """A user's standing in the gallery (`user_infos.status`)."""

    WEBMASTER = "webmaster"
    ADMIN = "admin"
    NORMAL = "normal"
    GENERIC = "generic"
    GUEST = "guest"

    @property
    def is_admin(self) -> bool:
        """Admins see locked albums; private ones only with access, like anybody."""
        return self in (Status.ADMIN, Status.WEBMASTER)


@dataclass(frozen=True)
class Viewer:
    """A user as far as permissions go. `albums`: ids of the private albums open to them or to one of their groups."""

    user_id: int
    status: Status
    level: int
    enabled_high: bool
    albums: frozenset[int]


@dataclass(frozen=True)
class Album:
    """An album that a photo is in (a row of `categories`)."""

    album_id: int
    private: bool
    visible: bool


@dataclass(frozen=True)
class Photo:
    """A row of `images` with its albums.

    path: below Piwigo's root, as stored (`./upload/…`). file: the name that the owner gave. width, height: pixels
    before rotation, None when unknown. rotation: quarter turns counter-clockwise, None when Piwigo has not looked yet.
    """

    photo_id: int
    path: str
    file: str
    level: int
    width: int | None
    height: int | None
    rotation: int | None
    coi: str | None
    representative_ext: str | None
    albums: tuple[Album, ...]

    @property
    def extension(self) -> str:
        """The path's extension in lower case, without the dot."""
        return self.path.rpartition(".")[2].lower()

    @property
    def size(self) -> Size | None:
        """Width and height upright, in pixels, or None when Piwigo does not know them."""
        if not self.width or not self.height:
            return None
        return turned((self.width, self.height), self.rotation)


@dataclass(frozen=True)
class GalleryRules:
    """The settings of a gallery that permissions depend on."""

    guest_access: bool = True
    gallery_locked: bool = False


def is_album_forbidden(viewer: Viewer, album: Album) -> bool:
    """Only the album's own row counts: nothing is inherited from the albums above it."""
    if album.private and album.album_id not in viewer.albums:
        return True
    return not album.visible and not viewer.status.is_admin


def may_enter(viewer: Viewer, rules: GalleryRules) -> bool:
    """Whether the gallery answers this viewer at all."""
    if rules.gallery_locked and not viewer.status.is_admin:
        return False
    return rules.guest_access or viewer.status is not Status.GUEST


def may_see(viewer: Viewer, photo: Photo, rules: GalleryRules) -> bool:
    """Whether the viewer may see derivatives, representatives and formats of the photo, and videos and documents."""
    # No early return: a photo that is forbidden costs the same time as one that has no albums at all.
    entered = may_enter(viewer, rules)
    cleared = photo.level <= viewer.level
    open_albums = [album for album in photo.albums if not is_album_forbidden(viewer, album)]
    return entered and cleared and bool(open_albums)


def may_have_original(
    viewer: Viewer,
    photo: Photo,
    rules: GalleryRules,
    is_picture: bool,
    xxlarge_is_original: bool,
) -> bool:
    """Whether the viewer may have the file that was uploaded.

    is_picture: whether its extension is one of the gallery's picture extensions; others need visibility alone.
    xxlarge_is_original: whether the gallery shows the very file as its xxlarge size
    (`DerivativeSettings.shows_original`): then visibility alone is enough.
    """
    visible = may_see(viewer, photo, rules)
    return visible and (viewer.enabled_high or not is_picture or xxlarge_is_original)
