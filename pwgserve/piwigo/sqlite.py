"""Questions to an SQLite file: the embedded default, for demos and small galleries.

Each question opens the file anew, on a thread: that takes a fraction of a millisecond, and who replaces the file is
believed at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from pwgserve.piwigo.asking import DatabaseError, Item, Row, Value, with_values


class Sqlite:
    """An SQLite file. patience: seconds to wait for who has locked it."""

    def __init__(self, file: str, patience: float, may_write: bool = False) -> None:
        mode = "rw" if may_write else "ro"
        self._uri = f"file:{quote(str(Path(file).absolute()))}?mode={mode}"
        self._patience = patience

    async def rows(self, question: str, values: Sequence[Value]) -> list[Row]:
        """See `Database`."""
        return await asyncio.to_thread(self._asked, question, values)

    async def write(self, statement: str, values: Sequence[Value]) -> None:
        """See `Database`."""
        await asyncio.to_thread(self._asked, statement, values)

    async def close(self) -> None:
        """See `Database`: there is no connection to let go of."""

    def _asked(self, question: str, values: Sequence[Value]) -> list[Row]:
        items = list[Item]()

        def marked(item: Item) -> str:
            items.append(item)
            return "?"

        question = with_values(question, values, marked)
        try:
            # The inner one commits.
            with contextlib.closing(sqlite3.connect(self._uri, uri=True, timeout=self._patience)) as database, database:
                return database.execute(question, items).fetchall()
        except (sqlite3.Error, OverflowError) as error:  # the latter: a number beyond 64 bits
            raise DatabaseError(type(error).__name__, None, str(error)) from error
