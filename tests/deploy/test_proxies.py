"""One suite for every web server, through exactly the files of deploy/."""

import contextlib
import subprocess
from pathlib import Path

import family
import pytest
from deployment import BASE, WAYS
from family import DOCUMENT, FILM, LAKE, LETTER, PARTY, VISIBLE
from waiting import until

FOLDERS = ("upload/", "galleries/", "_data/i/")


@pytest.mark.parametrize("name", ["guest", "carol", "anna", "emil"])
def test_every_viewer_gets_what_piwigo_shows_them_and_nothing_else(deployed, name):
    visitor = deployed.visitor(name)
    for photo in (LAKE, PARTY, LETTER, family.ORPHAN, family.LEVEL_4, family.WORKSHOP):
        answer = visitor.follow(deployed.size(photo))
        assert (answer.status == 200) == (photo in VISIBLE[name]), photo
        if answer.status == 200:
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.body[:3] == b"\xff\xd8\xff"
            assert answer.headers["x-pwgserve"] in ("hit", "render")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"].startswith("public," if photo == LAKE else "private,")


def test_a_picture_is_the_same_when_it_is_made_and_when_it_is_found(deployed):
    anna = deployed.visitor("anna")
    first, second = anna.follow(deployed.size(PARTY, "xs")), anna.follow(deployed.size(PARTY, "xs"))
    assert second.headers["x-pwgserve"] == "hit"
    assert first.body == second.body
    assert first.headers["etag"] == second.headers["etag"]


@pytest.mark.parametrize("form", ["i.php?/", "i?/", "i.php/", "i/", "_data/i/"])
def test_a_size_has_every_form_of_address_that_piwigo_may_be_set_to_write(deployed, form):
    path = deployed.gallery.paths[PARTY].replace(".jpg", "-xs.jpg")
    assert deployed.visitor("anna").follow(f"{BASE}{form}{path}").status == 200
    assert deployed.visitor("guest").follow(f"{BASE}{form}{path}").status == 404


def test_originals_films_and_names_with_spaces_arrive_whole(deployed):
    anna = deployed.visitor("anna")
    for photo in (LAKE, FILM, DOCUMENT):
        answer = anna.follow(deployed.original(photo))
        assert answer.status == 200
        assert answer.body == (deployed.gallery.root / deployed.gallery.paths[photo]).read_bytes()
        assert answer.headers["x-pwgserve"] == "original"


def test_parts_of_a_film_are_sent(deployed):
    anna = deployed.visitor("anna")
    link = anna.link(deployed.original(FILM))
    whole = (deployed.gallery.root / deployed.gallery.paths[FILM]).read_bytes()
    for asked, start, end in (("5-9", 5, 10), ("-7", len(whole) - 7, len(whole)), ("1000000-", 1000000, len(whole))):
        answer = anna.get(link, Range=f"bytes={asked}")
        assert (answer.status, answer.body) == (206, whole[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
    assert header_lines(anna, link, "Accept-Ranges") == ["bytes"]
    etag = anna.get(link, "HEAD").headers["etag"]
    assert anna.get(link, Range="bytes=0-3", If_Range=etag).status == 206
    other = anna.get(link, Range="bytes=0-3", If_Range='"another"')
    assert (other.status, len(other.body)) == (200, len(whole))
    outside = anna.get(link, Range=f"bytes={len(whole)}-")
    assert (outside.status, outside.headers["cache-control"]) == (416, "no-store")
    assert outside.headers["content-range"] == f"bytes */{len(whole)}"


def header_lines(visitor, target, name):
    """Every line with this header in the answer."""
    with contextlib.closing(visitor.connection()) as connection:
        connection.request("GET", target, headers={"Cookie": visitor.cookie})
        answer = connection.getresponse()
        answer.read()
        return answer.msg.get_all(name)


def test_a_browser_that_has_the_picture_is_told_so(deployed):
    anna = deployed.visitor("anna")
    for address in (deployed.size(LAKE), deployed.size(PARTY), deployed.original(PARTY)):
        link = anna.link(address)
        whole = anna.get(link)
        assert anna.get(link, If_None_Match=whole.headers["etag"]).status == 304
        assert anna.get(link, If_Modified_Since=whole.headers["last-modified"]).status == 304
        assert anna.get(link, If_None_Match='"another"').status == 200


def test_head_tells_the_size_and_sends_nothing(deployed):
    anna = deployed.visitor("anna")
    for address in (deployed.size(PARTY), deployed.original(FILM)):
        link = anna.link(address)
        whole, head = anna.get(link), anna.get(link, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert int(head.headers["content-length"]) == len(whole.body)
        assert head.headers["etag"] == whole.headers["etag"]


def test_http_2_carries_pictures(deployed):
    link = deployed.visitor().link(deployed.size(LAKE))
    url = f"https://localhost:{deployed.server.port}{link}"
    done = subprocess.run(
        ["curl", "-sk", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code} %{content_type}", url],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    assert done.stdout == "2 200 image/jpeg"


def test_files_of_the_gallery_are_never_sent_from_the_disk(deployed):
    stranger = deployed.visitor()
    party, lake = deployed.gallery.paths[PARTY], deployed.gallery.paths[LAKE]
    unknown = stranger.get(f"{BASE}upload/2026/05/14/never.jpg")
    assert unknown.status == 404
    for path in (
        party,
        party.replace("upload", "%75pload"),
        party.replace("/", "//"),
        party.replace("/", "/./"),
        "x/../" + party,
        "_data/i/" + party.replace(".jpg", "-me.jpg"),
        "upload/2026/05/14/pwg_representative/film.jpg",
    ):
        answer = stranger.get(BASE + path)
        assert (answer.status, answer.body) == (unknown.status, unknown.body), path
    # What anybody may see is led to its link, also from its file's own address.
    assert stranger.follow(f"{BASE}_data/i/" + lake.replace(".jpg", "-me.jpg")).headers["x-pwgserve"]
    for folder in FOLDERS:
        assert stranger.get(BASE + folder).status in (400, 404)


def test_no_program_among_the_uploads_is_run(deployed):
    for address in ("upload/2026/05/14/shell.php", "upload/2026/05/14/shell.php/x.jpg", "upload//2026/05/14/shell.php"):
        answer = deployed.visitor().get(BASE + address)
        assert (answer.status, answer.body) == (404, b"Not found\n")


def test_everything_else_stays_with_piwigo(deployed):
    stranger = deployed.visitor()
    assert stranger.get(f"{BASE}_data/combined/style.css").body == b"body {}\n"
    for page in ("index.php", "index.php?/category/1", ""):
        assert stranger.get(BASE + page).body == b"<html>a page</html>"


def test_what_strangers_say_of_themselves_and_of_files_does_nothing(deployed):
    path = deployed.gallery.paths[PARTY]
    stranger = deployed.visitor()
    refused = stranger.get(deployed.size(PARTY))
    for headers in (
        {"X_Remote_User": "anna"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Accel_Redirect": f"/_pwgserve/originals/{path}"},
        {"X_Sendfile": str(deployed.gallery.root / path)},
        {"X_Original_URL": f"{BASE}{path}"},
        {"X_Rewrite_URL": f"{BASE}{path}"},
    ):
        answer = stranger.get(deployed.size(PARTY), **headers)
        assert (answer.status, answer.body) == (refused.status, refused.body), headers
    for inner in (f"originals/{path}", "cache/", f"originals../photos/{path}"):
        assert stranger.get(f"/_pwgserve/{inner}").status == 404
    for name in ("health", "ready", "metrics"):
        assert stranger.get(f"/-/{name}").status == 404
        assert stranger.get(f"{BASE}-/{name}").status == 404


@pytest.mark.parametrize("deployed", [name for name, way in WAYS.items() if way.send_file != "direct"], indirect=True)
def test_an_error_of_the_web_servers_own_is_kept_by_nobody(deployed):
    """What it is to send may be gone, or closed to it. Kept like the picture, it would be seen long after it is mended."""
    visitor = deployed.visitor("guest")
    link = visitor.link(deployed.size(LAKE, "2s"))
    kept = []
    for _ in range(200):
        visitor.get(link)
        visitor.get(link)  # from the cache, so that a moment later the same is said again
        for file in Path(deployed.daemon.tables["cache"]["dir"]).glob("??/??/*"):
            file.unlink()
        with contextlib.closing(visitor.connection()) as connection:
            connection.request("GET", link)
            answer = connection.getresponse()
            answer.read()
        if answer.status != 200:
            kept = answer.msg.get_all("Cache-Control", ["no-store"])
            break
    assert answer.status == 404
    assert "no-store" in kept


def test_another_program_of_the_site_is_not_led_to_passwords_and_keys(deployed):
    """Whoever answers in nginx' server block may lead to what is internal; that shall not be more than pictures."""
    (deployed.gallery.root / "other.php").write_text("<?php /* stands for another program */\n")
    secret = deployed.gallery.root / "local/config/pwgserve.inc.php"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("the keys")
    try:
        for part in ("", "/", "./", "upload/../"):
            led = f"/_pwgserve/originals/{part}local/config/pwgserve.inc.php"
            assert b"the keys" not in deployed.visitor().get(f"{BASE}other.php?{led}").body, led
        assert b"the keys" not in deployed.visitor().get(f"{BASE}other.php?{secret}").body
    finally:
        secret.unlink()


def test_no_answer_names_a_file(deployed):
    anna = deployed.visitor("anna")
    for address in (deployed.size(PARTY), deployed.original(PARTY)):
        for answer in (anna.get(address), anna.follow(address)):
            assert not {"x-accel-redirect", "x-sendfile"} & set(answer.headers)
            assert str(deployed.gallery.root) not in str(answer.headers)


def test_a_photo_that_is_closed_is_closed_at_once(deployed, gallery):
    stranger = deployed.visitor()
    link = stranger.link(deployed.size(LAKE, "th"))
    assert stranger.get(link).status == 200
    gallery.update("images", {"id": LAKE}, level=8)
    try:
        until(lambda: stranger.get(link).status == 404)
    finally:
        gallery.update("images", {"id": LAKE}, level=0)
    until(lambda: stranger.get(link).status == 200)
    until(lambda: stranger.get(deployed.size(LAKE, "th")).status == 302)  # by a question of its own


def test_what_asks_for_one_version_gets_that_version(deployed):
    """nginx would compare the condition with its own file's time and with no tag at all."""
    visitor = deployed.visitor()
    link = visitor.link(deployed.size(LAKE))
    whole = visitor.get(link)
    tag, date = whole.headers["etag"], whole.headers["last-modified"]
    for _ in range(2):  # also what is repeated
        assert visitor.get(link, If_Match=tag).body == whole.body
        assert visitor.get(link, If_Unmodified_Since=date).body == whole.body
        assert visitor.get(link, If_Match=tag, Range="bytes=0-9").status == 206
        assert visitor.get(link).status == 200
    assert visitor.get(link, If_Match='"another"').status == 412
    for part in ("bytes=0-9", "bytes=-9"):
        assert visitor.get(link, If_Match='"another"', Range=part).status == 412
        assert visitor.get(link, If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT", Range=part).status == 412
    assert visitor.get(link, If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT").status == 412
