"""Writes the lines that Piwigo's `action.php` writes into table `history`, for owners who want them (`log_history`).

The only SQL that writes, on a connection of its own: everything else of the daemon cannot. Lines wait in a bounded
queue, so that no picture waits for them; when the database takes none, they are dropped and the log says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from pwgserve.piwigo.address import Address
from pwgserve.piwigo.asking import DatabaseError
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.database import opened
from pwgserve.piwigo.permissions import Status, Viewer
from pwgserve.piwigo.schema import quoted
from pwgserve.piwigo.tables import split
from pwgserve.piwigo.wanted import Part, Wanted

WAITING = 10_000
ADDRESS_LENGTH = 39
SECONDS = 10.0
"""After which lines count as not written."""

AT_ONCE = 500
"""Lines in one statement at the most: a database that is far away takes many as quickly as one."""

COLUMNS = ("date", "time", "user_id", "IP", "image_id", "image_type", "format_id")
"""What is written of a line; the id comes from the database."""

_INSERT = "INSERT INTO {table} ({columns}) VALUES "
_VALUES = "(CURRENT_DATE, CURRENT_TIME, %s, %s, %s, 'high', %s)"
_log = structlog.get_logger("history")


@dataclass(frozen=True)
class Line:
    """One visit to an original, or to another format of it."""

    user_id: int
    address: str
    photo_id: int
    format_id: int | None = None


def line(viewer: Viewer, address: str | None, photo_id: int, wanted: Wanted, conf: PiwigoConf) -> Line | None:
    """What Piwigo would note of a file that it gave to a viewer; None for nothing."""
    keeps = conf.log
    if viewer.status.is_admin:
        keeps = conf.history_admin
    elif viewer.status is Status.GUEST:
        keeps = conf.history_guest
    # Pages show representatives by the same address, and their visits are noted already.
    if not keeps or wanted.part is Part.REPRESENTATIVE:
        return None
    return Line(viewer.user_id, (address or "")[:ADDRESS_LENGTH], photo_id, wanted.format_id)


class History:
    """Table `history` of one gallery. address: of the database, for a user who may insert. name: of the table."""

    def __init__(self, address: Address, name: str) -> None:
        self._database = opened(address, SECONDS, may_write=True)
        table = ".".join(quoted(part) for part in split(name) if part)
        self._insert = _INSERT.format(table=table, columns=", ".join(quoted(column) for column in COLUMNS))
        self._waiting: asyncio.Queue[Line] = asyncio.Queue(WAITING)
        self._unwritten = 0
        self._writer = asyncio.create_task(self._write_for_ever())

    def note(self, entry: Line) -> None:
        """Write a line soon; returns at once."""
        try:
            self._waiting.put_nowait(entry)
        except asyncio.QueueFull:
            _log.warning("history-line-dropped", problem="the database is too slow", lines=1)
        else:
            self._unwritten += 1

    async def close(self) -> None:
        """Write what waits, for a moment, and let go of the database."""
        try:
            async with asyncio.timeout(2):
                await self._waiting.join()
        except TimeoutError:
            problem = "the database is too slow, and the service ends"
            _log.warning("history-line-dropped", problem=problem, lines=self._unwritten)
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        await self._database.close()

    async def _write_for_ever(self) -> None:
        while True:
            entries = [await self._waiting.get()]
            while len(entries) < AT_ONCE and not self._waiting.empty():
                entries.append(self._waiting.get_nowait())
            try:
                await self._write(entries)
            except (DatabaseError, OSError, TimeoutError) as error:
                kind = error.kind if isinstance(error, DatabaseError) else type(error).__name__
                problem = f"the database does not take it ({kind}); may its user INSERT into history?"
                _log.error("history-line-dropped", problem=problem, lines=len(entries))
            finally:
                self._unwritten -= len(entries)
                for _ in entries:
                    self._waiting.task_done()

    async def _write(self, entries: Sequence[Line]) -> None:
        statement = self._insert + ", ".join([_VALUES] * len(entries))
        values = [item for one in entries for item in (one.user_id, one.address, one.photo_id, one.format_id)]
        async with asyncio.timeout(SECONDS):
            await self._database.write(statement, values)
