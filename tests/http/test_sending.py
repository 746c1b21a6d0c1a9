"""Which bytes and headers leave, over a real connection."""

import contextlib
import os
from dataclasses import replace

import aiohttp
import pytest
from aiohttp.test_utils import RawTestServer

from pwgserve.cache.store import Entry
from pwgserve.finished import Finished
from pwgserve.http.ranges import Validators, http_date
from pwgserve.http.sending import CHUNK, DIRECT, PROXY_KEEPS, X_ACCEL, OpenFile, Sender, of_cache

CONTENT = os.urandom(2 * CHUNK + 10)
VALIDATORS = Validators('"a"', 1000)
TOLD = {"Content-Type": "image/jpeg", "Content-Disposition": "inline", "Cache-Control": "public", PROXY_KEEPS: "@99"}


@contextlib.asynccontextmanager
async def served(file, way=DIRECT):
    """Asks for a file, once; gives what came."""

    async def handle(request):
        with file:
            return await Sender(way, "/internal").send(request, file, TOLD, VALIDATORS)

    server = RawTestServer(handle)
    async with server, aiohttp.ClientSession() as session:

        async def ask(method="GET", **headers):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.request(method, server.make_url("/"), headers=named) as answer:
                return answer.status, answer.headers, await answer.read()

        yield ask


async def got(file, way=DIRECT, **asked):
    async with served(file, way) as ask:
        return await ask(**asked)


@pytest.fixture
def lying(tmp_path):
    """A file of the gallery, open: its path and what is to be sent."""
    path = tmp_path / "a photo.jpg"
    path.write_bytes(CONTENT)
    mtime = path.stat().st_mtime_ns
    descriptor = os.open(path, os.O_RDONLY)
    return path, OpenFile(descriptor, len(CONTENT), str(path), "originals/a photo.jpg", mtime=mtime)


@pytest.fixture(params=["of the gallery", "of the cache", "read"])
def file(request, lying):
    """The same, also as one that nobody writes to again, and as content that was read already and lies nowhere."""
    if request.param != "read":
        return lying[1] if request.param == "of the gallery" else replace(lying[1], mtime=None)
    os.close(lying[1].descriptor)
    return OpenFile(None, len(CONTENT), None, "cache/a", CONTENT)


async def test_all_of_a_file_is_sent_as_it_is_and_closed(file):
    status, headers, body = await got(file)
    assert (status, body) == (200, CONTENT)
    assert (
        headers.items() >= (TOLD | {"Accept-Ranges": "bytes", "ETag": '"a"', "Last-Modified": http_date(1000)}).items()
    )
    if file.descriptor is not None:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(file.descriptor)


@pytest.mark.parametrize(("start", "end"), [(0, 1), (5, CHUNK + 7), (CHUNK, 2 * CHUNK), (CHUNK + 1, len(CONTENT))])
async def test_a_part_is_sent_and_kept_by_no_proxy(file, start, end):
    status, headers, body = await got(file, Range=f"bytes={start}-{end - 1}")
    assert (status, body) == (206, CONTENT[start:end])
    assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert (headers["Content-Type"], headers[PROXY_KEEPS]) == ("image/jpeg", "0")


async def test_several_parts_are_sent_with_what_they_are_and_as_long_as_was_said(file):
    status, headers, body = await got(file, Range=f"bytes=3-4,-{CHUNK + 3}")
    assert (status, int(headers["Content-Length"]), headers[PROXY_KEEPS]) == (206, len(body), "0")
    kind, _, boundary = headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    first, second, end = body.split(f"\r\n--{boundary}".encode())[1:]
    assert first.endswith(b"\r\n\r\n" + CONTENT[3:5])
    assert second.endswith(b"\r\n\r\n" + CONTENT[-CHUNK - 3 :])
    assert b"Content-Type: image/jpeg\r\n" in first
    assert end == b"--\r\n"


async def test_head_says_what_get_would_and_sends_nothing(file):
    status, headers, body = await got(file, method="HEAD", Range="bytes=0-1")
    assert (status, headers["Content-Length"], headers["Accept-Ranges"], body) == (200, str(len(CONTENT)), "bytes", b"")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"If_None_Match": '"a"'}, 304),
        ({"If_Modified_Since": http_date(1000)}, 304),
        ({"If_Match": '"b"'}, 412),
        ({"If_Unmodified_Since": http_date(999)}, 412),
        ({"Range": "bytes=99999999-"}, 416),
    ],
)
@pytest.mark.parametrize("way", [DIRECT, X_ACCEL, "x-sendfile"])
async def test_what_sends_no_picture_says_none_and_is_kept_by_who_asked_alone(lying, way, asked, status):
    found, headers, _ = await got(lying[1], way, **asked)
    assert found == status
    assert headers.get("Content-Type") != "image/jpeg"
    assert not {"Content-Disposition", "X-Accel-Redirect", "X-Sendfile"} & set(headers)
    assert (headers.get(PROXY_KEEPS), headers["Cache-Control"]) == (
        ("@99", "public") if status == 304 else (None, "no-store")
    )
    assert headers.get("Content-Range") == (f"bytes */{len(CONTENT)}" if status == 416 else None)


async def test_a_proxy_is_told_what_to_send_unless_one_version_alone_is_wanted(lying):
    path, file = lying
    for way, told in (
        (X_ACCEL, ("X-Accel-Redirect", "/internal/originals/a%20photo.jpg")),
        ("x-sendfile", ("X-Sendfile", str(path))),
    ):
        again = OpenFile(os.dup(file.descriptor), file.size, file.path, file.internal, mtime=file.mtime)
        status, headers, body = await got(again, way, Range="bytes=0-1")
        assert (status, body) == (200, b"")
        assert told in headers.items()
        assert ("Accept-Ranges" in headers) == (way != X_ACCEL), "nginx says it itself"
    _, headers, body = await got(file, X_ACCEL, If_Match='"a"')
    assert (body, "X-Accel-Redirect" in headers) == (CONTENT, False)


async def test_a_proxy_is_handed_over_what_the_cache_has_and_sent_what_it_has_not():
    for is_stored in (True, False):
        file = of_cache(Finished("ab/cd/ef", Entry(None, 1, b"x"), was_rendered=True, is_stored=is_stored), "/cache/ab")
        _, headers, body = await got(file, X_ACCEL)
        assert headers.get("X-Accel-Redirect") == ("/internal/cache/ab/cd/ef" if is_stored else None)
        assert body == (b"" if is_stored else b"x")


@pytest.mark.parametrize("change", ["shorter", "rewritten"])
async def test_what_changes_while_it_is_sent_breaks_off(lying, change):
    path, file = lying
    if change == "shorter":
        os.truncate(path, CHUNK + 5)
        os.utime(path, ns=(file.mtime, file.mtime))
    else:
        path.write_bytes(bytes(len(CONTENT)))
    with pytest.raises(aiohttp.ClientError):
        await got(file)
