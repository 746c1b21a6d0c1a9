"""All photos of a gallery, or of some albums, page by page: in bounded memory, however large the gallery is.

SQL, like `gallery`, which makes the rows into photos. For work on the whole gallery; no request comes here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import ColumnElement, func, select

from pwgserve.piwigo.gallery import Gallery
from pwgserve.piwigo.permissions import Photo

PAGE = 200


class Walk:
    """The photos of a gallery in the order of their ids. albums: only of these, None for all photos."""

    def __init__(self, gallery: Gallery, albums: frozenset[int] | None = None) -> None:
        self._gallery = gallery
        self._albums = albums

    async def count(self, after: int = 0) -> int:
        """How many photos there are behind an id. Raises GalleryUnavailableError."""
        number = select(func.count().label("number")).select_from(self._gallery.schema.images)
        rows = await self._gallery.rows(number.where(self._chosen(after)))
        return int(rows[0].number)

    async def page(self, after: int) -> tuple[Photo, ...]:
        """The next photos behind an id, none at the end. Raises GalleryUnavailableError."""
        images = self._gallery.schema.images.c
        rows = await self._gallery.rows(select(images.id).where(self._chosen(after)).order_by(images.id).limit(PAGE))
        # By key and not by OFFSET: the last page of a million photos costs what the first one does.
        return await self._gallery.photos_of([int(row.id) for row in rows]) if rows else ()

    async def photos(self, after: int = 0) -> AsyncIterator[Photo]:
        """All of them behind an id. Raises GalleryUnavailableError."""
        while page := await self.page(after):
            for photo in page:
                yield photo
            after = page[-1].photo_id

    async def of(self, photo_ids: Sequence[int]) -> tuple[Photo, ...]:
        """The photos with these ids, those that exist. Raises GalleryUnavailableError."""
        return await self._gallery.photos_of(photo_ids)

    def _chosen(self, after: int) -> ColumnElement[bool]:
        tables = self._gallery.schema
        images, links = tables.images.c, tables.image_category.c
        behind = images.id > after
        if self._albums is None:
            return behind
        in_albums = select(links.image_id).where(links.image_id == images.id, links.category_id.in_(self._albums))
        return behind & in_albums.exists()


async def albums_of(gallery: Gallery, album_id: int, with_sub_albums: bool) -> frozenset[int]:
    """The album, with all below it if wanted; empty when there is none. Raises GalleryUnavailableError."""
    categories = gallery.schema.categories.c
    rows = await gallery.rows(select(categories.id, categories.id_uppercat))
    below: dict[int, list[int]] = {}
    for row in rows:
        below.setdefault(int(row.id_uppercat or 0), []).append(int(row.id))
    if not any(int(row.id) == album_id for row in rows):
        return frozenset()
    found, to_visit = {album_id}, [album_id] if with_sub_albums else []
    while to_visit:
        for child in below.get(to_visit.pop(), ()):
            if child not in found:
                found.add(child)
                to_visit.append(child)
    return frozenset(found)
