"""Photos that guests may not see, and photos that they may, without looking at a whole gallery. SQL, like `gallery`.

For `check`. Which of the candidates really are hidden or public is decided by `permissions`, as for any request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pwgserve.piwigo.gallery import Format, Gallery, as_text
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import Photo, Viewer

_FIRST = re.compile(r"(?:\./+)?(?!\./)[^/]+/")

_LARGEST = "SELECT MAX(id) FROM {images}"
_CANDIDATES = "SELECT images.id FROM {images} AS images WHERE images.id >= %s AND"
_IS_PUBLIC = """
(images.level <= %s AND EXISTS (
    SELECT 1 FROM {image_category} AS links JOIN {categories} AS albums ON albums.id = links.category_id
    WHERE links.image_id = images.id AND albums.status = 'public' AND albums.visible = 'true'
))
"""
# In brackets: a server may be told to read a NOT before it as that of the path alone (HIGH_NOT_PRECEDENCE).
_BEGINS = "(images.path LIKE %s ESCAPE '!')"
_ELSEWHERE = "SELECT images.path FROM {images} AS images"
_FORMATS_OF = "SELECT format_id, ext FROM {image_format} WHERE image_id = %s"
_SOME_USERS = "SELECT user_id FROM {user_infos} ORDER BY user_id LIMIT %s"


async def largest_id(gallery: Gallery) -> int:
    """The largest id of a photo, 0 in an empty gallery. Raises GalleryUnavailableError."""
    rows = await gallery.rows(_LARGEST)
    return int(rows[0][0] or 0)


async def candidates(
    gallery: Gallery, from_id: int, limit: int, hidden: bool, level: int, below: str = ""
) -> tuple[Photo, ...]:
    """Photos from an id on that are probably hidden from guests (or not), in the order of their ids.

    level: of guests. below: how their paths begin. Raises GalleryUnavailableError.
    """
    question = f"{_CANDIDATES} {'NOT' if hidden else ''} {_IS_PUBLIC} AND {_BEGINS} ORDER BY images.id LIMIT %s"
    found = await gallery.rows(question, from_id, level, _beginning(below), limit)
    return await gallery.photos_of([int(row[0]) for row in found]) if found else ()


async def folders(gallery: Gallery, known: Sequence[str], limit: int) -> list[str]:
    """How the paths of photos begin that lie elsewhere than in the known folders, such as "./archive/".

    One for each first part of a path, at most `limit` of them. Raises GalleryUnavailableError.
    """
    found: list[str] = []
    while len(found) < limit:
        passed = [_beginning(folder) for folder in (*known, *found)]
        where = " AND ".join([f"NOT {_BEGINS}"] * len(passed)) or "0 = 0"
        rows = await gallery.rows(f"{_ELSEWHERE} WHERE {where} LIMIT 1", *passed)
        if not rows:
            break
        path = as_text(rows[0][0])
        start = _FIRST.match(path)
        found.append(start[0] if start else path)
    return found


async def formats_of(gallery: Gallery, photo_id: int) -> tuple[Format, ...]:
    """A photo's other formats. Raises GalleryUnavailableError."""
    rows = await gallery.rows(_FORMATS_OF, photo_id)
    return tuple(Format(int(format_id), photo_id, str(extension)) for format_id, extension in rows)


async def some_viewers(gallery: Gallery, limit: int) -> Sequence[Viewer]:
    """The first users of a gallery. Raises GalleryUnavailableError."""
    rows = await gallery.rows(_SOME_USERS, limit)
    return list((await People(gallery).viewers([int(row[0]) for row in rows])).values())


def _beginning(text: str) -> str:
    """The pattern of LIKE for what begins so."""
    return re.sub(r"[!%_]", r"!\g<0>", text) + "%"
