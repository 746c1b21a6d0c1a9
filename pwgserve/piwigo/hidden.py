"""Photos that guests may not see, and photos that they may, without looking at a whole gallery. SQL, like `gallery`.

For `check`. Which of the candidates really are hidden or public is decided by `permissions`, as for any request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select

from pwgserve.piwigo.gallery import Format, Gallery, as_text
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import Photo, Viewer

_FIRST = re.compile(r"(?:\./+)?(?!\./)[^/]+/")


async def largest_id(gallery: Gallery) -> int:
    """The largest id of a photo, 0 in an empty gallery. Raises GalleryUnavailableError."""
    rows = await gallery.rows(select(func.max(gallery.schema.images.c.id).label("largest")))
    return int(rows[0].largest or 0)


async def candidates(
    gallery: Gallery, from_id: int, limit: int, hidden: bool, level: int, below: str = ""
) -> tuple[Photo, ...]:
    """Photos from an id on that are probably hidden from guests (or not), in the order of their ids.

    level: of guests. below: how their paths begin. Raises GalleryUnavailableError.
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
    if below:
        query = query.where(images.path.startswith(below, autoescape=True))
    found = await gallery.rows(query)
    return await gallery.photos_of([int(row.id) for row in found]) if found else ()


async def folders(gallery: Gallery, known: Sequence[str], limit: int) -> list[str]:
    """How the paths of photos begin that lie elsewhere than in the known folders, such as "./archive/".

    One for each first part of a path, at most `limit` of them. Raises GalleryUnavailableError.
    """
    path = gallery.schema.images.c.path
    found: list[str] = []
    while len(found) < limit:
        elsewhere = (~path.startswith(folder, autoescape=True) for folder in (*known, *found))
        rows = await gallery.rows(select(path).where(*elsewhere).limit(1))
        if not rows:
            break
        start = _FIRST.match(as_text(rows[0].path))
        found.append(start[0] if start else as_text(rows[0].path))
    return found


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
