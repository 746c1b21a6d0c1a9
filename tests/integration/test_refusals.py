"""Every no looks the same: an intruder learns nothing from the one that he gets."""

import secrets
import string
import time

import family
import pytest
from clock import Clock
from daemon import serving
from family import LAKE, LEVEL_8, ORPHAN, PARTY
from links import expiry_of, parts_of, with_part

from pwgserve.answers.freshness import PROMISED_AGE

PARTY_PATH = "upload/2026/05/14/20260514101112-00000002"
LAKE_PATH = "upload/2026/05/14/20260514101112-00000001"
NOWHERE = "upload/2026/05/14/20260514101112-ffffffff"

REFUSED = {
    "forbidden derivative": f"/i.php?/{PARTY_PATH}-me.jpg",
    "forbidden derivative, PATH_INFO": f"/i.php/{PARTY_PATH}-me.jpg",
    "forbidden derivative, i/": f"/i/{PARTY_PATH}-me.jpg",
    "forbidden derivative, cached file": f"/_data/i/{PARTY_PATH}-me.jpg",
    "forbidden original": f"/{PARTY_PATH}.jpg",
    "forbidden original by id": "/action.php?id=2&part=e",
    "forbidden representative": "/action.php?id=13&part=r",
    "forbidden representative's file": "/upload/2026/05/14/pwg_representative/film.jpg",
    "forbidden by level": f"/action.php?id={LEVEL_8}&part=e",
    "in no album": f"/action.php?id={ORPHAN}&part=e",
    "missing derivative": f"/i.php?/{NOWHERE}-me.jpg",
    "missing original": f"/{NOWHERE}.jpg",
    "missing id": "/action.php?id=424242&part=e",
    "file without a row": "/upload/secret.txt",
    "a size that was never used": f"/i.php?/{PARTY_PATH}-cu_s300.jpg",
    "outside of the folders": "/local/config/database.inc.php",
    "dot-dot": "/upload/../local/config/database.inc.php",
    "encoded dot-dot": "/upload/%2e%2e/local/config/database.inc.php",
    "the cache": "/_data/",
    "a page": "/index.php",
    "no link at all": "/pwgs/x.jpg",
    "a link without a token": "/pwgs/",
    "the folder of links": "/pwgs",
    "an unknown ops page": "/-/secrets",
    "another extension": f"/{PARTY_PATH}.png",
    "upper case": f"/{PARTY_PATH.upper()}.JPG",
}


@pytest.fixture(scope="module")
def no(daemon):
    """The refusal that all others must be like."""
    return _comparable(daemon.visitor().get("/there/is/nothing/here.jpg"))


def _comparable(answer):
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status, headers, answer.body


def test_a_refusal_is_a_plain_404_that_nobody_keeps(no):
    status, headers, body = no
    assert (status, body) == (404, b"Not found\n")
    assert headers["cache-control"] == "no-store"
    assert "x-pwgserve" not in headers


@pytest.mark.parametrize("attempt", REFUSED)
def test_an_attempt_is_refused_like_all_others(daemon, no, attempt):
    assert _comparable(daemon.visitor().get(REFUSED[attempt])) == no


def test_a_forbidden_picture_in_the_cache_is_refused_like_a_missing_one(daemon, no):
    assert daemon.visitor(family.cookie("anna")).follow(f"/i.php?/{PARTY_PATH}-me.jpg").status == 200
    assert _comparable(daemon.visitor().get(f"/i.php?/{PARTY_PATH}-me.jpg")) == no


def test_no_character_of_a_link_can_be_changed(daemon, no):
    link = daemon.visitor(family.cookie("anna")).link(f"/i.php?/{PARTY_PATH}-me.jpg")
    start = len("/pwgs/")
    end = link.rindex(".")
    for position in range(start, end):
        for character in secrets.choice(string.ascii_letters), secrets.choice(string.digits), "-":
            forged = link[:position] + character + link[position + 1 :]
            if forged != link:
                assert _comparable(daemon.visitor().get(forged)) == no, (position, character)


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (0, lambda part: str(LEVEL_8)),
        (1, lambda part: "e"),
        (2, lambda part: "p"),
        (3, lambda part: str(int(part) + 86_400)),
        (4, lambda part: "A" * 16),
        (5, lambda part: ""),
        (5, lambda part: part + "A"),
        (5, lambda part: part.swapcase()),
    ],
)
def test_no_part_of_a_link_can_be_exchanged(daemon, no, index, change):
    link = daemon.visitor(family.cookie("anna")).link(f"/i.php?/{PARTY_PATH}-me.jpg")
    forged = with_part(link, index, change(parts_of(link)[index]))
    assert _comparable(daemon.visitor().get(forged)) == no


def test_parts_of_two_genuine_links_cannot_be_put_together(daemon, no):
    anna = daemon.visitor(family.cookie("anna"))
    public = parts_of(anna.link("/i.php?/" + PARTY_PATH.replace("00000002", "00000001") + "-me.jpg"))
    private = anna.link(f"/i.php?/{PARTY_PATH}-me.jpg")
    for index in range(6):
        spliced = with_part(private, index, public[index])
        if spliced != private:
            assert _comparable(daemon.visitor().get(spliced)) == no


@pytest.mark.parametrize("extension", ["png", "html", "JPG", "jpg.php", "jpg/x", ""])
def test_a_link_works_with_its_own_extension_only(daemon, no, extension):
    link = daemon.visitor(family.cookie("anna")).link(f"/i.php?/{PARTY_PATH}-me.jpg")
    assert _comparable(daemon.visitor().get(link.removesuffix("jpg") + extension)) == no


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    return Clock(tmp_path_factory.mktemp("time") / "clock")


@pytest.fixture(scope="module")
def brief(gallery, clock, tmp_path_factory):
    """A daemon whose links live for ten minutes of `clock`."""
    yield from serving(gallery, tmp_path_factory.mktemp("brief"), clock.environment, links={"ttl": "10m"})


def test_an_expired_link_is_refused_like_a_forged_one(brief, clock, no):
    link = brief.visitor(family.cookie("anna")).link(f"/i.php?/{PARTY_PATH}-me.jpg")
    clock.set_to(expiry_of(link) - 60)
    assert brief.visitor().get(link).status == 200
    clock.set_to(expiry_of(link))
    assert _comparable(brief.visitor().get(link)) == no


def test_what_programs_append_to_a_link_makes_no_other_answer_of_a_no(gallery, daemon, brief, clock, no):
    appended = daemon.visitor().link(f"/i.php?/{LAKE_PATH}-me.jpg") + "&b=1"
    assert daemon.visitor().get(appended).location == appended.removesuffix("&b=1")
    for other in ("jp%67", "jpg/../x", "jpg%0d%0aX-Name:%20x"):
        assert _comparable(daemon.visitor().get(appended.replace(".jpg&", f".{other}&"))) == no
    with gallery.restored():
        gallery.update("images", {"id": LAKE}, level=8)
        time.sleep(PROMISED_AGE)
        assert _comparable(daemon.visitor().get(appended)) == no
    appended = brief.visitor().link(f"/i.php?/{LAKE_PATH}-me.jpg") + "&b=1"
    clock.set_to(expiry_of(appended))
    assert _comparable(brief.visitor().get(appended)) == no


def test_a_bound_link_works_with_its_viewers_cookies_only(gallery, start, no):
    daemon = start(gallery, links={"bind_session": True})
    anna = daemon.visitor(family.cookie("anna"))
    link = anna.link(f"/i.php?/{PARTY_PATH}-me.jpg")
    assert anna.get(link).status == 200
    assert _comparable(daemon.visitor().get(link)) == no
    assert _comparable(daemon.visitor(family.cookie("ben")).get(link)) == no, "though ben may see the photo"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("target", ["/", f"/{PARTY_PATH}.jpg", "/action.php?id=1&part=e"])
def test_only_reading_is_offered_whatever_the_address(daemon, method, target):
    answer = daemon.visitor().get(target, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_refused_head_is_a_refused_get_without_its_text(daemon, no):
    answer = daemon.visitor().get(f"/i.php?/{PARTY_PATH}-me.jpg", method="HEAD")
    assert (answer.status, answer.body) == (404, b"")
    assert _comparable(answer)[1] == no[1]


def test_operators_pages_are_not_answered_through_a_proxy(daemon, no):
    assert daemon.visitor().get("/-/metrics").status == 200
    for page in ("health", "ready", "metrics", "status"):
        for told in (
            {"X_Forwarded_For": "192.0.2.7"},
            {"X_Forwarded_For": "127.0.0.1"},
            {"Forwarded": "for=192.0.2.7"},
            {"X_Real_IP": "192.0.2.7"},
            {"Via": "1.1 proxy"},
        ):
            assert _comparable(daemon.visitor().get(f"/-/{page}", **told)) == no


def test_the_links_of_the_gallery_hold_no_path(daemon, gallery):
    link = daemon.visitor(family.cookie("anna")).link(f"/i.php?/{PARTY_PATH}-me.jpg")
    assert parts_of(link)[0] == str(PARTY)
    assert "20260514" not in link
    assert "annasession" not in link


def test_refused_pictures_do_not_depend_on_their_size_on_disk(daemon, gallery, no):
    """A refusal is given before the file is looked at: removing it changes nothing."""
    file = gallery.root / gallery.paths[PARTY]
    content = file.read_bytes()
    file.unlink()
    try:
        assert _comparable(daemon.visitor().get(f"/{PARTY_PATH}.jpg")) == no
    finally:
        file.write_bytes(content)
    assert daemon.visitor().follow("/" + gallery.paths[LAKE]).status == 200


def test_another_site_that_embeds_an_address_gets_no_other_answer_for_a_no(daemon):
    """A browser hands neither to a page of another site: if it kept only the picture back, that page would know."""
    link = daemon.visitor(family.cookie("anna")).link(f"/i.php?/{PARTY_PATH}-me.jpg")
    permitted = daemon.visitor().get(link)
    refused = daemon.visitor().get(with_part(link, 0, "999"))
    assert (permitted.status, refused.status) == (200, 404)
    policy = "cross-origin-resource-policy"
    assert permitted.headers[policy] == refused.headers[policy] == "same-site"
