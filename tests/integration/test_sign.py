"""`pwgserve sign`: links by the owner's hand, and what they do not open."""

import family
import pytest
from commands import Installation
from family import FAMILY, LAKE, PARTY
from links import parts_of, with_part
from waiting import until

pytestmark = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def place(daemon, gallery):
    return Installation(gallery, daemon.directory, daemon.port)


def link(daemon, done):
    assert done.code == 0, done.err
    base = f"http://127.0.0.1:{daemon.port}"
    assert done.out.startswith(f"{base}/pwgs/")
    assert done.out.count("\n") == 1
    return done.out.strip().removeprefix(base)


def test_a_public_photo_has_a_link_for_everybody(daemon, place):
    url = link(daemon, place.here("sign", str(LAKE), "--type", "sq"))
    assert parts_of(url)[2] == "p"
    answer = daemon.visitor().get(url)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    again = link(daemon, place.here("sign", str(LAKE), "--user", "anna"))
    assert parts_of(again)[2] == "p"


def test_a_private_photo_has_one_for_a_user_who_may_see_it_until_they_may_not(daemon, place, gallery, settled):
    url = link(daemon, place.here("sign", str(PARTY), "--user", "anna"))
    assert parts_of(url)[2].startswith(f"u{family.USERS['anna']}o")
    assert "anna" not in url.replace("annasession", "")
    assert daemon.visitor().get(url).status == 200
    original = link(daemon, place.here("sign", str(PARTY), "--type", "e", "--user", "anna"))
    assert daemon.visitor().get(original).headers["x-pwgserve"] == "original"

    gallery.delete("user_group", group_id=FAMILY, user_id=family.USERS["anna"])
    settled()
    assert daemon.visitor().get(url).status == 404
    gallery.insert("user_group", group_id=FAMILY, user_id=family.USERS["anna"])
    settled()
    assert daemon.visitor().get(url).status == 200
    gallery.update("users", {"id": family.USERS["anna"]}, password="another hash")
    settled()
    assert daemon.visitor().get(url).status == 404, "a new password ends what the old one was good for"
    gallery.update("users", {"id": family.USERS["anna"]}, password="hash-of-anna")


def test_it_says_nothing_else_and_to_nobody_else(daemon, place):
    url = link(daemon, place.here("sign", str(PARTY), "--user", "anna", "--type", "sq"))
    audience = parts_of(url)[2]
    for index, value in [(0, "3"), (1, "xx"), (2, "p"), (2, audience.replace("o", "m", 1)), (3, "99999999999")]:
        assert daemon.visitor().get(with_part(url, index, value)).status == 404


def test_it_ends_in_time(daemon, place):
    url = link(daemon, place.here("sign", str(PARTY), "--user", "anna", "--ttl", "1s"))
    until(lambda: daemon.visitor().get(url).status == 404)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([str(PARTY)], "not everybody may see photo 2"),
        ([str(PARTY), "--user", "carol"], "carol may not see photo 2"),
        ([str(LAKE), "--type", "e", "--user", "nobody"], "no user 'nobody'"),
        ([str(PARTY), "--user", "guest"], "no user 'guest' who can log in"),
        (["999"], "no photo 999"),
        ([str(LAKE), "--type", "3x"], "offers no '3x'"),
        ([str(LAKE), "--type", "huge"], "'huge' is nothing of a photo"),
        ([str(LAKE), "--ttl", "soon"], "write a duration"),
    ],
)
def test_what_cannot_be_signed_is_said_in_one_line(place, words, says):
    done = place.here("sign", *words)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_an_owner_who_binds_links_to_sessions_has_no_links_without_one(gallery, tmp_path):
    done = Installation(gallery, tmp_path, links={"bind_session": True}).here("sign", str(PARTY), "--user", "anna")
    assert done.code == 2
    assert "bind_session" in done.err
