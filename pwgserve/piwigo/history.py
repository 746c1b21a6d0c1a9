"""Writes the lines that Piwigo's `action.php` writes into table `history`, for owners who want them (`log_history`).

The only SQL that writes, on a connection of its own: everything else of the daemon cannot. Lines wait in a bounded
queue, so that no picture waits for them; when the database takes none, they are dropped and the log says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

import structlog
from sqlalchemy import Column, Date, Integer, MetaData, String, Table, Time, func, insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.permissions import Status, Viewer
from pwgserve.piwigo.tables import split
from pwgserve.piwigo.wanted import Part, Wanted

WAITING = 10_000
ADDRESS_LENGTH = 39
_log = structlog.get_logger("history")


@dataclass(frozen=True)
class Line:
    """One visit. `image_type`: high for originals and formats, other for representatives."""

    user_id: int
    address: str
    photo_id: int
    image_type: str
    format_id: int | None = None


def line(viewer: Viewer, address: str | None, photo_id: int, wanted: Wanted, conf: PiwigoConf) -> Line | None:
    """What Piwigo would note of a file that it gave to a viewer; None when the gallery keeps no such history."""
    keeps = conf.log
    if viewer.status.is_admin:
        keeps = conf.history_admin
    elif viewer.status is Status.GUEST:
        keeps = conf.history_guest
    if not keeps:
        return None
    image_type = "other" if wanted.part is Part.REPRESENTATIVE else "high"
    return Line(viewer.user_id, (address or "")[:ADDRESS_LENGTH], photo_id, image_type, wanted.format_id)


class History:
    """Table `history` of one gallery. url: of a user who may insert into it. name: of the table."""

    def __init__(self, url: URL, name: str) -> None:
        self._engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True, hide_parameters=True)
        self._table = _table(name)
        self._waiting: asyncio.Queue[Line] = asyncio.Queue(WAITING)
        self._writer = asyncio.create_task(self._write_for_ever())

    def note(self, entry: Line) -> None:
        """Write a line soon; returns at once."""
        try:
            self._waiting.put_nowait(entry)
        except asyncio.QueueFull:
            _log.warning("history-line-dropped", problem="the database is too slow")

    async def close(self) -> None:
        """Write what waits, for a moment, and let go of the database."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self._waiting.join()
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        await self._engine.dispose()

    async def _write_for_ever(self) -> None:
        while True:
            entry = await self._waiting.get()
            try:
                await self._write(entry)
            except (SQLAlchemyError, OSError) as error:
                problem = f"the database does not take it ({type(error).__name__}); may its user INSERT into history?"
                _log.error("history-line-dropped", problem=problem)
            finally:
                self._waiting.task_done()

    async def _write(self, entry: Line) -> None:
        statement = insert(self._table).values(
            date=func.current_date(),
            time=func.current_time(),
            user_id=entry.user_id,
            IP=entry.address,
            image_id=entry.photo_id,
            image_type=entry.image_type,
            format_id=entry.format_id,
        )
        async with self._engine.begin() as connection:
            await connection.execute(statement)


def _table(name: str) -> Table:
    database, table = split(name)
    return Table(
        table,
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("date", Date, nullable=False),
        Column("time", Time, nullable=False),
        Column("user_id", Integer, nullable=False),
        Column("IP", String(ADDRESS_LENGTH), nullable=False),
        Column("image_id", Integer),
        Column("image_type", String(7)),
        Column("format_id", Integer),
        schema=database,
    )


COLUMNS = tuple(column.name for column in _table("history").columns if not column.primary_key)
"""What is written of a line; the id comes from the database."""
