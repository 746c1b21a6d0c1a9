import family
import pytest
from family import DOCUMENT, FILM, NO_ORIGINAL, USERS, VISIBLE

PHOTOS = sorted(range(1, 18))


def derivative(path: str) -> str:
    stem, _, extension = path.rpartition(".")
    if extension == "mp4":
        folder, _, name = stem.rpartition("/")
        return f"i.php?/{folder}/pwg_representative/{name}-sm.jpg"
    return f"i.php?/{stem}-sm.{extension}"


@pytest.mark.parametrize("viewer", USERS)
def test_every_viewer_gets_the_derivatives_that_piwigo_shows_and_no_other(daemon, gallery, viewer):
    visitor = daemon.visitor(family.cookie(viewer))
    pictures = [photo for photo in PHOTOS if photo != DOCUMENT]
    seen = set()
    for photo in pictures:
        answer = visitor.follow("/" + derivative(gallery.paths[photo]))
        assert answer.status in (200, 404)
        if answer.status == 200:
            assert answer.headers["content-type"] == "image/jpeg"
            seen.add(photo)
    assert seen == VISIBLE[viewer] - {DOCUMENT}


@pytest.mark.parametrize("viewer", USERS)
@pytest.mark.parametrize("form", ["upload", "action.php"])
def test_every_viewer_gets_the_originals_that_piwigo_gives_and_no_other(daemon, gallery, viewer, form):
    visitor = daemon.visitor(family.cookie(viewer))
    had = set()
    for photo in PHOTOS:
        path = gallery.paths[photo].replace(" ", "%20")
        answer = visitor.follow(f"/action.php?id={photo}&part=e" if form == "action.php" else f"/{path}")
        assert answer.status in (200, 404)
        if answer.status == 200:
            assert answer.headers["x-pwgserve"] == "original"
            assert answer.body == (gallery.root / gallery.paths[photo]).read_bytes()
            had.add(photo)
    assert had == VISIBLE[viewer] - NO_ORIGINAL.get(viewer, set())


@pytest.mark.parametrize("viewer", USERS)
def test_a_link_of_who_may_does_not_work_for_who_may_not_after_it_is_closed_to_them(daemon, gallery, viewer):
    """Links of anna's are for anna: with another viewer's cookies they still stand for anna, never for more."""
    link = daemon.visitor(family.cookie("anna")).link(f"/action.php?id={FILM}&part=r")
    answer = daemon.visitor(family.cookie(viewer)).get(link)
    assert answer.status == 200
    assert answer.headers["cache-control"].startswith("private")


@pytest.mark.parametrize("viewer", ["guest", "anna", "webmaster"])
def test_a_photo_that_guests_see_has_one_url_for_everybody(daemon, gallery, viewer):
    path = "/i.php?/" + gallery.paths[family.LAKE].replace(".jpg", "-me.jpg")
    assert daemon.visitor(family.cookie(viewer)).link(path) == daemon.visitor().link(path)


def test_a_photo_that_guests_do_not_see_has_another_url_for_each_viewer(daemon, gallery):
    path = "/i.php?/" + gallery.paths[family.PARTY].replace(".jpg", "-me.jpg")
    links = {daemon.visitor(family.cookie(name)).link(path) for name in ("anna", "ben", "emil")}
    assert len(links) == 3


def test_guests_get_nothing_in_a_gallery_without_guest_access(daemon, gallery, settled):
    with gallery.config("guest_access", "false"):
        settled()
        assert daemon.visitor().get("/action.php?id=1&part=e").status == 404
        assert daemon.visitor(family.cookie("carol")).follow("/action.php?id=1&part=e").status == 200
    settled()
    assert daemon.visitor().follow("/action.php?id=1&part=e").status == 200


def test_only_administrators_get_anything_from_a_locked_gallery(daemon, gallery, settled):
    with gallery.config("gallery_locked", "true"):
        settled()
        assert daemon.visitor().get("/action.php?id=1&part=e").status == 404
        assert daemon.visitor(family.cookie("carol")).get("/action.php?id=1&part=e").status == 404
        assert daemon.visitor(family.cookie("dora")).follow("/action.php?id=1&part=e").status == 200
    settled()


def test_lockdown_refuses_everybody_who_has_not_logged_in(gallery, start):
    daemon = start(gallery, access={"lockdown": True})
    assert daemon.visitor().get("/action.php?id=1&part=e").status == 404
    assert daemon.visitor(family.cookie("carol")).follow("/action.php?id=1&part=e").status == 200
