"""Connections that want to drown the daemon: idle ones, slow ones, endless ones; and a renderer that has too much to do."""

import contextlib
import fcntl
import itertools
import json
import os
import resource
import select
import signal
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import family
import pytest
from daemon import Daemon
from waiting import until
from wire import connected, exchange, received, request, statuses

PUBLIC = "/action.php?id=1&part=e"
MOST = 100
MEGABYTE = 1_000_000
SECONDS = 120
"""In which a connection must be cut off whose limit is a second or two: the machine may be busy."""


@pytest.fixture(scope="module")
def limited(gallery, tmp_path_factory):
    settings = {
        "server": {"max_connections": MOST, "header_timeout": "2s", "idle_timeout": "3s", "send_timeout": "2s"},
        "render": {"workers": 1, "queue": 6},
    }
    running = Daemon(gallery, tmp_path_factory.mktemp("limited"), settings).start()
    yield running
    running.stop()
    assert "unexpected-error" not in running.log


@pytest.fixture
def many_files():
    """Lets this process have enough connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard != resource.RLIM_INFINITY else 4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory_of(daemon):
    (pid,) = daemon.processes()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def sockets_of(daemon):
    """How many it holds. Its open files would say so, too, to root."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{daemon.port:04X}") and line[9] != "0" for line in lines)


def is_cut_off(connection, seconds=SECONDS):
    """Whether the other side ends the connection in time, without our reading or writing anything."""
    poll = select.poll()
    poll.register(connection, select.POLLERR | select.POLLHUP | select.POLLRDHUP)
    return bool(poll.poll(seconds * 1000))


def test_a_thousand_idle_connections_keep_nobody_out(limited, many_files):
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connected(limited.port))
        for _ in range(20):
            assert limited.visitor().follow(PUBLIC).status == 200
        assert sockets_of(limited) < MOST + 50


def test_connections_that_are_idle_after_a_request_make_room_too(limited, many_files):
    with contextlib.ExitStack() as stack:
        for _ in range(MOST + 50):
            connection = stack.enter_context(connected(limited.port))
            connection.sendall(request("/nothing"))
            assert connection.recv(10_000).startswith(b"HTTP/1.1 404")
        for _ in range(20):
            assert limited.visitor().follow(PUBLIC).status == 200


@pytest.mark.parametrize("before", ["", "one request"])
def test_a_request_that_never_ends_is_cut_off(limited, before):
    with connected(limited.port) as connection:
        if before:
            connection.sendall(request("/nothing"))
            assert connection.recv(10_000).startswith(b"HTTP/1.1 404")
        ended = time.monotonic() + SECONDS
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        while time.monotonic() < ended and not is_cut_off(connection, 0.2):
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"a")
        assert time.monotonic() < ended


def test_a_body_that_never_ends_is_cut_off(limited):
    with connected(limited.port) as connection:
        connection.sendall(request(PUBLIC, "Content-Length: 1000000"))
        assert connection.recv(10_000).startswith(b"HTTP/1.1 302")
        assert is_cut_off(connection)


def narrow(daemon):
    """A connection with little room for what comes."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", daemon.port))
    return connection


@contextlib.contextmanager
def film_of(daemon, gallery, megabytes):
    """The link to a film that has this size meanwhile."""
    film = gallery.root / gallery.paths[family.FILM]
    whole = film.read_bytes()
    film.write_bytes(os.urandom(MEGABYTE) * megabytes)
    try:
        time.sleep(1.1)
        yield daemon.visitor(family.cookie("anna")).link("/" + gallery.paths[family.FILM])
    finally:
        film.write_bytes(whole)


@contextlib.contextmanager
def asked_for_a_film(daemon, gallery, megabytes, *headers):
    """A narrow connection along which a film of this size is asked for."""
    with film_of(daemon, gallery, megabytes) as link, narrow(daemon) as connection:
        connection.sendall(request(link, *headers))
        yield connection


def test_who_takes_nothing_is_cut_off(limited, gallery):
    with asked_for_a_film(limited, gallery, 40) as connection:
        assert is_cut_off(connection)
        assert len(received(connection)) < 40 * MEGABYTE


@pytest.mark.parametrize("headers", [(), ("Connection: close",)], ids=["stays", "ends"])
def test_what_is_left_of_an_answer_keeps_no_connection_open(limited, gallery, many_files, headers):
    """Nor if it is so little that nobody waits for it: who has some hundred of those could keep everybody out."""
    with film_of(limited, gallery, 6) as link, contextlib.ExitStack() as stack:
        # How much the kernel takes is its own affair. Of one of these answers it leaves a little.
        for size in range(50_000, 90 * 50_000, 50_000):
            connection = stack.enter_context(narrow(limited))
            connection.sendall(request(link, f"Range: bytes=0-{size}", *headers))
        until(lambda: limited.metric("pwgserve_connections") == 1)  # this question's own


@pytest.mark.parametrize(
    "data",
    [
        request("/", "X: " + "a" * 9_000),
        request("/", "X" * 9_000 + ": a"),
        request("/", *(f"X{number}: a" for number in range(300))),
        request("/", "Cookie: " + "a=b; " * 3_000),
        request("/" + "a" * 9_000),
        b"A" * 9_000 + b" / HTTP/1.1\r\n\r\n",
    ],
    ids=["a value", "a name", "a number", "cookies", "a target", "a method"],
)
def test_headers_beyond_measure_are_refused(limited, data):
    answer = exchange(limited.port, data)
    assert statuses(answer) == [400]
    assert b"aaaa" not in answer


@pytest.mark.parametrize("endless", [b"X: y\r\n", b"a" * 1000, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"])
def test_what_is_sent_without_end_is_not_kept(limited, endless):
    before = memory_of(limited)
    sent, chunk = 0, endless * (65_536 // len(endless))
    with connected(limited.port, 5) as connection:
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(b"" if endless.startswith(b"GET") else b"GET / HTTP/1.1\r\nHost: x\r\n")
            while sent < 40 * MEGABYTE:
                connection.sendall(chunk)
                sent += len(chunk)
        # Requests that are whole are answered one after the other, and read no faster than that.
        assert endless.startswith(b"GET") or is_cut_off(connection)
    assert memory_of(limited) - before < 30 * MEGABYTE
    assert limited.visitor().follow(PUBLIC).status == 200


def send_headers_without_end(connection):
    """Each within its limit, as many as there may be, one after the other."""
    with contextlib.suppress(ConnectionError):
        for number in range(100):
            connection.sendall(f"X{number}: {'a' * 8_000}\r\n".encode())
            time.sleep(0.001)


def test_requests_that_are_never_complete_take_little_memory(daemon):
    before = memory_of(daemon)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connected(daemon.port)) for _ in range(60)]
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        # All at once: each must have asked for too much before it has taken too long.
        with ThreadPoolExecutor(len(connections)) as pool:
            list(pool.map(send_headers_without_end, connections))
        assert memory_of(daemon) - before < 40 * MEGABYTE
        assert [statuses(received(connection)) for connection in connections] == [[400]] * 60
    assert daemon.visitor().follow(PUBLIC).status == 200


def test_a_request_that_is_never_complete_is_refused_after_the_one_before_it(daemon):
    with connected(daemon.port) as connection:
        connection.sendall(request("/nothing") + b"GET / HTTP/1.1\r\nHost: x\r\n")
        send_headers_without_end(connection)
        assert statuses(received(connection)) == [404, 400]


def test_a_body_is_not_taken_for_headers(daemon):
    """Its sender is refused for it, and not before it could be read: Piwigo's plugin asks long questions."""
    signed = ("X-Pwgserve-Time: 1", "X-Pwgserve-Nonce: " + "0" * 32, "X-Pwgserve-Signature: " + "0" * 64)
    with connected(daemon.port) as connection:
        connection.sendall(request("/-/plugin/status", "Content-Length: 200000", *signed, method="POST"))
        for _ in range(20):
            connection.sendall(b"a" * 10_000)
            time.sleep(0.001)
        assert statuses(received(connection)) == [405]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_log_that_nobody_takes_keeps_nobody_from_a_picture(gallery, tmp_path, kind):
    """A stranger makes the lines, and whoever should take them has stopped: a journal on a slow disk, a container's log."""
    reading, writing = os.pipe() if kind == "pipe" else (end.detach() for end in socket.socketpair())
    if kind == "pipe":
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    else:
        socket.socket(fileno=os.dup(writing)).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    daemon = Daemon(gallery, tmp_path, preexec=lambda: os.dup2(writing, 2)).start()
    stranger = daemon.visitor()
    for number in range(60):
        assert stranger.get(f"/i.php?/upload/2026/{number}-th.jpg").status == 404
    assert not select.select([], [writing], [], 0)[1], "there is room left"
    assert daemon.visitor().follow(PUBLIC).status == 200
    daemon.stop()
    for end in (reading, writing):
        os.close(end)


def test_finished_pictures_are_served_while_the_renderer_is_saturated(limited, gallery):
    lake = gallery.paths[family.LAKE]
    hit = limited.visitor().link(f"/i.php?/{lake.replace('.jpg', '-th.jpg')}")
    assert limited.visitor().get(hit).status == 200

    def seconds():
        started = time.perf_counter()
        answer = limited.visitor().get(hit)
        assert (answer.status, answer.headers["x-pwgserve"]) == (200, "hit")
        return time.perf_counter() - started

    calm = statistics.median(seconds() for _ in range(100))
    # More photos than two workers and the queue hold, as sizes of one photo are made in one go; and more by two, as the
    # second worker may be done with one before it is stopped.
    visible = (family.LAKE, family.BELOW, family.SHARED, family.LETTER, family.TWO_PRIVATE, family.PARTY)
    photos = (gallery.paths[photo] for photo in visible)
    codes = ("2s", "xs", "sm", "me", "la")
    cold = [f"/i.php?/{path.replace('.jpg', f'-{code}.jpg')}" for path, code in itertools.product(photos, codes)]
    links = [limited.visitor(family.cookie("anna")).link(target) for target in cold]
    stopped = set()
    try:
        with ThreadPoolExecutor(len(links)) as pool:
            for pid in limited.workers():
                os.kill(pid, signal.SIGSTOP)
                stopped.add(pid)
            asked = [
                pool.submit(limited.visitor(family.cookie("anna"), X_Forwarded_For=f"203.0.113.{number % 5}").get, link)
                for number, link in enumerate(links)
            ]
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline and not any(one.done() and one.result().status == 503 for one in asked):
                time.sleep(0.005)
                for pid in set(limited.workers()) - stopped:  # the one for a second client
                    os.kill(pid, signal.SIGSTOP)
                    stopped.add(pid)
            # Of what the machine does besides, several tries meet a calm moment: of a queue they meet the same end.
            saturated = min(statistics.median(seconds() for _ in range(25)) for _ in range(4))
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            answers = [one.result() for one in asked]
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert {answer.status for answer in answers} == {200, 503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers if answer.status == 503)
    assert saturated < 10 * calm + 0.05


def test_a_broken_picture_is_remembered_until_it_is_mended(limited, gallery):
    party, cookie = gallery.paths[family.PARTY], family.cookie("anna")
    file = gallery.root / party
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    try:
        time.sleep(1.1)
        target = f"/i.php?/{party.replace('.jpg', '-sm.jpg')}"
        before = limited.log.count('"unrenderable"')
        for _ in range(3):
            answer = limited.visitor(cookie).follow(target)
            assert (answer.status, answer.headers["cache-control"]) == (422, "no-store")
            assert limited.visitor().get(target).status == 404, "nobody else learns that there is a picture"
        until(lambda: '"unrenderable"' in limited.log)
        told = [json.loads(line) for line in limited.log.splitlines() if '"event": "unrenderable"' in line]
        assert {event["photo"] for event in told} == {family.PARTY}
        wanted = [event["wanted"] for event in told]  # another encoding may have been tried ahead
        assert "sm" in wanted
        assert len(wanted) == len(set(wanted)), "tried once"
        assert before == 0
    finally:
        file.write_bytes(whole)
    time.sleep(1.1)
    assert limited.visitor(cookie).follow(target).status == 200


def test_the_connection_that_was_idle_longest_makes_room(limited, many_files):
    """Not the oldest: that is a proxy's, which has asked all the time."""
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(connected(limited.port))
        for _ in range(MOST + 50):
            idle = stack.enter_context(connected(limited.port))
            idle.sendall(request("/nothing"))
            assert idle.recv(10_000).startswith(b"HTTP/1.1 404")
            busy.sendall(request("/-/health"))
            assert busy.recv(10_000).startswith(b"HTTP/1.1 200")


def test_room_is_made_for_several_at_once(gallery, tmp_path, many_files):
    """To look for the longest idle ones among thousands, for each connection of a flood, would keep the daemon busy."""
    most = 900
    running = Daemon(gallery, tmp_path, {"server": {"max_connections": most}}).start()
    try:
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(connected(running.port)) for _ in range(most)]
            until(lambda: running.metric("pwgserve_connections") < most)
            assert [is_cut_off(one, 0) for one in idle].count(True) in range(5, 30)
            assert not is_cut_off(idle[-1], 0)
    finally:
        running.stop()


def test_who_takes_little_but_steadily_gets_all(limited, gallery):
    """The kernel tells that something was taken only when much was: a telephone with little reception takes longer."""
    with asked_for_a_film(limited, gallery, 12, "Connection: close") as connection:
        taken, ended = 0, time.monotonic() + 4 * 2  # four times the limit
        while time.monotonic() < ended:
            chunk = connection.recv(2048)
            assert chunk, "not cut off"
            taken += len(chunk)
            time.sleep(0.05)
        assert taken < MEGABYTE
        rest = received(connection)
    assert taken + len(rest) > 12 * MEGABYTE
