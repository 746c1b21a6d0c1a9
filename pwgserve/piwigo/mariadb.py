"""Questions to MariaDB or MySQL, along a few connections that are kept.

A connection is kept only after an answer that came whole. Whatever else happens to it, a time-out, an error, the end of
the task that asked, it is closed: no answer is ever taken for that to another question.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from pwgserve.piwigo.address import Address
from pwgserve.piwigo.asking import DatabaseError, Row, Value, with_values

try:
    getpass.getuser()
except (KeyError, OSError):
    # In a container this process's user may have no name. Without one the driver cannot be loaded, which never uses it.
    os.environ["LOGNAME"] = "pwgserve"
import aiomysql

CONNECT_SECONDS = 3
CONNECTIONS = 5
CHARSET = "utf8mb4"

UNUSED_SECONDS = 1800
"""After which a connection is not trusted any more: a firewall may have forgotten it without a word."""

_SERVER_LOST = 2013
_LOST = {1927, 2006, _SERVER_LOST, 2014, 2045, 2055, 4031}
"""The errors of a connection that the server has closed, or that was cut."""

_BROKEN = (RuntimeError, AssertionError, IndexError, UnicodeDecodeError, struct.error)
"""What the event loop says of a connection that was reset, and the driver of one that brings no database's answers."""


class _Cursor(aiomysql.Cursor):  # type: ignore[misc]  # it has no types
    """Does not ask for the warnings of every question that has some."""

    async def _show_warnings(self, connection: object) -> None: ...


class MariaDb:
    """One database of a MariaDB or MySQL server."""

    def __init__(self, address: Address, may_write: bool = False) -> None:
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._kept: list[Any] = []
        self._access = "READ WRITE" if may_write else "READ ONLY"
        self._how = dict(address.options) | {
            "connect_timeout": int(address.options.get("connect_timeout", CONNECT_SECONDS)),
            "charset": CHARSET,
            "host": address.host or "localhost",
            "port": address.port or 3306,
            "user": address.user,
            "password": address.password or "",
            "db": address.name,
            "autocommit": None,  # see `_connected`
        }

    async def rows(self, question: str, values: Sequence[Value]) -> list[Row]:
        """See `Database`."""
        async with self._turns:
            if (kept := self._taken()) is not None:
                try:
                    return await self._answer(kept, question, values)
                except DatabaseError as error:
                    if error.number not in _LOST:
                        raise
                except OSError:
                    pass
                # The server closed it since it was used last (a restart, a time limit): that says nothing of how it is
                # now. Asking before each question whether the connection is there would double the time of every one.
                self._close_kept()
            return await self._answer(await self._connected(), question, values)

    async def write(self, statement: str, values: Sequence[Value]) -> None:
        """See `Database`. Along a connection of its own: of one that was kept nobody knows when it was lost."""
        async with self._turns:
            connection = await self._connected()
            try:
                await _asked(connection, statement, values)
                await connection.ensure_closed()
            finally:
                connection.close()

    async def close(self) -> None:
        """See `Database`."""
        kept, self._kept = self._kept, []
        for connection in kept:
            with contextlib.suppress(Exception):  # it was lost
                await connection.ensure_closed()

    def _taken(self) -> Any | None:
        """A connection that is kept, the one that was used last."""
        if not self._kept:
            return None
        connection = self._kept.pop()
        if asyncio.get_running_loop().time() - connection.last_usage < UNUSED_SECONDS:
            return connection
        # The others have not been used for longer.
        connection.close()
        self._close_kept()
        return None

    def _close_kept(self) -> None:
        while self._kept:
            self._kept.pop().close()

    async def _connected(self) -> Any:
        with _told_alike():
            connection = await aiomysql.connect(**self._how)
            try:
                # Neither the address nor the server (`init_connect`) decides on the character set: what is not in it
                # would be an error for all who asked in the same moment, or be read as something else.
                await connection.set_charset(CHARSET)
                # The answer tells how this server wants quotes, and whether it commits.
                await _asked(connection, f"SET SESSION TRANSACTION {self._access}", ())
                # Each question sees what is committed now: with a snapshot, a permission taken away would live on.
                await connection.autocommit(True)
            except BaseException:
                connection.close()
                raise
        return connection

    async def _answer(self, connection: Any, question: str, values: Sequence[Value]) -> list[Row]:
        try:
            rows = await _asked(connection, question, values)
        except asyncio.CancelledError:
            # Not answered in time: a firewall that forgot this connection will have forgotten those that rest, too.
            connection.close()
            self._close_kept()
            raise
        except BaseException:
            connection.close()
            raise
        self._kept.append(connection)
        return rows


async def _asked(connection: Any, question: str, values: Sequence[Value]) -> list[Row]:
    with _told_alike():
        cursor = await connection.cursor(_Cursor)
        # `escape` and not the cursor's own way with lists, which ignores how this server wants quotes to be escaped.
        await cursor.execute(with_values(question, values, connection.escape))
        return list(await cursor.fetchall())


@contextlib.contextmanager
def _told_alike() -> Iterator[None]:
    """Makes a DatabaseError of what the driver raises."""
    try:
        yield
    except aiomysql.Error as error:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else None
        message = str(error.args[1] if len(error.args) > 1 else error)
        raise DatabaseError(type(error).__name__, number, message) from error
    except _BROKEN as error:
        raise DatabaseError(type(error).__name__, _SERVER_LOST, str(error)) from error
