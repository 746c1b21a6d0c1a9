"""What a database is for the project's SQL: something that answers questions with rows. Pure.

A question has a mark, `%s`, for each of its values, and `IN %s` for a list of them. What else is put into its text, the
names of tables, comes from `schema` alone. How a database is asked is in `mariadb` and `sqlite`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeAlias

from pwgserve.piwigo.address import Address

Row: TypeAlias = tuple[Any, ...]
Item: TypeAlias = str | int | None
Value: TypeAlias = Item | Collection[str] | Collection[int]


class DatabaseError(Exception):
    """The database did not answer, or said why not. kind: of the driver's error. number: MySQL's, None of others."""

    def __init__(self, kind: str, number: int | None, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.number = number
        self.message = message


class Database(Protocol):
    """One database, for many tasks at once. Both raise DatabaseError and OSError."""

    async def rows(self, question: str, values: Sequence[Value]) -> list[Row]:
        """The answer to a question; it may be put twice."""

    async def write(self, statement: str, values: Sequence[Value]) -> None:
        """Do what a statement says, at most once."""

    async def close(self) -> None:
        """Let go of all connections."""


def opened(address: Address, patience: float, may_write: bool = False) -> Database:
    """The database at an address; nothing is asked yet. patience: seconds to wait for others who have locked it."""
    # Each driver takes a while to load, and a service needs one.
    if address.is_sqlite:
        from pwgserve.piwigo.sqlite import Sqlite

        return Sqlite(address.name, patience, may_write)
    from pwgserve.piwigo.mariadb import MariaDb

    return MariaDb(address, may_write)


def with_values(question: str, values: Sequence[Value], literal: Callable[[Item], str]) -> str:
    """A question with the text of each value in its place. literal: what stands for an item in this database's SQL."""
    return question % tuple(_text(value, literal) for value in values)


def _text(value: Value, literal: Callable[[Item], str]) -> str:
    if value is None or isinstance(value, str | int):
        return literal(value)
    # Nothing equals NULL, so nothing is in an empty list.
    return f"({', '.join(literal(item) for item in value) or literal(None)})"
