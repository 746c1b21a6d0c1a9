"""Photos that guests may not see, and photos that they may, without looking at a whole gallery. SQL, like `gallery`.

For `check`. Which of the candidates really are hidden or public is decided by `permissions`, as for any request.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select

from pwgserve.piwigo.gallery import Format, Gallery
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import Photo, Viewer


async def largest_id(gallery: Gallery) -> int:
    """The largest id of a photo, 0 in an empty gallery. Raises GalleryUnavailableError."""
    rows = await gallery.rows(select(func.max(gallery.schema.images.c.id).label("largest")))
    return int(rows[0].largest or 0)


async def candidates(gallery: Gallery, from_id: int, limit: int, hidden: bool, level: int) -> tuple[Photo, ...]:
    """Photos from an id on that are probably hidden from guests (or not), in the order of their ids.

    level: of guests. Raises GalleryUnavailableError.
    """
    images, links, albums = gallery.schema.images.c, gallery.schema.image_category.c, gallery.schema.categories.c
    open_albums = (
        select(links.image_id)
        .join(gallery.schema.categories, albums.id == links.category_id)
        .where(links.image_id == images.id, albums.status == "public", albums.visible == "true")
    )
    is_public: ColumnElement[bool] = open_albums.exists() & (images.level <= level)
    query = (
        select(images.id)
        .where(images.id >= from_id, ~is_public if hidden else is_public)
        .order_by(images.id)
        .limit(limit)
    )
    found = await gallery.rows(query)
    return await gallery.photos_of([int(row.id) for row in found]) if found else ()


async def formats_of(gallery: Gallery, photo_id: int) -> tuple[Format, ...]:
    """A photo's other formats. Raises GalleryUnavailableError."""
    formats = gallery.schema.image_format.c
    rows = await gallery.rows(select(formats.format_id, formats.ext).where(formats.image_id == photo_id))
    return tuple(Format(int(row.format_id), photo_id, str(row.ext)) for row in rows)


async def some_viewers(gallery: Gallery, limit: int) -> Sequence[Viewer]:
    """The first users of a gallery. Raises GalleryUnavailableError."""
    infos = gallery.schema.user_infos.c
    rows = await gallery.rows(select(infos.user_id).order_by(infos.user_id).limit(limit))
    return list((await People(gallery).viewers([int(row.user_id) for row in rows])).values())
