"""All photos of a gallery, or of some albums, page by page: in bounded memory, however large the gallery is.

SQL, like `gallery`, which makes the rows into photos. For work on the whole gallery; no request comes here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from pwgserve.piwigo.gallery import Gallery
from pwgserve.piwigo.permissions import Photo

PAGE = 200

_COUNT = "SELECT COUNT(*) FROM {images} AS images WHERE images.id > %s"
_PAGE = "SELECT images.id FROM {images} AS images WHERE images.id > %s"
_IN_ALBUMS = """
AND EXISTS (
    SELECT 1 FROM {image_category} AS links WHERE links.image_id = images.id AND links.category_id IN %s
)
"""
_IN_ORDER = f"ORDER BY images.id LIMIT {PAGE}"
_ALBUMS = "SELECT id, id_uppercat FROM {categories}"


class Walk:
    """The photos of a gallery in the order of their ids. albums: only of these, None for all photos."""

    def __init__(self, gallery: Gallery, albums: frozenset[int] | None = None) -> None:
        self._gallery = gallery
        self._chosen = ("", ()) if albums is None else (_IN_ALBUMS, (albums,))

    async def count(self, after: int = 0) -> int:
        """How many photos there are behind an id. Raises GalleryUnavailableError."""
        where, values = self._chosen
        rows = await self._gallery.rows(f"{_COUNT} {where}", after, *values)
        return int(rows[0][0])

    async def page(self, after: int) -> tuple[Photo, ...]:
        """The next photos behind an id, none at the end. Raises GalleryUnavailableError."""
        where, values = self._chosen
        rows = await self._gallery.rows(f"{_PAGE} {where} {_IN_ORDER}", after, *values)
        # By key and not by OFFSET: the last page of a million photos costs what the first one does.
        return await self._gallery.photos_of([int(row[0]) for row in rows]) if rows else ()

    async def photos(self, after: int = 0) -> AsyncIterator[Photo]:
        """All of them behind an id. Raises GalleryUnavailableError."""
        while page := await self.page(after):
            for photo in page:
                yield photo
            after = page[-1].photo_id

    async def of(self, photo_ids: Sequence[int]) -> tuple[Photo, ...]:
        """The photos with these ids, those that exist. Raises GalleryUnavailableError."""
        return await self._gallery.photos_of(photo_ids)


async def albums_of(gallery: Gallery, album_id: int, with_sub_albums: bool) -> frozenset[int]:
    """The album, with all below it if wanted; empty when there is none. Raises GalleryUnavailableError."""
    rows = await gallery.rows(_ALBUMS)
    below: dict[int, list[int]] = {}
    for row_id, above in rows:
        below.setdefault(int(above or 0), []).append(int(row_id))
    if not any(int(row_id) == album_id for row_id, _ in rows):
        return frozenset()
    found, to_visit = {album_id}, [album_id] if with_sub_albums else []
    while to_visit:
        for child in below.get(to_visit.pop(), ()):
            if child not in found:
                found.add(child)
                to_visit.append(child)
    return frozenset(found)
