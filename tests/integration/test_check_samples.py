"""Which photos `check` tries: such as guests may not see, by the very rules of the daemon, and of many kinds."""

from contextlib import AsyncExitStack

import family
import pytest
from daemon import settings_for

from pwgserve import settings_file
from pwgserve.check.samples import folders_of_photos, hidden_photos, one_of_each_folder, public_photos, sample
from pwgserve.foundation import Reached
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import GalleryRules

EVERYTHING = set(range(1, 18))


async def opened(gallery, tmp_path, resources):
    """The gallery as check reaches it: itself, its guest and its settings."""
    found = settings_file.from_values(settings_for(gallery, tmp_path, 1), "test")
    reached = await Reached.open(found, resources)
    guest = (await People(reached.gallery).viewers([2]))[2]
    return reached.gallery, guest, await reached.catalogue.settings()


@pytest.mark.parametrize("number", [3, 100])
async def test_hidden_photos_are_those_that_guests_may_not_see(gallery, tmp_path, number):
    async with AsyncExitStack() as resources:
        asked, guest, how = await opened(gallery, tmp_path, resources)
        found = {photo.photo_id for photo in await hidden_photos(asked, guest, how, number)}
        hidden = EVERYTHING - family.VISIBLE["guest"]
        assert found <= hidden
        assert len(found) == min(number, len(hidden))


async def test_public_photos_are_pictures_that_guests_see(gallery, tmp_path):
    async with AsyncExitStack() as resources:
        asked, guest, how = await opened(gallery, tmp_path, resources)
        found = {photo.photo_id for photo in await public_photos(asked, guest, how, 100)}
        assert found == family.VISIBLE["guest"] - {family.DOCUMENT}


async def test_in_a_gallery_without_guests_everything_is_hidden(gallery, tmp_path):
    async with AsyncExitStack() as resources:
        asked, guest, how = await opened(gallery, tmp_path, resources)
        closed = type(how)(how.conf, how.derivatives, GalleryRules(guest_access=False), how.render)
        for whom in (guest, None):
            assert {photo.photo_id for photo in await hidden_photos(asked, whom, closed, 100)} == EVERYTHING
            assert await public_photos(asked, whom, closed, 1) == []


async def test_several_kinds_of_photos_are_tried_before_several_of_a_kind(gallery, tmp_path):
    async with AsyncExitStack() as resources:
        asked, guest, how = await opened(gallery, tmp_path, resources)
        for _ in range(5):
            found = await hidden_photos(asked, guest, how, 6)
            assert family.FILM in {photo.photo_id for photo in found}
            assert any(photo.level > 0 for photo in found)


async def test_a_film_is_tried_with_all_that_lies_beside_it_and_its_twin_does_not_exist(gallery, tmp_path):
    async with AsyncExitStack() as resources:
        asked, _, how = await opened(gallery, tmp_path, resources)
        film = (await asked.photos([family.FILM]))[family.FILM]
        found = await sample(asked, film, how, gallery.root, None)
        assert found.subject.representative == "upload/2026/05/14/pwg_representative/film.jpg"
        beside = "upload/2026/05/14/pwg_representative/film-"
        assert [size.startswith(beside) for size in found.subject.sizes] == [True] * 3
        assert len(found.files) == 2
        assert found.files[0].has(0, (gallery.root / film.path).read_bytes()[:100])
        assert not (gallery.root / found.twin.path).exists()
        assert found.twin.photo_id not in EVERYTHING


async def test_one_photo_of_every_folder_is_tried_however_many_there_are_elsewhere(gallery, tmp_path):
    with gallery.restored():
        for number in range(100, 103):
            gallery.photo(number, path=f"archive/1999/scan-{number}.jpg")
        gallery.photo(103, path="galleries/trip/a.jpg")
        gallery.photo(105, path="alone.jpg")
        gallery.photo(104, path="über_100%/b.jpg")
        async with AsyncExitStack() as resources:
            asked, guest, how = await opened(gallery, tmp_path, resources)
            found = await one_of_each_folder(asked, guest, how, (await folders_of_photos(asked, how))[0], [])
            assert sorted(one.path.split("/")[1] for one in found) == [
                "alone.jpg",
                "archive",
                "galleries",
                "upload",
                "über_100%",
            ]
            assert all(one.photo_id not in family.VISIBLE["guest"] for one in found)
            taken = await one_of_each_folder(asked, guest, how, (await folders_of_photos(asked, how))[0], found)
            assert taken == []
