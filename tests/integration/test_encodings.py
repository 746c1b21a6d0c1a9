"""What browsers are sent that announce AVIF or WebP, and what nobody can make of that header."""

import json

import family
import pytest
import pyvips
from family import FILM, LAKE, PARTY, SMALL
from links import parts_of, wanted_of, with_part

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
WEBP = "image/webp,*/*"


@pytest.fixture
def anna(daemon):
    return daemon.visitor(family.cookie("anna"))


def address(gallery, photo=LAKE, code="xs"):
    return "/i.php?/" + gallery.paths[photo].replace(".jpg", f"-{code}.jpg")


@pytest.mark.parametrize(
    ("accept", "extension", "kind", "loader"),
    [
        (CHROME, "avif", "image/avif", "heifload"),
        (WEBP, "webp", "image/webp", "webpload"),
        ("*/*", "jpg", "image/jpeg", "jpegload"),
        ("image/avif;q=0", "jpg", "image/jpeg", "jpegload"),
    ],
)
def test_a_browser_is_sent_what_it_announces(daemon, gallery, accept, extension, kind, loader):
    redirected = daemon.visitor().get(address(gallery), Accept=accept)
    assert redirected.headers["vary"] == "Cookie, Accept"
    assert redirected.headers["cache-control"].startswith("private, ")
    assert redirected.location.endswith(f".{extension}")
    answer = daemon.visitor().get(redirected.location, Accept=accept)
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert f"xsmall.{extension}" in answer.headers["content-disposition"]
    image = pyvips.Image.new_from_buffer(answer.body, "")
    assert image.get("vips-loader").startswith(loader)
    assert (image.width, image.height) == (432, 288)


def test_who_announces_nothing_gets_what_there_was_before(daemon, gallery):
    assert daemon.visitor().link(address(gallery)).endswith(".jpg")


def test_a_signed_url_has_one_representation_whoever_asks_for_it_and_how(daemon, gallery):
    for accept in (CHROME, WEBP, "*/*"):
        link = daemon.visitor().get(address(gallery), Accept=accept).location
        answers = [daemon.visitor().get(link, Accept=other) for other in (CHROME, WEBP, "*/*", "text/html", "*/*;q=0")]
        answers.append(daemon.visitor().get(link))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        assert len({(answer.headers["etag"], answer.headers["content-type"]) for answer in answers}) == 1
        # So that shared caches may keep it without looking at the header.
        assert all("vary" not in answer.headers for answer in answers)


def test_an_encoding_cannot_be_altered_in_a_link(daemon, gallery):
    avif = daemon.visitor().get(address(gallery), Accept=CHROME).location
    jpeg = daemon.visitor().link(address(gallery))
    webp = daemon.visitor().get(address(gallery), Accept=WEBP).location
    refusal = daemon.visitor().get("/pwgs/x.jpg")
    attempts = [
        link.rpartition(".")[0] + f".{other}" for link in (avif, jpeg, webp) for other in ("png", "AVIF", "jpeg")
    ]
    attempts += [avif.rpartition(".")[0] + ".jpg", avif.rpartition(".")[0] + ".webp", jpeg.rpartition(".")[0] + ".avif"]
    for link in (avif, jpeg, webp):
        for wanted in ("xs", "xs-avif", "xs-webp", "me-avif", "e-avif", "xs-png", "xs-avif-webp"):
            if wanted != wanted_of(link):
                for extension in ("jpg", "avif", "webp"):
                    attempts.append(with_part(link, 1, wanted).rpartition(".")[0] + f".{extension}")
        for part in (2, 3, 4, 5):
            attempts += [with_part(link, part, parts_of(other)[part]) for other in (avif, jpeg, webp) if other != link]
    same = {avif, jpeg, webp}
    for attempt in attempts:
        if attempt not in same:
            answer = daemon.visitor().get(attempt, Accept=CHROME)
            assert (answer.status, answer.body) == (404, refusal.body), attempt


def test_headers_cannot_fill_the_cache(gallery, start):
    daemon = start(gallery)
    headers = [CHROME, WEBP, "", "*/*", "image/avif", "image/avif;q=0.1", "image/webp;q=0.999,image/avif;q=0.1"]
    headers += [f"image/avif;v={n}" for n in range(5)] + [f"image/webp,x/{n}" for n in range(10)]
    headers += [f"image/avif;q=0.{n},image/webp;q=0.{9 - n}" for n in range(10)] + ["image/jpeg,image/avif;q=0.5"]
    links = {daemon.visitor().get(address(gallery, code="sq"), Accept=accept).location for accept in headers}
    assert {wanted_of(link) for link in links} == {"sq", "sq-avif", "sq-webp"}
    fresh = {wanted_of(link): link for link in links}
    assert [daemon.visitor().get(link).headers["x-pwgserve"] for link in fresh.values()] == ["render"] * 3
    stored = list((daemon.directory / "cache").glob("??/??/*"))
    assert len(stored) == 3


def test_a_private_picture_stays_private_in_every_encoding(anna, daemon, gallery):
    for accept in (CHROME, WEBP):
        assert daemon.visitor().get(address(gallery, PARTY), Accept=accept).status == 404
        answer = anna.get(anna.get(address(gallery, PARTY), Accept=accept).location)
        assert answer.status == 200
        assert answer.headers["cache-control"].startswith("private, ")


def test_downloads_and_originals_are_the_files_themselves(anna, gallery):
    for target in (f"/{gallery.paths[LAKE]}", f"/action.php?id={LAKE}&part=e&download", address(gallery, SMALL, "me")):
        link = anna.get(target, Accept=CHROME).location
        assert wanted_of(link) == "e"
        photo = SMALL if "i.php" in target else LAKE
        assert anna.get(link, Accept=CHROME).body == (gallery.root / gallery.paths[photo]).read_bytes()
    assert anna.get(f"/action.php?id={FILM}&part=r", Accept=CHROME).location.endswith(".jpg")


def test_lazy_thumbnails_are_led_by_what_their_own_request_announces(daemon, gallery):
    lazy = address(gallery) + "&ajaxload=true"
    for accept, extension in (
        ("*/*", "jpg"),
        ("application/json, text/javascript, */*; q=0.01", "jpg"),
        (WEBP, "webp"),
    ):
        answer = daemon.visitor().get(lazy, Accept=accept)
        assert answer.headers["vary"] == "Cookie, Accept"
        assert json.loads(answer.body)["url"].endswith(f".{extension}")


def test_an_edited_photo_is_led_to_in_the_same_encoding(daemon, gallery, settled):
    link = daemon.visitor().get(address(gallery), Accept=WEBP).location
    gallery.picture(gallery.paths[LAKE], family.LARGE, seed=77)
    settled()
    answer = daemon.visitor().get(link)
    assert answer.status == 302
    assert wanted_of(answer.location) == "xs-webp"


def test_an_owner_may_want_none_or_only_some(gallery, start):
    for formats, extension in (([], "jpg"), (["webp"], "webp"), (["webp", "avif"], "webp")):
        daemon = start(gallery, render={"formats": formats})
        answer = daemon.visitor().get(address(gallery), Accept=CHROME)
        assert answer.location.endswith(f".{extension}")
