"""A daemon that is told to stop finishes what it is sending, and takes nothing new."""

import signal
import socket

import pytest
from daemon import Daemon
from family import PUBLIC
from waiting import until

SIZE = 30_000_000


@pytest.fixture
def running(gallery, tmp_path):
    path = "upload/2026/05/14/large.mp4"
    (gallery.root / path).write_bytes(bytes(1000) * (SIZE // 1000))
    gallery.photo(70, (PUBLIC,), path=path)
    daemon = Daemon(gallery, tmp_path).start()
    yield daemon
    daemon.kill()
    gallery.delete("image_category", image_id=70)
    gallery.delete("images", id=70)
    (gallery.root / path).unlink()


def takes_nothing_new(daemon):
    try:
        daemon.visitor().get("/-/health")
    except ConnectionError:
        return True
    return False


def test_a_download_under_way_is_finished(running):
    link = running.visitor().link("/action.php?id=70&part=e")
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as connection:
        connection.sendall(f"GET {link} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = connection.recv(65_536)
        assert b"200 OK" in received
        running.signal(signal.SIGTERM)
        until(lambda: takes_nothing_new(running))
        total = len(received) - received.index(b"\r\n\r\n") - 4
        while total < SIZE:
            chunk = connection.recv(1 << 20)
            assert chunk, f"cut off after {total} bytes"
            total += len(chunk)
    assert total == SIZE
    assert running.wait(120) == 0


def test_an_idle_connection_keeps_nobody_waiting(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as connection:
        connection.sendall(b"GET /-/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in connection.recv(4096)
        running.signal(signal.SIGTERM)
        assert running.wait(20) == 0
