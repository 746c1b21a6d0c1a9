"""Questions to a real MariaDB: nobody ever gets the answer to another question, and no text ever becomes SQL."""

import asyncio
import contextlib
import socket
import struct

import pytest
import uvloop
from databases import Databases
from mariadb import ADMIN

from pwgserve.piwigo.address import parsed
from pwgserve.piwigo.asking import DatabaseError
from pwgserve.piwigo.gallery import Gallery, database_address
from pwgserve.piwigo.hidden import candidates, folders
from pwgserve.piwigo.mariadb import CONNECTIONS, MariaDb
from pwgserve.piwigo.schema import schema

HOSTILE = ["'", "\\", "\\'", "\\' OR 1=1 -- ", '"', "`", "%s", "%", "{images}", "\0", "\n", "", "😀", "x' /*"]


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    databases = Databases(tmp_path_factory.mktemp("server"))
    yield databases
    databases.close()


@pytest.fixture(scope="module")
def server(databases):
    databases.server.execute("CREATE DATABASE g", "CREATE TABLE g.t (a VARCHAR(50) CHARACTER SET utf8mb4)")
    databases.server.execute("GRANT INSERT ON g.t TO reader@'%'")
    return databases.server


@contextlib.asynccontextmanager
async def opened(server, options="", may_write=False):
    database = MariaDb(parsed(f"mysql://reader:p%40ss%2Fword@127.0.0.1:{server.port}/g{options}"), may_write)
    try:
        yield database
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def reached(address):
    gallery = Gallery(database_address(address), schema("piwigo_"), 60)
    try:
        yield gallery
    finally:
        await gallery.close()


@contextlib.contextmanager
def servers(server, **variables):
    """The server with other settings for new connections."""
    with server.connect(ADMIN, "", "g") as made, made.cursor() as cursor:
        before = {}
        for name, value in variables.items():
            cursor.execute(f"SELECT @@GLOBAL.{name}")
            before[name] = cursor.fetchall()[0][0]
            cursor.execute(f"SET GLOBAL {name} = %s", [value])
        try:
            yield
        finally:
            for name, value in before.items():
                cursor.execute(f"SET GLOBAL {name} = %s", [value])


@pytest.mark.parametrize("sql_mode", ["''", "'NO_BACKSLASH_ESCAPES'", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", "'ANSI'"])
async def test_a_text_stays_a_text_however_the_server_wants_quotes(server, sql_mode):
    async with opened(server, f"?sql_mode={sql_mode}") as database:
        assert await database.rows("SELECT " + ", ".join(["%s"] * len(HOSTILE)), HOSTILE) == [tuple(HOSTILE)]
        for text in HOSTILE:
            assert await database.rows("SELECT 'found' FROM DUAL WHERE %s IN %s", ["none of them", [text, "y"]]) == []
            assert await database.rows("SELECT 'found' FROM DUAL WHERE %s IN %s", [text, ["y", text]]) == [("found",)]
        assert await database.rows("SELECT 'found' FROM DUAL WHERE 'x' IN %s", [[]]) == []


@pytest.mark.parametrize(
    "init_connect",
    [
        "SET NAMES gbk",
        "SET NAMES latin1",
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "SET sql_mode = ''",
        "SET autocommit = 0",
    ],
)
async def test_a_text_stays_a_text_whatever_the_server_does_to_new_connections(server, init_connect):
    texts = [*HOSTILE, "你'", "你\\' OR 1=1 -- ", "é"]
    mode = "" if "NO_BACKSLASH" in init_connect else "NO_BACKSLASH_ESCAPES"
    with servers(server, init_connect=init_connect, sql_mode=mode):
        async with opened(server) as database, opened(server, may_write=True) as writer:
            assert await database.rows("SELECT " + ", ".join(["%s"] * len(texts)), texts) == [tuple(texts)]
            await asyncio.to_thread(server.execute, "DELETE FROM g.t")
            for text in texts:
                await writer.write("INSERT INTO t VALUES (%s)", [text])
                assert await database.rows("SELECT a FROM t WHERE BINARY a = %s", [text]) == [(text,)]
    await asyncio.to_thread(server.execute, "DELETE FROM g.t")


@pytest.mark.parametrize("sql_mode", ["ANSI", "HIGH_NOT_PRECEDENCE", "PAD_CHAR_TO_FULL_LENGTH", "NO_BACKSLASH_ESCAPES"])
async def test_a_gallery_is_the_same_in_every_mode_of_the_server(databases, tmp_path, sql_mode):
    made = databases.gallery("mariadb", tmp_path)
    made.album(1)
    made.photo(1, (1,), path="upload/a_1!%.png", coi="ab")
    made.photo(2, path="archive\\'/b.png")
    made.photo(3, (1,), path="galleries/c.png", level=8)

    async def found(gallery):
        await gallery.check()
        photos = [await candidates(gallery, 1, 9, hidden, 0, "./") for hidden in (True, False)]
        beside = await gallery.photos_beside(["./upload/a_1!%", "./archive\\'/b"])
        elsewhere = [await folders(gallery, known, 9) for known in ([], ["./upload/"], ["./archive\\'/", "./upload/"])]
        return photos, beside, elsewhere

    async with reached(made.address) as usual, reached(f"{made.address}?sql_mode='{sql_mode}'") as other:
        photos, beside, elsewhere = await found(usual)
        assert [[photo.photo_id for photo in some] for some in photos] == [[2, 3], [1]]
        assert sorted(elsewhere[1]) == ["./archive\\'/", "./galleries/"]
        assert await found(other) == (photos, beside, elsewhere)
    made.engine.dispose()


@pytest.mark.parametrize("charset", ["utf8", "latin1", "gbk", "ascii"])
async def test_no_text_is_an_error_whatever_character_set_the_address_names(server, charset):
    texts = [*HOSTILE, "é", "你'"]
    async with opened(server, f"?charset={charset}") as database:
        assert await database.rows("SELECT " + ", ".join(["%s"] * len(texts)), texts) == [tuple(texts)]


async def test_who_gives_up_leaves_no_answer_to_others(server):
    async def ask(number):
        # Every third gives up in the middle of it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01 if number % 3 == 0 else 60):
                seconds = 0.02 if number % 3 == 0 else 0.001 * (number % 7)
                return number, await database.rows("SELECT %s, SLEEP(%s / 1000)", [number, int(seconds * 1000)])
        return number, None

    async with opened(server) as database:
        answers = await asyncio.gather(*(ask(number) for number in range(300)))
    whole = [(number, rows) for number, rows in answers if rows is not None]
    assert len(whole) >= 200
    assert all(rows == [(number, 0)] for number, rows in whole)
    assert any(rows is None for _, rows in answers)


async def test_an_error_is_told_and_the_next_question_is_answered(server):
    async with opened(server) as database:
        for _ in range(3 * CONNECTIONS):
            with pytest.raises(DatabaseError) as refused:
                await database.rows("SELECT nothing FROM t", [])
            assert (refused.value.kind, refused.value.number) == ("OperationalError", 1054)
        assert await database.rows("SELECT 1", []) == [(1,)]


def connections(server):
    with server.connect(ADMIN, "", "g") as made, made.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'reader'")
        return [row[0] for row in cursor.fetchall()]


async def test_connections_are_few_are_kept_and_are_closed(server):
    async with opened(server) as database:
        await asyncio.gather(*(database.rows("SELECT SLEEP(0.01)", []) for _ in range(40)))
        kept = await asyncio.to_thread(connections, server)
        assert 1 <= len(kept) <= CONNECTIONS
        await database.rows("SELECT 1", [])
        assert await asyncio.to_thread(connections, server) == kept
    async with asyncio.timeout(60):
        while await asyncio.to_thread(connections, server):
            await asyncio.sleep(0.05)


async def test_a_connection_that_the_server_closed_costs_no_answer(server):
    async with opened(server) as database:
        await asyncio.gather(*(database.rows("SELECT SLEEP(0.01)", []) for _ in range(CONNECTIONS)))
        kept = await asyncio.to_thread(connections, server)
        await asyncio.to_thread(server.execute, *(f"KILL {one}" for one in kept))
        answers = await asyncio.gather(*(database.rows("SELECT %s", [number]) for number in range(3 * CONNECTIONS)))
        assert answers == [[(number,)] for number in range(3 * CONNECTIONS)]
        assert not set(kept) & set(await asyncio.to_thread(connections, server))


def test_connections_that_were_reset_cost_no_answer(server):
    """As firewalls do to those that rest. In the event loop that serves, which says it in another way."""

    async def asked():
        clients = []

        async def relay(reader, writer):
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", server.port)
            clients.append(writer)
            await asyncio.gather(relayed(reader, server_writer), relayed(server_reader, writer))

        async def relayed(reader, writer):
            with contextlib.suppress(OSError):
                while data := await reader.read(65_536):
                    writer.write(data)
            writer.close()

        between = await asyncio.start_server(relay, "127.0.0.1", 0)
        port = between.sockets[0].getsockname()[1]
        database = MariaDb(parsed(f"mysql://reader:p%40ss%2Fword@127.0.0.1:{port}/g"))
        await asyncio.gather(*(database.rows("SELECT SLEEP(0.05)", []) for _ in range(CONNECTIONS)))
        for client in clients:
            at_once = struct.pack("ii", 1, 0)
            client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            client.close()
        await asyncio.sleep(0.5)
        try:
            return await asyncio.gather(*(database.rows("SELECT %s", [number]) for number in range(CONNECTIONS)))
        finally:
            await database.close()
            between.close()
            await asyncio.sleep(0.1)

    assert uvloop.run(asked()) == [[(number,)] for number in range(CONNECTIONS)]


@pytest.mark.parametrize(
    "greeting", [b"\1\0\0\0\xff", b"\3\0\0\0\xff\x10\4", b"\0\0\0\0", b"\5\0\0\0\nabc\0", b"SSH-2.0-x\r\n"]
)
async def test_what_is_no_database_is_told_as_one_that_does_not_answer(greeting):
    async def greet(_, writer):
        writer.write(greeting)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(DatabaseError):
            await MariaDb(parsed(f"mysql://reader@127.0.0.1:{port}/g")).rows("SELECT 1", [])


async def test_each_question_sees_what_is_committed_now(server):
    async with opened(server) as database:
        for count in range(3):
            assert len(await database.rows("SELECT a FROM t WHERE a = 'now'", [])) == count
            await asyncio.to_thread(server.execute, "INSERT INTO g.t VALUES ('now')")


async def test_only_who_may_write_writes_and_leaves_no_connection(server):
    async with opened(server) as database:
        with pytest.raises(DatabaseError, match="READ ONLY"):
            await database.rows("INSERT INTO t VALUES (%s)", ["x"])
    async with opened(server, may_write=True) as database:
        for text in HOSTILE:
            await database.write("INSERT INTO t VALUES (%s)", [text])
        rows = await database.rows("SELECT a FROM t WHERE a <> 'now' OR a = ''", [])
        assert [row[0] for row in rows] == HOSTILE
        assert len(await asyncio.to_thread(connections, server)) == 1


async def test_a_server_that_is_away_is_told(server):
    """That it is believed when it is back is shown in tests/hostile/test_database.py."""
    with pytest.raises(DatabaseError) as away:
        await MariaDb(parsed("mysql://reader@127.0.0.1:1/g")).rows("SELECT 1", [])
    assert away.value.number == 2003
