"""Texts beyond the character set of Piwigo's tables, which real galleries have in `utf8`: the database refuses to compare."""

from concurrent.futures import ThreadPoolExecutor

import family
import pytest
import sqlalchemy as sa
from daemon import Daemon
from databases import Databases
from wire import comparable

from pwgserve.piwigo.gallery import charset_of
from pwgserve.piwigo.schema import schema

BEYOND = {
    "utf8mb3": ("%F0%9F%98%80", "%F3%A0%81%BF"),
    "latin1": ("%E4%B8%AD", "%F0%9F%98%80", "%C2%81", "%D0%A4"),
}
TARGETS = (
    "/upload/{}.jpg",
    "/galleries/{}/x.jpg",
    "/upload/pwg_representative/{}.jpg",
    "/upload/pwg_format/{}.cr2",
    "/i.php?/upload/{}-me.jpg",
)


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    found = Databases(tmp_path_factory.mktemp("mariadb"))
    yield found
    found.close()


@pytest.fixture(scope="module", params=BEYOND)
def older(request, databases, tmp_path_factory):
    """A daemon on a gallery whose tables have this character set."""
    gallery = databases.gallery("mariadb", tmp_path_factory.mktemp("gallery"))
    gallery.paths = family.build(gallery)
    with gallery.engine.begin() as connection:
        for table in gallery.schema.metadata.sorted_tables:
            connection.execute(sa.text(f"ALTER TABLE {table.name} CONVERT TO CHARACTER SET {request.param}"))
    gallery.set_config("sync_chars_regex", "/^.+$/")
    settings = {"piwigo.conf": {"apache_authentication": True}}
    running = Daemon(gallery, tmp_path_factory.mktemp("daemon"), settings).start()
    running.beyond = BEYOND[request.param]
    yield running
    running.stop()
    gallery.engine.dispose()
    assert "unexpected-error" not in running.log


def test_a_path_that_no_row_can_hold_is_refused_like_any_other(older):
    no = comparable(older.visitor().get("/there/is/nothing/here.jpg"))
    for text in older.beyond:
        for target in TARGETS:
            assert comparable(older.visitor().get(target.format(text))) == no
    name = "anna\U0001f600".encode().decode("latin-1")
    assert comparable(older.visitor(X_Remote_User=name).get("/action.php?id=2&part=e")) == no


def test_a_key_or_a_cookie_that_no_row_can_hold_is_a_guests(older):
    lake = "/action.php?id=1&part=e"
    for text in older.beyond:
        for visitor, target in (
            (older.visitor(), f"{lake}&auth={text}"),
            (older.visitor(), f"{lake}&auth={text * 30}"),
            (older.visitor(f"pwg_id={text}"), lake),
            (older.visitor(f"pwg_remember={text}-{text}-{text}"), lake),
        ):
            assert visitor.get(target).status == 302


def test_who_asks_for_such_paths_takes_no_answers_from_others(older):
    """Questions of one moment go to the database together."""
    paths = older.gallery.paths
    asked = [f"/{paths[photo]}" for photo in (family.LAKE, family.BELOW, family.SHARED, family.SMALL)]
    bad = [target.format(text) for text in older.beyond for target in TARGETS]
    with ThreadPoolExecutor(8) as pool:
        everybody = [
            (target in asked, pool.submit(older.visitor().get, target))
            for number in range(60)
            for target in (asked[number % 4], bad[number % len(bad)], bad[(number * 3 + 1) % len(bad)])
        ]
        answers = [(is_good, answer.result().status) for is_good, answer in everybody]
    assert set(answers) == {(True, 302), (False, 404)}


def test_a_path_that_is_longer_than_any_row_costs_the_database_nothing(databases, older, tmp_path):
    """Some hundred of them in one question took it half a second, and were more than some servers take at once."""
    databases.server.execute("SET GLOBAL max_allowed_packet = 16384")
    daemon = Daemon(older.gallery, tmp_path).start()
    try:
        answers = [daemon.visitor().get(target.format("'" * 4000)).status for target in TARGETS[:4]]
    finally:
        databases.server.execute("SET GLOBAL max_allowed_packet = DEFAULT")
        daemon.stop()
    assert answers == [404] * 4


@pytest.mark.parametrize("charset", ["utf8mb4", *BEYOND])
def test_a_columns_character_set_is_told_without_reading_a_row(databases, tmp_path, charset):
    """A start must not take longer with a million photos, and a gallery may have none yet."""
    gallery = databases.gallery("mariadb", tmp_path)
    images = gallery.schema.images
    asked = schema(gallery.prefix).filled(charset_of("images", "path"))
    with gallery.engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {images.name} CONVERT TO CHARACTER SET {charset}"))
        plan = connection.execute(sa.text(f"EXPLAIN {asked}")).one()
        assert connection.execute(sa.text(asked)).one() == (charset,)
    gallery.engine.dispose()
    assert plan.Extra == "Impossible WHERE"
