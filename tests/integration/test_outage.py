"""The database goes away and comes back: nothing is served meanwhile, and nobody has to restart anything."""

import signal
import socket
import time

import family
import pytest
from commands import Installation
from databases import Databases
from mariadb import MariaDb
from waiting import until

from pwgserve.service.process import FINISH_SECONDS

GONE_SECONDS = 2
"""After which nobody is served any more."""

BACK_SECONDS = 5
"""After which all are served again: at once, but the machine may be too busy for the database's answers."""


@pytest.fixture
def own(tmp_path):
    """A database server that this test may harm."""
    databases = Databases(tmp_path / "server")
    yield databases
    databases.close()


def served(own, tmp_path, start):
    """The gallery on that server, its daemon, and a link to an original that everybody may see."""
    gallery = own.gallery("mariadb", tmp_path)
    gallery.paths = family.build(gallery)
    daemon = start(gallery)
    return gallery, daemon, daemon.visitor().link("/action.php?id=1&part=e")


def waited_for(visitor, target, status, seconds):
    """The first answer with this status: whoever asks later than so many seconds from now gets it."""
    began = time.monotonic()
    while True:
        asked = time.monotonic()
        answer = visitor.get(target)
        if answer.status == status:
            return answer
        assert asked - began <= seconds, answer.status
        time.sleep(0.1)


def test_a_database_that_is_killed_and_started_again(own, tmp_path, start):
    gallery = own.gallery("mariadb", tmp_path)
    gallery.paths = family.build(gallery)
    daemon = start(gallery)
    visitor = daemon.visitor()
    address = "/action.php?id=1&part=e"
    link = visitor.link(address)
    assert visitor.get(link).status == 200

    own.server.kill()
    answer = waited_for(visitor, link, 503, GONE_SECONDS)
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    assert visitor.get(address).status == 503
    assert visitor.get("/-/ready").status == 503
    assert visitor.get("/-/health").status == 200
    forged = visitor.get(link.replace("/1.e.", "/2.e."))
    assert forged.status == 404, "a forged link needs no database to be refused"

    own.server.start()
    waited_for(visitor, link, 200, BACK_SECONDS)
    waited_for(visitor, "/-/ready", 200, BACK_SECONDS)
    gallery.engine.dispose()


def test_a_database_that_stops_answering(own, tmp_path, start):
    gallery, daemon, link = served(own, tmp_path, start)
    visitor = daemon.visitor()
    server: MariaDb = own.server
    server.signal(signal.SIGSTOP)
    try:
        time.sleep(1.2)
        started = time.monotonic()
        assert visitor.get(link).status == 503
        assert time.monotonic() - started < 30
    finally:
        server.signal(signal.SIGCONT)
    waited_for(visitor, link, 200, BACK_SECONDS)
    gallery.engine.dispose()


def test_a_database_that_stops_answering_keeps_nobody_from_stopping(own, tmp_path, start):
    gallery, daemon, link = served(own, tmp_path, start)
    asked = daemon.metric("pwgserve_database_questions_total")
    server: MariaDb = own.server
    server.signal(signal.SIGSTOP)
    try:
        with socket.create_connection(("127.0.0.1", daemon.port)) as leaving:
            time.sleep(1.2)  # what was known is too old for anything
            leaving.sendall(f"GET {link} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            until(lambda: daemon.metric("pwgserve_database_questions_total") > asked)
        started = time.monotonic()
        daemon.stop()
        assert time.monotonic() - started < FINISH_SECONDS
    finally:
        server.signal(signal.SIGCONT)
    assert "unexpected-error" not in daemon.log
    gallery.engine.dispose()


def test_work_in_bulk_waits_for_a_database_that_is_slow(own, tmp_path):
    gallery = own.gallery("mariadb", tmp_path)
    gallery.paths = family.build(gallery)
    place = Installation(gallery, tmp_path / "warm")
    server: MariaDb = own.server
    warm = place.begin("warm", "--types", "sq,th,me", "--for", "programs", "--jobs", "1")
    until(place.derivatives)
    server.signal(signal.SIGSTOP)
    try:
        time.sleep(4)
        assert warm.poll() is None, "it still has photos to ask for"
    finally:
        server.signal(signal.SIGCONT)
    out, err = warm.communicate(timeout=400)
    assert warm.returncode == 0, (out, err)
    gallery.engine.dispose()


def test_a_column_that_vanishes_is_an_outage_and_not_a_guess(own, tmp_path, start):
    gallery = own.gallery("mariadb", tmp_path)
    gallery.paths = family.build(gallery)
    daemon = start(gallery)
    name = gallery.address.rpartition("/")[2]
    own.server.execute(f"ALTER TABLE {name}.piwigo_images CHANGE level lvl TINYINT")
    time.sleep(1.2)
    assert daemon.visitor().get("/action.php?id=1&part=e").status == 503
    gallery.engine.dispose()
