"""The lines that Piwigo's action.php would write, for owners who ask for them."""

import asyncio
import time
from dataclasses import replace

import family
import pytest
import sqlalchemy as sa
import structlog
from between import Between
from family import FILM, PARTY
from waiting import until

from pwgserve.piwigo.address import Address
from pwgserve.piwigo.gallery import database_address
from pwgserve.piwigo.history import History, Line


@pytest.fixture
def history(gallery, databases):
    """Makes the table, and the right to write it; returns a way to read it."""
    with gallery.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS piwigo_history"))
        number = "INTEGER PRIMARY KEY" if gallery.is_sqlite else "INTEGER UNSIGNED AUTO_INCREMENT PRIMARY KEY"
        connection.execute(
            sa.text(
                f"CREATE TABLE piwigo_history (id {number}, date DATE NOT NULL, time TIME NOT NULL, user_id INTEGER,"
                " IP CHAR(39), image_id INTEGER, image_type CHAR(7), format_id INTEGER, section CHAR(9))"
            )
        )
    if not gallery.is_sqlite:
        name = gallery.address.rpartition("/")[2]
        databases.server.execute(f"GRANT INSERT ON {name}.piwigo_history TO reader@'%'")

    def found():
        with gallery.engine.connect() as connection:
            query = "SELECT user_id, IP, image_id, image_type, format_id FROM piwigo_history ORDER BY id"
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def lines(count):
        until(lambda: len(found()) >= count)
        return found()

    return lines


def test_a_line_for_each_file_that_action_php_gave(gallery, start, history):
    daemon = start(gallery, piwigo={"log_history": True})
    anna = daemon.visitor(family.cookie("anna"))
    anna.link(f"/action.php?id={PARTY}&part=e")
    anna.link(f"/action.php?id={FILM}&part=r")
    daemon.visitor().link("/action.php?id=1&part=e&download")
    assert history(2) == [
        (3, "127.0.0.1", PARTY, "high", None),
        (2, "127.0.0.1", 1, "high", None),
    ]
    # None for representatives, for what was refused, for administrators (the gallery's default), and for other addresses.
    daemon.visitor().get(f"/action.php?id={PARTY}&part=e")
    daemon.visitor(family.cookie("dora")).link("/action.php?id=1&part=e")
    anna.link("/" + gallery.paths[PARTY])
    anna.get(f"/action.php?id={PARTY}&part=e", method="HEAD")
    daemon.visitor(None, X_Forwarded_For="192.0.2.9").link("/action.php?id=1&part=e")
    assert history(3)[2:] == [(2, "192.0.2.9", 1, "high", None)]


def test_galleries_that_keep_no_history_of_guests_get_none(gallery, start, history, settled):
    daemon = start(gallery, piwigo={"log_history": True})
    with gallery.config("history_guest", "false"):
        settled()
        daemon.visitor().link("/action.php?id=1&part=e")
        daemon.visitor(family.cookie("carol")).link("/action.php?id=1&part=e")
        assert [line[0] for line in history(1)] == [family.USERS["carol"]]
    settled()


def test_nobody_waits_for_a_history_that_cannot_be_written(gallery, start, history):
    with gallery.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE piwigo_history"))
    daemon = start(gallery, piwigo={"log_history": True})
    assert daemon.visitor().follow("/action.php?id=1&part=e").status == 200
    until(lambda: "history-line-dropped" in daemon.log)


def test_without_the_setting_nothing_is_ever_written(daemon, history):
    daemon.visitor().link("/action.php?id=1&part=e")
    time.sleep(0.5)
    assert history(0) == []


async def test_many_lines_take_a_database_that_is_far_away_no_longer_than_one(gallery, history):
    address = database_address(gallery.address)
    between = None if gallery.is_sqlite else Between(address.port)
    if between:
        between.mode, between.delay = "slow", 0.2
        address = replace(address, port=between.port)
    book = History(address, "piwigo_history")
    for photo_id in range(1, 301):
        book.note(Line(2, "192.0.2.9", photo_id))
    await asyncio.wait_for(book._waiting.join(), 60)
    await book.close()
    assert [line[2] for line in history(300)] == list(range(1, 301)), "each once, in their order"
    if between:
        assert between.connections == 1
        between.close()


async def test_lines_that_are_lost_at_the_end_are_told(databases):
    between = Between(databases.server.port)
    between.mode = "hang"
    book = History(Address("mysql", "x", host="127.0.0.1", port=between.port), "piwigo_history")
    for photo_id in (1, 2, 3):
        book.note(Line(2, "192.0.2.9", photo_id))
    with structlog.testing.capture_logs() as told:
        await book.close()
    assert [(one["event"], one["lines"]) for one in told] == [("history-line-dropped", 3)]
    between.close()
