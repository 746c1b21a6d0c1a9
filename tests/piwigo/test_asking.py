"""How values come into questions: whatever they are, as values, and with what SQLite makes of the same questions."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.asking import DatabaseError, with_values
from pwgserve.piwigo.schema import Table, schema
from pwgserve.piwigo.sqlite import Sqlite


@pytest.mark.parametrize(
    ("question", "values", "expected"),
    [
        ("SELECT 1", [], "SELECT 1"),
        ("a = %s AND b = %s", ["x", None], "a = <x> AND b = <None>"),
        ("a IN %s", [[1, 2]], "a IN (<1>, <2>)"),
        ("a IN %s", [frozenset({7})], "a IN (<7>)"),
        ("a IN %s", [[]], "a IN (<None>)"),
        ("`100%%` = %s", ["%s"], "`100%` = <%s>"),
    ],
)
def test_each_value_stands_in_its_place(question, values, expected):
    assert with_values(question, values, lambda item: f"<{item}>") == expected


@pytest.mark.parametrize("values", [[], [1, 2]])
def test_values_that_are_too_few_or_too_many_are_never_asked_with(values):
    with pytest.raises(TypeError):
        with_values("a = %s", values, str)


def test_names_of_tables_and_columns_are_quoted_and_never_read_as_anything_else():
    tables = schema(
        "p`{images}%s_", users_table="forum.`mem`bers", user_fields={"id": "n`r", "username": "u", "password": "p"}
    )
    assert tables.filled("SELECT {users[id]} FROM {users}, {images}") == (
        "SELECT `n``r` FROM `forum`.`members`, `p``{images}%%s_images`"
    )
    assert str(Table("a.b", None, {})) == "`a.b`"


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=4),
    st.integers(-(2**63), 2**63 - 1),
)
def test_sqlite_gives_back_what_it_was_given(texts, number):
    import asyncio

    async def asked():
        database = Sqlite(":memory:", 1)
        database._uri = ":memory:"
        marks = ", ".join(["%s"] * len(texts))
        assert await database.rows(f"SELECT {marks or '1'}", texts) == [tuple(texts) or (1,)]
        assert await database.rows("SELECT %s IN %s", [number, [number, 1]]) == [(1,)]
        assert await database.rows("SELECT %s IN %s", ["x", texts]) in ([(int("x" in texts),)], [(None,)])

    asyncio.run(asked())


async def test_a_line_is_written_only_where_that_was_asked_for(tmp_path):
    file = tmp_path / "g.db"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE t (a TEXT)")
    made.close()
    with pytest.raises(DatabaseError, match="readonly"):
        await Sqlite(str(file), 1).write("INSERT INTO t VALUES (%s)", ["x"])
    await Sqlite(str(file), 1, may_write=True).write("INSERT INTO t VALUES (%s)", ["it's"])
    assert await Sqlite(str(file), 1).rows("SELECT a FROM t", []) == [("it's",)]


async def test_a_number_that_sqlite_cannot_hold_is_an_error_like_any_other(tmp_path):
    file = tmp_path / "g.db"
    file.touch()
    with pytest.raises(DatabaseError, match="too large"):
        await Sqlite(str(file), 1).rows("SELECT %s", [2**63])


async def test_no_file_is_made_where_there_is_none(tmp_path):
    for may_write in (False, True):
        with pytest.raises(DatabaseError, match="unable to open"):
            await Sqlite(str(tmp_path / "none.db"), 1, may_write).rows("SELECT 1", [])
    assert list(tmp_path.iterdir()) == []
