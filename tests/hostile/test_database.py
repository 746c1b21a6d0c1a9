"""The database hangs, is slow, or answers half: 503 and nothing else, no stampede, and all is well when it is back."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import family
import pytest
import sqlalchemy as sa
from between import Between
from daemon import Daemon
from databases import Databases

from pwgserve.piwigo.address import parsed
from pwgserve.piwigo.mariadb import CONNECTIONS, MariaDb

PROMISED = 2.0
SLACK = 8.0
"""Seconds more, for a machine that has others to serve."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    databases = Databases(tmp_path_factory.mktemp("server"))
    yield databases
    databases.close()


@pytest.fixture(scope="module")
def stage(server, tmp_path_factory):
    """A gallery, what stands before its database, and a daemon that does not know."""
    folder = tmp_path_factory.mktemp("far")
    gallery = server.gallery("mariadb", folder)
    gallery.paths = family.build(gallery)
    between = Between(server.server.port)
    address = gallery.address.replace(f":{server.server.port}/", f":{between.port}/")
    daemon = Daemon(gallery, tmp_path_factory.mktemp("daemon"), {"piwigo": {"database": address}}).start()
    yield gallery, between, daemon
    daemon.stop()
    between.close()
    gallery.engine.dispose()
    assert "unexpected-error" not in daemon.log


@pytest.fixture
def public(stage):
    """The address of a public photo, and its link; all is well when a test begins, and when it has ended."""
    _, between, daemon = stage
    between.mode = "pass"
    waited(daemon, "/action.php?id=1&part=e", 302)
    yield "/action.php?id=1&part=e", daemon.visitor().link("/action.php?id=1&part=e")
    between.mode = "pass"
    waited(daemon, "/-/ready", 200)


def waited(daemon, target, status, seconds=120):
    """How many seconds from now a request was sent that was answered so."""
    started = time.monotonic()
    while True:
        sent = time.monotonic() - started
        answer = daemon.visitor().get(target)
        if answer.status == status:
            return sent
        assert sent < seconds, answer.status
        time.sleep(0.05)


@pytest.mark.parametrize("cut", [1, 5, 30, 90, 300])
def test_a_database_that_answers_half_is_away(stage, public, cut):
    _, between, daemon = stage
    address, link = public
    between.cut, between.mode = cut, "half"
    time.sleep(1.2)  # what was known is no longer believed
    anna = daemon.visitor(family.cookie("anna"))
    for _ in range(3):
        for visitor, target in (
            (daemon.visitor(), address),
            (daemon.visitor(), link),
            (anna, "/action.php?id=2&part=e"),
        ):
            answer = visitor.get(target)
            assert answer.status == 503, "neither a picture nor a no that might be wrong"
            assert int(answer.headers["retry-after"]) > 0
    assert daemon.visitor().get("/-/ready").status == 503
    between.mode = "pass"
    assert waited(daemon, link, 200) < PROMISED + SLACK
    assert anna.get("/action.php?id=2&part=e").status == 302


def test_a_database_whose_connections_hang_is_back_when_it_is(stage, public):
    """As behind a firewall that forgot its connections: the old ones never answer again, new ones do."""
    _, between, daemon = stage
    address, link = public
    stop = threading.Event()

    def visit(number):
        seen = set()
        while not stop.is_set():
            seen.add(daemon.visitor().get((address, link)[number % 2]).status)
        return seen

    with ThreadPoolExecutor(12) as pool:
        visits = [pool.submit(visit, number) for number in range(12)]
        try:
            between.mode = "hang"
            time.sleep(4.3)
            assert daemon.visitor().get(link).status == 503
            between.mode = "pass"
            took = waited(daemon, link, 200)
            waited(daemon, "/-/ready", 200)
        finally:
            stop.set()
    assert {status for one in visits for status in one.result()} <= {200, 302, 503}
    print(f"back after {took:.2f} s")
    assert took < PROMISED + SLACK


async def test_of_connections_that_were_forgotten_one_question_is_lost_and_not_one_for_each(server):
    """As behind a firewall that forgets what was idle for a while: a small gallery asks one question after the other."""
    between = Between(server.server.port)
    database = MariaDb(parsed(f"mysql://reader:p%40ss%2Fword@127.0.0.1:{between.port}/mysql"))
    try:
        await asyncio.gather(*(database.rows("SELECT SLEEP(0.05)", []) for _ in range(CONNECTIONS)))
        between.forget()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await database.rows("SELECT 1", [])
        async with asyncio.timeout(60):
            assert await database.rows("SELECT 2", []) == [(2,)]
    finally:
        await database.close()
        between.close()


def test_a_slow_database_is_waited_for_and_one_that_is_too_slow_is_away(stage, public):
    _, between, daemon = stage
    _, link = public
    between.delay, between.mode = 0.2, "slow"
    time.sleep(1.2)
    waited(daemon, link, 200)  # at once, where the machine itself is not slow
    between.delay = 8
    time.sleep(1.2)
    started = time.monotonic()
    assert daemon.visitor().get(link).status == 503
    assert time.monotonic() - started < 60


def test_the_return_of_the_database_is_no_stampede(stage, public):
    _, between, daemon = stage
    between.mode = "half"
    time.sleep(1.2)
    targets = [f"/action.php?id={number}&part=e" for number in range(1, 18)]
    stop = threading.Event()

    def visit(number):
        count = 0
        while not stop.is_set():
            daemon.visitor(family.cookie("anna") if number % 2 else None).get(targets[(number + count) % 17])
            count += 1
        return count

    with ThreadPoolExecutor(40) as pool:
        visits = [pool.submit(visit, number) for number in range(40)]
        try:
            time.sleep(1)
            questions, connections = between.questions, between.connections
            started = time.monotonic()
            between.mode = "pass"
            waited(daemon, "/-/ready", 200)
            time.sleep(2)
            seconds = time.monotonic() - started
            asked, opened = between.questions - questions, between.connections - connections
        finally:
            stop.set()
    assert sum(visit.result() for visit in visits) > 50
    # Some dozens of questions a second are all that the daemon ever asks of so many photos and viewers.
    assert asked < 150 * (seconds + 1), asked
    assert opened <= 20


def locked(gallery, table, seconds, began):
    """Let nobody read a table for some seconds, as a backup or a change of its columns does."""
    with gallery.engine.connect() as connection:
        connection.execute(sa.text(f"LOCK TABLES {gallery.prefix}{table} WRITE"))
        began.wait()
        time.sleep(seconds)
        connection.execute(sa.text("UNLOCK TABLES"))


def test_what_a_decision_began_with_does_not_outlive_the_promise_while_its_other_questions_wait(stage, public):
    """The photo's row is read first; then the tables of sessions and of users are locked for as long as a question lasts."""
    gallery, _, daemon = stage
    anna = daemon.visitor(family.cookie("anna"))
    link = anna.link("/action.php?id=2&part=e")
    time.sleep(PROMISED)  # nothing is known any more
    began = threading.Barrier(3)
    with gallery.restored(), ThreadPoolExecutor(3) as pool:
        pool.submit(locked, gallery, "sessions", 1.8, began)
        pool.submit(locked, gallery, "user_infos", 3.4, began)
        began.wait()
        answer = pool.submit(anna.get, link)
        time.sleep(0.15)
        gallery.update("images", {"id": 2}, level=8)
        assert answer.result().status != 200, "more than three seconds after it was taken away"
    waited(daemon, link, 200)
