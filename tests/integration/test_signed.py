import threading
import time
from email.utils import parsedate_to_datetime

import family
import pytest
import pyvips
from family import DOCUMENT, FILM, LAKE, PARTY
from links import expiry_of

from pwgserve.answers.freshness import PROMISED_AGE
from pwgserve.piwigo.derivatives import DEFAULTS
from pwgserve.piwigo.sizing import compute


@pytest.fixture
def anna(daemon):
    return daemon.visitor(family.cookie("anna"))


@pytest.fixture
def film(anna):
    """The signed URL of the original film, 1 MiB."""
    return anna.link(f"/action.php?id={FILM}&part=e")


def lake(gallery, code):
    return "/i.php?/" + gallery.paths[LAKE].replace(".jpg", f"-{code}.jpg")


@pytest.mark.parametrize("code", DEFAULTS.types)
def test_a_derivative_has_the_size_that_piwigo_computes(daemon, gallery, code):
    params = DEFAULTS.types[code]
    _, expected = compute(params.ideal, params.max_crop, params.min_size, family.LARGE, None)
    image = pyvips.Image.new_from_buffer(daemon.visitor().follow(lake(gallery, code)).body, "")
    assert (image.width, image.height) == expected


def test_a_picture_has_the_headers_that_keep_it_safe_and_fast(daemon, gallery):
    answer = daemon.visitor().follow(lake(gallery, "me"))
    headers = answer.headers
    assert answer.status == 200
    assert headers["content-type"] == "image/jpeg"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "sandbox" in headers["content-security-policy"]
    assert headers["cache-control"].startswith("public, max-age=")
    assert headers["cache-control"].endswith(", immutable")
    assert headers["accept-ranges"] == "bytes"
    assert headers["server"] == "pwgserve"
    name = "inline; filename=\"Evening at the lake, 'Chiemsee' _ Gr__e-medium.jpg\"; filename*=UTF-8''"
    assert headers["content-disposition"].startswith(name + "Evening%20at%20the%20lake%2C%20%22Chiemsee%22")
    assert int(headers["content-length"]) == len(answer.body)


def test_a_picture_for_one_viewer_is_private(anna, gallery):
    headers = anna.follow("/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-me.jpg")).headers
    assert headers["cache-control"].startswith("private, max-age=")
    assert headers["cross-origin-resource-policy"] == "same-site"


def test_the_second_time_comes_from_the_cache(daemon, gallery):
    path = lake(gallery, "xs")
    daemon.visitor().follow(path)
    assert daemon.visitor().follow(path).headers["x-pwgserve"] == "hit"


def test_head_is_get_without_the_picture(anna, daemon, gallery, film):
    for link in (daemon.visitor().link(lake(gallery, "me")), film):
        got, head = anna.get(link), anna.get(link, method="HEAD")
        assert head.status == 200
        assert head.body == b""
        assert head.headers.keys() == got.headers.keys()
        # Those that tell the time, or how long it is until a time, may differ by a second.
        timely = ("date", "x-accel-expires", "cache-control", "x-pwgserve")
        assert {k: v for k, v in head.headers.items() if k not in timely} == {
            k: v for k, v in got.headers.items() if k not in timely
        }


def test_who_has_the_picture_already_is_told_so(anna, film):
    first = anna.get(film)
    for headers in (
        {"If_None_Match": first.headers["etag"]},
        {"If_None_Match": '"other", W/' + first.headers["etag"]},
        {"If_None_Match": "*"},
        {"If_Modified_Since": first.headers["last-modified"]},
    ):
        answer = anna.get(film, **headers)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == first.headers["etag"]
    assert anna.get(film, If_None_Match='"other"', If_Modified_Since=first.headers["last-modified"]).status == 200
    assert anna.get(film, If_Modified_Since="yesterday").status == 200


def test_last_modified_is_the_sources(anna, gallery, film):
    modified = (gallery.root / gallery.paths[FILM]).stat().st_mtime
    assert parsedate_to_datetime(anna.get(film).headers["last-modified"]).timestamp() == int(modified)


SIZE = 256 * 4096


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=300000-", 300_000, SIZE),
        ("bytes=-500", SIZE - 500, SIZE),
        ("bytes=0-99999999", 0, SIZE),
        ("bytes=-99999999", 0, SIZE),
        ("Bytes = 5-9", 5, 10),
        ("bytes=0-1,", 0, 2),
    ],
)
def test_a_range_of_a_film_is_sent(anna, gallery, film, asked, start, end):
    answer = anna.get(film, Range=asked)
    assert answer.status == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.body == (gallery.root / gallery.paths[FILM]).read_bytes()[start:end]


def test_several_ranges_are_sent_as_parts(anna, gallery, film):
    answer = anna.get(film, Range="bytes=0-9, 100-104,-3")
    whole = (gallery.root / gallery.paths[FILM]).read_bytes()
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert (answer.status, kind) == (206, "multipart/byteranges")
    parts = answer.body.split(f"\r\n--{boundary}".encode())
    assert parts[-1] == b"--\r\n"
    bodies = []
    for part in parts[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        assert b"Content-Type: video/mp4" in head
        bodies.append((head.rpartition(b"Content-Range: ")[2], body))
    assert bodies == [
        (b"bytes 0-9/1048576", whole[:10]),
        (b"bytes 100-104/1048576", whole[100:105]),
        (b"bytes 1048573-1048575/1048576", whole[-3:]),
    ]


@pytest.mark.parametrize("asked", ["bytes=1048576-", "bytes=-0", "bytes=9999999-99999999"])
def test_a_range_outside_the_film_is_not_satisfiable(anna, film, asked):
    answer = anna.get(film, Range=asked)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */1048576")


@pytest.mark.parametrize(
    "asked", ["bytes", "bytes=", "bytes=a-b", "bytes=9-5", "lines=1-2", "bytes=--5", "bytes=1-2-3"]
)
def test_what_is_no_range_is_ignored(anna, film, asked):
    assert anna.get(film, Range=asked).status == 200


def test_ranges_that_would_multiply_the_film_get_it_once(anna, film):
    assert anna.get(film, Range="bytes=" + ",".join(["0-"] * 5)).status == 200
    assert anna.get(film, Range="bytes=" + ",".join(f"{i}-{i}" for i in range(500))).status == 200


def test_if_range_sends_a_part_of_the_same_version_only(anna, film):
    headers = anna.get(film).headers
    assert anna.get(film, Range="bytes=0-4", If_Range=headers["etag"]).status == 206
    assert anna.get(film, Range="bytes=0-4", If_Range=headers["last-modified"]).status == 206
    assert anna.get(film, Range="bytes=0-4", If_Range='"other"').status == 200
    assert anna.get(film, Range="bytes=0-4", If_Range="W/" + headers["etag"]).status == 200


def test_a_head_says_how_long_all_of_it_is(anna, film):
    answer = anna.get(film, "HEAD", Range="bytes=0-9")
    assert (answer.status, answer.headers["content-length"]) == (200, str(SIZE))


def test_what_only_this_question_has_is_kept_by_nobody_else(daemon, gallery):
    """nginx keeps what it is told to keep, whatever its status is."""
    visitor = daemon.visitor()
    link = visitor.link("/action.php?id=1&part=e")
    assert visitor.get(link).headers["x-accel-expires"].startswith("@")
    assert visitor.get(link, Range="bytes=0-9").headers["x-accel-expires"] == "0"
    for conditions, status in (({"Range": "bytes=99999999-"}, 416), ({"If_Match": '"other"'}, 412)):
        answer = visitor.get(link, **conditions)
        assert (answer.status, answer.headers["cache-control"]) == (status, "no-store")
        assert "x-accel-expires" not in answer.headers


def test_every_line_of_a_condition_counts(daemon):
    visitor = daemon.visitor()
    link = visitor.link("/action.php?id=1&part=e")
    tag = visitor.get(link).headers["etag"]
    connection = visitor.connection()
    connection.putrequest("GET", link)
    for value in ('"one"', tag):
        connection.putheader("If-None-Match", value)
    connection.endheaders()
    assert connection.getresponse().status == 304
    connection.close()


def test_a_document_is_shown_in_place(daemon):
    answer = daemon.visitor().follow(f"/action.php?id={DOCUMENT}&part=e")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'inline; filename="Guide.pdf"'


def test_however_many_ask_at_once_it_is_rendered_once(gallery, start):
    daemon = start(gallery)
    link = daemon.visitor().link(lake(gallery, "xx"))
    answers = []

    def ask():
        answers.append(daemon.visitor().get(link))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    metrics = daemon.visitor().get("/-/metrics").body.decode()
    assert "pwgserve_render_seconds_count 1.0" in metrics
    assert len(list((daemon.directory / "cache").glob("??/??/*"))) == 1


def test_names_in_the_cache_tell_nothing_of_the_gallery(daemon, gallery, start):
    names = []
    for one in (daemon, start(gallery)):
        one.visitor().follow(lake(gallery, "sq"))
        cache = one.directory / "cache"
        names.append({str(file.relative_to(cache)) for file in cache.glob("??/??/*")})
    (name,) = names[1]
    assert names[0]
    assert name not in names[0], "the name depends on a secret"
    assert "20260514" not in name


def test_a_link_works_across_restarts_and_a_missing_keys_file_ends_all_links(gallery, start):
    daemon = start(gallery)
    link = daemon.visitor().link(lake(gallery, "me"))
    daemon.stop()
    daemon.start()
    assert daemon.visitor().get(link).status == 200
    daemon.stop()
    (daemon.directory / "keys").unlink()
    daemon.start()
    assert daemon.visitor().get(link).status == 404


def test_an_older_key_of_the_ring_is_still_believed(gallery, start):
    import json
    import secrets

    daemon = start(gallery)
    link = daemon.visitor().link(lake(gallery, "me"))
    daemon.stop()
    keys = daemon.directory / "keys"
    content = json.loads(keys.read_text())
    content["link_keys"].append(secrets.token_hex(32))
    keys.write_text(json.dumps(content))
    daemon.start()
    assert daemon.visitor().get(link).status == 200
    assert daemon.visitor().link(lake(gallery, "me")) != link


def test_the_keys_file_is_for_its_owner_only(daemon):
    assert (daemon.directory / "keys").stat().st_mode & 0o777 == 0o600


def test_an_expired_link_leads_its_own_viewer_to_a_fresh_one_and_nobody_else(gallery, start, clock):
    daemon = start(gallery, clock.environment, links={"ttl": "10m"})
    anna = daemon.visitor(family.cookie("anna"))
    public = daemon.visitor().link(lake(gallery, "me"))
    private = anna.link("/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-me.jpg"))
    assert anna.get(private).status == 200
    clock.set_to(expiry_of(private))
    fresh = anna.get(private)
    assert fresh.status == 302
    assert fresh.headers["cache-control"] == "no-store"
    assert anna.get(fresh.location).status == 200
    assert daemon.visitor().get(private).status == 404
    assert daemon.visitor(family.cookie("ben")).get(private).status == 404
    assert daemon.visitor().get(public).status == 404


def test_whoever_has_nothing_but_a_link_gets_none_that_lives_longer(gallery, start, clock):
    """A picture that is edited leads to its new link: not for longer than the old one would have worked."""
    daemon = start(gallery, clock.environment, links={"ttl": "10m"})
    anna, stranger = daemon.visitor(family.cookie("anna")), daemon.visitor()
    target = "/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-sq.jpg")
    link = anna.link(target)
    clock.jump(5 * 60 + 1)
    assert expiry_of(anna.link(target)) > expiry_of(link), "from here on hers live longer"
    with gallery.restored():
        with (gallery.root / gallery.paths[PARTY]).open("ab") as file:
            file.write(b"edited")
        time.sleep(PROMISED_AGE)
        for other in (stranger, daemon.visitor(family.cookie("carol"))):
            led = other.get(link)
            assert led.status == 302
            assert expiry_of(led.location) <= expiry_of(link), "nor by having logged in as somebody else"
            assert other.get(led.location).status == 200
        assert expiry_of(anna.get(link).location) > expiry_of(link), "who is logged in has a new one anyway"
    time.sleep(PROMISED_AGE)
