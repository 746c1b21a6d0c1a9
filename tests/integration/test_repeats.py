"""The same request again and again: the same answer, for the same viewer, and never for longer than is promised."""

import re
import socket
import time
from pathlib import Path

import family
import pytest
from family import LAKE, PARTY, USERS

from pwgserve.answers.freshness import PROMISED_AGE


def medium(gallery, photo):
    return "/i.php?/" + gallery.paths[photo].replace(".jpg", "-me.jpg")


@pytest.fixture
def lake(daemon, gallery):
    """A public link whose picture is in the cache."""
    visitor = daemon.visitor()
    link = visitor.link(medium(gallery, LAKE))
    visitor.get(link)
    return link


class Connection:
    """One connection that stays, on which answers are read one by one."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._file = self._socket.makefile("rb")

    def send(self, *requests):
        self._socket.sendall("".join(requests).encode())

    def answer(self, has_body=True):
        status = int(self._file.readline().split()[1])
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        length = int(headers.get("content-length", 0)) if has_body and status not in (304,) else 0
        return status, headers, self._file.read(length)


def get(link, method="GET", **headers):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {link} HTTP/1.1\r\nHost: x\r\n{lines}\r\n"


def repeated(daemon):
    return len(re.findall(r'"repeated": true', daemon.log))


def test_a_repeated_answer_is_the_same_answer(daemon, lake):
    before = repeated(daemon)
    connection, answers = Connection(daemon.port), []
    # On a busy machine a decision may be too old before the next request is read.
    deadline = time.monotonic() + 60
    while (len(answers) < 20 or repeated(daemon) == before) and time.monotonic() < deadline:
        connection.send(get(lake))
        answers.append(connection.answer())
    assert repeated(daemon) > before
    assert len({(status, body) for status, _, body in answers}) == 1
    assert {frozenset(headers) for _, headers, _ in answers} == {frozenset(answers[0][1])}
    assert answers[0][0] == 200
    assert len(answers[0][2]) > 1000


def test_what_comes_between_repeats_is_answered_as_ever(daemon, lake):
    connection = Connection(daemon.port)
    connection.send(get(lake))
    _, headers, body = connection.answer()
    for _ in range(5):
        connection.send(get(lake))
        assert connection.answer()[2] == body
        connection.send(get(lake, "HEAD"))
        assert connection.answer(has_body=False)[:1] == (200,)
        connection.send(get(lake, If_None_Match=headers["etag"]))
        assert connection.answer()[0] == 304
        connection.send(get(lake, Range="bytes=3-9"))
        assert connection.answer()[::2] == (206, body[3:10])
        connection.send(get(lake, "POST", Content_Length="0"))
        assert connection.answer()[0] == 405
        connection.send(get(lake.replace(".p.", ".p1.")))
        assert connection.answer()[0] == 404
    connection.send(get(lake, Connection="close"))
    assert connection.answer()[2] == body
    assert connection._file.read() == b"", "and closed"


def test_requests_that_are_sent_together_are_answered_in_their_order(daemon, lake):
    connection = Connection(daemon.port)
    connection.send(get(lake))
    body = connection.answer()[2]
    connection.send(get(lake), get(lake, Range="bytes=0-0"), get(lake), get("/nothing"), get(lake))
    assert [connection.answer()[::2] for _ in range(5)][::2] == [(200, body)] * 3
    request = get(lake)
    connection.send(request[:20])
    time.sleep(0.05)
    connection.send(request[20:])
    assert connection.answer()[2] == body


def test_who_reads_nothing_is_held_up_and_misses_nothing(daemon, lake):
    connection = Connection(daemon.port)
    connection.send(get(lake))
    body = connection.answer()[2]
    (process,) = daemon.processes()
    before = _memory(process)
    for _ in range(400):
        connection.send(get(lake))
    time.sleep(1)
    assert _memory(process) - before < 20_000_000
    assert all(connection.answer()[2] == body for _ in range(400))


def _memory(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_a_link_that_is_bound_to_a_session_is_repeated_for_that_session_alone(gallery, start):
    daemon = start(gallery, links={"bind_session": True})
    link = daemon.visitor(family.cookie("anna")).link(medium(gallery, PARTY))
    visitors = [(Connection(daemon.port), name) for name in ("anna", "ben", "nobody")]
    deadline, rounds = time.monotonic() + 60, 0
    while (rounds < 10 or repeated(daemon) == 0) and time.monotonic() < deadline:
        rounds += 1
        for connection, name in visitors:
            connection.send(get(link, Cookie=f"pwg_id={name}session"))
            assert connection.answer()[0] == (200 if name == "anna" else 404)
            connection.send(get(link, Cookie=f"pwg_id={name}session"))
            assert connection.answer()[0] == (200 if name == "anna" else 404)
    assert repeated(daemon) > 0


def test_what_is_taken_away_is_refused_in_time_however_often_it_is_asked_for(daemon, gallery):
    ben = daemon.visitor(family.cookie("ben"))
    link = ben.link(medium(gallery, PARTY))
    assert ben.get(link).status == 200
    gallery.delete("user_group", user_id=USERS["ben"])
    try:
        taken, last = time.monotonic(), 0.0
        while (now := time.monotonic()) < taken + PROMISED_AGE + 1:
            if ben.get(link).status == 200:
                last = now
        assert last < taken + PROMISED_AGE
    finally:
        gallery.insert("user_group", group_id=family.FAMILY, user_id=USERS["ben"])
        time.sleep(PROMISED_AGE)


def test_an_old_client_is_told_that_its_connection_stays(daemon, lake):
    """HTTP/1.0 waits for the end of the connection unless it is told."""
    connection = Connection(daemon.port)
    for _ in range(20):
        connection.send(get(lake, Connection="keep-alive").replace(" HTTP/1.1", " HTTP/1.0"))
        status, headers, _ = connection.answer()
        assert (status, headers["connection"].lower()) == (200, "keep-alive")
        connection.send(get(lake))
        assert connection.answer()[0] == 200
