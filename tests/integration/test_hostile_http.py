"""Requests that no browser sends: a clear refusal, never a traceback, never a 500, and the daemon goes on."""

import json
import socket
from pathlib import Path

import family
import pytest

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/i-php-requests.json").read_text())


def raw(daemon, data: bytes, patience: float = 60) -> bytes:
    """All that comes back until the daemon closes, or says nothing for so many seconds."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as connection:
        connection.sendall(data)
        connection.settimeout(patience)
        received = b""
        try:
            while chunk := connection.recv(65_536):
                received += chunk
        except (TimeoutError, ConnectionResetError):
            pass  # it waits for more, or has closed on data that it did not want to read
        return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/%", {400, 404}),
        (b"/%zz", {404}),
        (b"/upload/%ff%fe.jpg", {400}),
        (b"/upload/%00.jpg", {404}),
        (b"/upload/a%0d%0ab.jpg", {404}),
        (b"/i.php?/upload/%00-me.jpg", {400}),
        (b"/i.php?/../../etc/passwd-me.jpg", {404}),
        (b"/i.php?/upload/..%2f..%2flocal/x-me.jpg", {404}),
        (b"/i.php?/upload/..\\x-me.jpg", {400}),
        (b"/i.php?" + b"a" * 5000, {400}),
        (b"/i.php?/x-me.jpg" + b"&a=b" * 300, {400}),
        (b"/pwgs/" + b"A" * 5000 + b".jpg", {400}),
        (b"/pwgs/" + b"A" * 3000 + b".jpg", {404}),
        (b"/pwgs/1.me.p.99999999999.AAAAAAAAAAAAAAAA." + b"A" * 43 + b".jpg", {404}),
        (b"/pwgs/\xc3\xa9.jpg", {400, 404}),
        (b"/pwgs/%31.jpg", {404}),
        (b"http://elsewhere.example/action.php?id=2&part=e", {404}),
        (b"*", {400, 404}),
        (b"//action.php?id=1&part=e", {404}),
        (b"/action.php/../action.php?id=2&part=e", {404}),
        (b"/action.php?id=1e999&part=e", {400, 404}),
        (b"/action.php?id=" + b"9" * 400 + b"&part=e", {400, 404}),
        (b"/action.php?id=0x1&part=e", {400}),
        (b"/action.php?id=%31&part=%65", {302}),
        (b"/-/", {404}),
        (b"/-/../action.php?id=2&part=e", {404}),
    ],
)
def test_a_strange_target_is_refused(daemon, target, expected):
    answer = raw(daemon, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status_of(answer) in expected
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_without_a_word_about_the_software(daemon, data):
    answer = raw(daemon, data, 2)
    if answer:
        assert status_of(answer) in (400, 404, 405)
        assert b"aiohttp" not in answer
        assert b"Python" not in answer
        assert b"aaaa" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-" + "9" * 4000},
        {"Range": "bytes=" + "1-2," * 1500},
        {"If_None_Match": '"' * 4000},
        {"If_Modified_Since": "Thu, 99 Foo 99999 99:99:99 GMT"},
        {"If_Range": "Thu, 99 Foo 99999 99:99:99 GMT", "Range": "bytes=0-1"},
        {"If_Modified_Since": "Thu, 01 Jan 0001 00:00:00 +9999"},
        {"X_Forwarded_For": "1.2.3.4," * 900},
        {"X_Forwarded_For": "::ffff:127.0.0.1"},
        {"X_Forwarded_For": "256.1.1.1, ::::"},
        {"X_Accel_Redirect": "/etc/passwd"},
        {"Cookie": "pwg_id=annasession; " + "a=b; " * 1400},
    ],
    ids=lambda headers: "+".join(headers),
)
def test_strange_headers_change_nothing(daemon, headers):
    answer = daemon.visitor().follow("/action.php?id=1&part=e", **headers)
    assert answer.status in (200, 206, 304)


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: str(case)[:70])
def test_i_php_requests_are_malformed_here_when_they_are_in_piwigo(daemon, case):
    request, status = case["request"], case["status"]
    target = ("/" + request.removeprefix("/")).encode()
    answer = status_of(raw(daemon, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert (answer == 400) == (status == 400), (case, answer)


def test_two_requests_on_one_connection_never_mix(daemon, gallery):
    party = gallery.paths[family.PARTY]
    first = f"GET /{party} HTTP/1.1\r\nHost: x\r\nCookie: pwg_id=annasession\r\n\r\n".encode()
    second = f"GET /{party} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    answer = raw(daemon, first + second)
    assert answer.count(b"HTTP/1.1 302") == 1
    assert answer.count(b"HTTP/1.1 404") == 1
    assert answer.index(b"HTTP/1.1 302") < answer.index(b"HTTP/1.1 404")


def test_the_daemon_goes_on(daemon):
    assert daemon.visitor().follow("/action.php?id=1&part=e").status == 200
