"""A database that can be asked, of whatever kind. How it is asked is in `mariadb` and `sqlite`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pwgserve.piwigo.address import Address
from pwgserve.piwigo.asking import Row, Value


class Database(Protocol):
    """One database, for many tasks at once. `rows` and `write` raise DatabaseError and OSError."""

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
