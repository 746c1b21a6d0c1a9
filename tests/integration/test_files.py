"""Formats, representatives, documents and dangerous files: who gets them, and that nothing in them runs."""

import family
import pytest
from family import FAMILY_ALBUM, FILM, LAKE, PARTY, PUBLIC

CASES = {
    "drawing.svg": ("image/svg+xml", "inline"),
    "page.html": ("application/octet-stream", "attachment"),
    "page.xhtml": ("application/octet-stream", "attachment"),
    "code.php": ("application/octet-stream", "attachment"),
    "feed.xml": ("application/octet-stream", "attachment"),
    "notes.txt": ("text/plain; charset=utf-8", "inline"),
    "guide.pdf": ("application/pdf", "inline"),
    "archive.zip": ("application/zip", "attachment"),
    "song.mp3": ("audio/mpeg", "inline"),
    "clip.webm": ("video/webm", "inline"),
    "none.": ("application/octet-stream", "attachment"),
}


@pytest.fixture(scope="module")
def documents(gallery):
    ids = {}
    for number, name in enumerate(CASES, start=100):
        path = f"upload/2026/05/15/{name}"
        (gallery.root / path).parent.mkdir(parents=True, exist_ok=True)
        (gallery.root / path).write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
        gallery.photo(number, (PUBLIC,), path=path, file=name, width=None, height=None)
        ids[name] = number
    return ids


@pytest.mark.parametrize("name", CASES)
def test_a_document_is_shown_or_saved_and_can_run_nothing(daemon, gallery, documents, name):
    kind, way = CASES[name]
    answer = daemon.visitor().follow(f"/action.php?id={documents[name]}&part=e")
    assert answer.status == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"].partition(";")[0] == way
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe-eval" not in policy
    # What a browser opens in a player of its own cannot hold scripts, and would not play in a sandbox.
    assert policy.endswith("; sandbox") is not kind.startswith(("video/", "audio/", "application/pdf"))


def test_a_document_has_no_derivatives(daemon, documents):
    for name in ("drawing.svg", "guide.pdf", "clip.webm"):
        stem, _, extension = name.rpartition(".")
        assert daemon.visitor().get(f"/i.php?/upload/2026/05/15/{stem}-me.{extension}").status == 404


@pytest.fixture(scope="module")
def formats(gallery):
    """Raw files beside the lake (public, id 7) and the party (private, id 8)."""
    for format_id, photo in ((7, LAKE), (8, PARTY)):
        folder, _, name = gallery.paths[photo].rpartition("/")
        file = gallery.root / folder / "pwg_format" / name.replace(".jpg", ".cr2")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"raw %d" % photo)
        gallery.insert("image_format", format_id=format_id, image_id=photo, ext="cr2")
    gallery.set_config("enable_formats", "true")
    yield gallery
    gallery.delete("config", param="enable_formats")


def test_a_format_is_for_who_sees_the_photo(daemon, gallery, formats, settled):
    settled()
    anna = daemon.visitor(family.cookie("anna"))
    emil = daemon.visitor(family.cookie("emil"))
    folder, _, name = gallery.paths[PARTY].rpartition("/")
    beside = f"/{folder}/pwg_format/{name.replace('.jpg', '.cr2')}"
    for target in ("/action.php?format=8&part=f", "/action.php?id=2&part=f&format=8", beside):
        for visitor in (anna, emil):  # high definition is not asked for formats
            answer = visitor.follow(target)
            assert (answer.status, answer.body) == (200, b"raw 2")
            assert answer.headers["content-disposition"] == 'attachment; filename="Photo 2.cr2"'
        assert daemon.visitor().get(target).status == 404
    assert daemon.visitor().follow("/action.php?format=7&part=f").body == b"raw 1"
    assert daemon.visitor().get("/action.php?format=999&part=f").status == 404
    assert anna.get(beside.replace(".cr2", ".nef")).status == 404


def test_formats_are_nothing_where_the_gallery_has_none(daemon, gallery, formats, settled):
    link = daemon.visitor().link("/action.php?format=7&part=f")
    gallery.update("config", {"param": "enable_formats"}, value="false")
    settled()
    assert daemon.visitor().get("/action.php?format=7&part=f").status == 400
    assert daemon.visitor().get("/action.php?id=1&part=f&format=7").status == 404
    assert daemon.visitor().get(link).status == 404
    gallery.update("config", {"param": "enable_formats"}, value="true")
    settled()
    assert daemon.visitor().get(link).status == 200


@pytest.mark.parametrize(
    "address",
    [
        "i.php?/upload/2026/05/14/pwg_representative/film-me.jpg",
        "upload/2026/05/14/pwg_representative/film.jpg",
        f"action.php?id={FILM}&part=r",
    ],
)
def test_a_representative_is_for_who_sees_the_film(daemon, address):
    assert daemon.visitor(family.cookie("emil")).follow(f"/{address}").headers["content-type"] == "image/jpeg"
    assert daemon.visitor().get(f"/{address}").status == 404


def test_a_photo_without_representative_has_none(daemon):
    assert daemon.visitor().get(f"/action.php?id={LAKE}&part=r").status == 404


def huge(name, width, height):
    sizing = f'O:12:"SizingParams":3:{{s:10:"ideal_size";a:2:{{i:0;i:{width};i:1;i:{height};}}s:8:"max_crop";i:0;'
    sizing += 's:8:"min_size";N;}'
    return f's:{len(name)}:"{name}";O:16:"DerivativeParams":2:{{s:13:"last_mod_time";i:1;s:6:"sizing";{sizing}}}'


def test_the_huge_types_are_served_where_they_are_enabled(daemon, gallery, settled):
    address = "/i.php?/" + gallery.paths[LAKE].replace(".jpg", "-3x.jpg")
    assert daemon.visitor().get(address).status == 400
    row = f's:1:"d";a:2:{{{huge("3xlarge", 2232, 1674)}{huge("4xlarge", 3000, 2250)}}}'
    with gallery.config("derivatives", f"a:1:{{{row}}}"):
        settled()
        answer = daemon.visitor().follow(address)
        assert (answer.status, answer.headers["x-pwgserve"]) == (200, "render")
        whole = daemon.visitor().follow(address.replace("-3x", "-4x"))
        assert whole.headers["x-pwgserve"] == "original", "the photo is smaller than this type"
    settled()


def test_photos_of_a_further_site_are_served_once_its_folder_is_named(gallery, daemon, start):
    """An owner may have Piwigo synchronise more folders than `galleries/`."""
    gallery.photo(71, (PUBLIC,), path="archive/2009/harbour.jpg")
    gallery.photo(72, (FAMILY_ALBUM,), path="archive/2009/kitchen.jpg")
    addresses = ["/action.php?id={}&part=e", "/i.php?/archive/2009/{}-me.jpg"]
    unnamed = daemon.visitor()
    named = start(gallery, piwigo={"originals": [str(gallery.root / "archive")]}).visitor()
    for address, public, private in zip(addresses, (71, "harbour"), (72, "kitchen"), strict=True):
        assert unnamed.get(address.format(public)).status == 404
        assert named.follow(address.format(public)).status == 200
        assert named.get(address.format(private)).status == 404
    assert named.get("/archive/2009/harbour.jpg").status == 404, "pages lead to originals through action.php"


def test_names_of_any_language_are_served_where_the_owner_allows_them(daemon, gallery, settled):
    path = "galleries/Été à la mer/Grüße 山 & co.jpg"
    gallery.photo(60, (FAMILY_ALBUM,), path=path)
    encoded = "galleries/%C3%89t%C3%A9%20%C3%A0%20la%20mer/Gr%C3%BC%C3%9Fe%20%E5%B1%B1%20%26%20co"
    anna = daemon.visitor(family.cookie("anna"))
    assert anna.follow(f"/{encoded}.jpg").status == 200, "originals have no such rule"
    assert anna.get(f"/i.php?/{encoded}-me.jpg").status == 400
    with gallery.config("sync_chars_regex", r"/^[\p{L}\d_. &-]+$/u"):
        settled()
        assert anna.follow(f"/i.php?/{encoded}-me.jpg").status == 200
        assert daemon.visitor().get(f"/i.php?/{encoded}-me.jpg").status == 404
        assert anna.get("/i.php?/galleries/%2e%2e/local/config/x-me.jpg").status in (400, 404)
    settled()


def test_animations_stay_animated_where_the_owner_wants_them(gallery, daemon, start):
    import pyvips

    path = "upload/2026/05/16/film.gif"
    (gallery.root / path).parent.mkdir(parents=True)
    frames = pyvips.Image.arrayjoin([pyvips.Image.black(900, 600) + shade for shade in (0, 80, 160)], across=1).copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 600)
    frames.cast("uchar").gifsave(str(gallery.root / path))
    gallery.photo(61, (PUBLIC,), (900, 600), path=path)
    address = f"/i.php?/{path.replace('.gif', '-sm.gif')}"
    still = daemon.visitor().follow(address).body
    moving = start(gallery, render={"animate": True}).visitor().follow(address).body
    assert pyvips.Image.new_from_buffer(still, "", n=-1).height == 384
    assert pyvips.Image.new_from_buffer(moving, "", n=-1).get("n-pages") == 3
