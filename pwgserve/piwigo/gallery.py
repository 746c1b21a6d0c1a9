"""Rows of a Piwigo gallery as the values that the pure modules decide on, and how the database is asked.

Reads only; the one table that is ever written is in `history`. Every answer is what the database says now;
`pwgserve.answers.freshness` keeps answers for a moment. Whatever goes wrong on the way to an answer is
GalleryUnavailableError, so that callers fail closed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    CompoundSelect,
    Select,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.engine import URL, Row, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pwgserve.piwigo.charsets import can_hold
from pwgserve.piwigo.permissions import Album, Photo
from pwgserve.piwigo.schema import Schema
from pwgserve.problems import OwnerError

CONNECT_SECONDS = 3
QUERY_SECONDS = 2.0
"""After which a question counts as not answered. A connection may have died without a word, and as long as that is not
noticed, a database that is back is still away for us: this bounds how long."""

CHECK_SECONDS = 10.0
"""The same for each question at the start, when database and machine may still be starting, too."""

BULK_SECONDS = 60.0
"""The same for work on the whole gallery: it is the last to get the machine's time, and nobody waits for it."""

CONNECTIONS = 5
DATABASE_VERSION = "piwigo_db_version"
FIRST_WITH_KEY_TYPES = 16
_COI = re.compile(r"[a-z]{4}")

AnyRow: TypeAlias = Row[Any]
KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
"""Stands in statements that are written once for the keys of each question."""


class GalleryUnavailableError(OwnerError):
    """The database did not answer, or not in time; nothing may be served on a guess."""


class GalleryConfigurationError(OwnerError):
    """The database can be reached but is not the gallery's: one line that says what is wrong and what to do."""


@dataclass(frozen=True)
class Format:
    """Another format of a photo (a row of `image_format`)."""

    format_id: int
    photo_id: int
    extension: str


def database_url(setting: str, writable: bool = False) -> URL:
    """The address of the database for SQLAlchemy, asynchronous driver included. Raises GalleryConfigurationError.

    setting: `mysql://user:password@host:port/name` or `sqlite:///path`, as in the configuration. writable: for the one
    table that is ever written, `history`; of MySQL the user's own rights decide.
    """
    try:
        url = make_url(setting)
    except (ArgumentError, ValueError) as error:
        raise GalleryConfigurationError("piwigo.database is not an address of a database") from error
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "")
        if not file.is_file():
            raise GalleryConfigurationError(f"piwigo.database: there is no file {file}; give the gallery's SQLite file")
        query = {"mode": "rw" if writable else "ro", "uri": "true"}
        return URL.create("sqlite+aiosqlite", database=f"file:{quote(str(file.absolute()))}", query=query)
    if not url.database:
        raise GalleryConfigurationError("piwigo.database: the name of the database is missing behind the last slash")
    return url.set(drivername="mysql+aiomysql", query={"charset": "utf8mb4"} | dict(url.query))


def charset_of(column: Column[str]) -> Select[tuple[str]]:
    """The question for a column's character set as `name`, in one row, which MariaDB answers without reading any."""
    # A greatest value there always is, if only NULL, and of no rows as well.
    return select(func.charset(func.max(column)).label("name")).where(false())


class Gallery:
    """A Piwigo gallery's database. One per process; safe to use from many tasks.

    patience: seconds after which a question counts as not answered. questions: how often it was asked. failures: how
    often it did not answer, or not in time.
    """

    def __init__(self, url: URL, schema: Schema, patience: float = QUERY_SECONDS) -> None:
        self._schema = schema
        self._has_key_types = False
        self._hides_key_types = False
        self._usual_patience = self._patience = patience
        self._is_sqlite = url.get_backend_name() == "sqlite"
        self._charsets: dict[ColumnElement[str], str] = {}
        self._engine = _engine(url, patience)
        # Written once: writing a statement takes longer than the database takes to answer it.
        self._photos_of = self._photos_where(schema.images.c.id.in_(KEYS))
        self._config = select(schema.config.c.param, schema.config.c.value).where(schema.config.c.param.in_(KEYS))
        self.questions = 0
        self.failures = 0

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def check(self) -> None:
        """Ask for every column that is needed. Raises GalleryConfigurationError or GalleryUnavailableError."""
        self._patience = max(CHECK_SECONDS, self._usual_patience)
        try:
            await self._check_tables()
            self._hides_key_types = not await self.learn_key_types() and await self._has_them_by_its_version()
            if not self._is_sqlite:
                for column in (self._schema.images.c.path, self._schema.users.c.username):
                    self._charsets[column] = await self._charset(column)
        finally:
            self._patience = self._usual_patience

    async def _check_tables(self) -> None:
        for table in self._schema.metadata.sorted_tables:
            skipped = ("unread", "recent")
            columns = [column for column in table.columns if not any(column.info.get(one) for one in skipped)]
            if table.info.get("unread"):
                continue
            try:
                await self._probe(columns)
            except GalleryUnavailableError as error:
                problem = _problem(error.__cause__)
                if problem:
                    raise GalleryConfigurationError(f"piwigo.database: {problem}") from error
                raise

    async def _charset(self, column: Column[str]) -> str:
        return as_text((await self.rows(charset_of(column)))[0].name)

    def held(self, column: ColumnElement[str], texts: Sequence[str]) -> Sequence[str]:
        """The texts that a column can be compared with: no other text is in it."""
        charset = self._charsets.get(column)
        return [text for text in texts if can_hold(charset, text)]

    async def _probe(self, columns: Sequence[ColumnElement[Any]]) -> None:
        await self.rows(select(*columns).where(text("0 = 1")))

    async def _has(self, columns: Sequence[ColumnElement[Any]]) -> bool:
        try:
            await self._probe(columns)
        except GalleryUnavailableError as error:
            if _problem(error.__cause__):
                return False
            raise
        return True

    async def _has_them_by_its_version(self) -> bool:
        # To who may read columns of their own only, the database says the same of one that there is not.
        version = (await self.config([DATABASE_VERSION])).get(DATABASE_VERSION, "").partition(".")[0]
        return version.isdecimal() and int(version) >= FIRST_WITH_KEY_TYPES

    async def ping(self) -> None:
        """Return when the database answers. Raises GalleryUnavailableError."""
        await self.rows(select(text("1")))

    async def config(self, names: Sequence[str]) -> dict[str, str]:
        """The named rows of table `config`, those that exist."""
        rows = await self.rows(self._config, names)
        return {row.param: as_text(row.value) for row in rows}

    async def photos_of(self, photo_ids: Sequence[int]) -> tuple[Photo, ...]:
        """The photos with these ids, those that exist, by id."""
        return _photos(await self.rows(self._photos_of, photo_ids))

    async def photos(self, photo_ids: Sequence[int]) -> Mapping[int, Photo]:
        """The photos with these ids."""
        return {photo.photo_id: photo for photo in await self.photos_of(photo_ids)}

    async def photos_at(self, paths: Sequence[str]) -> Mapping[str, Sequence[Photo]]:
        """The photos stored at exactly these paths (with `./`), by path; at most one each in a sound gallery."""
        column = self._schema.images.c.path
        found: dict[str, list[Photo]] = {path: [] for path in paths}
        for photo in await self._photos(column.in_(self.held(column, paths))):
            # MariaDB compares without case, accents and trailing spaces; a file system does not.
            if photo.path in found:
                found[photo.path].append(photo)
        return found

    async def photos_beside(self, stems: Sequence[str]) -> Mapping[str, Sequence[Photo]]:
        """The photos stored at these paths plus any extension, by path without it."""
        found: dict[str, list[Photo]] = {stem: [] for stem in stems}
        for photo in await self._photos(self._is_beside(stems)):
            stem = photo.path.rpartition(".")[0]
            if stem in found:
                found[stem].append(photo)
        return found

    async def formats(self, format_ids: Sequence[int]) -> Mapping[int, Format]:
        """The formats with these ids."""
        formats = self._schema.image_format.c
        rows = await self.rows(
            select(formats.format_id, formats.image_id, formats.ext).where(formats.format_id.in_(format_ids))
        )
        return {int(row.format_id): _format(row) for row in rows}

    async def formats_beside(self, stems: Sequence[str]) -> Mapping[str, Sequence[Format]]:
        """The other formats of all photos stored at these paths plus any extension, by path without it."""
        formats, images = self._schema.image_format.c, self._schema.images.c
        query = (
            select(formats.format_id, formats.image_id, formats.ext, images.path)
            .join(self._schema.images, images.id == formats.image_id)
            .where(self._is_beside(stems))
        )
        found: dict[str, list[Format]] = {stem: [] for stem in stems}
        for row in await self.rows(query):
            stem = as_text(row.path).rpartition(".")[0]
            if stem in found:
                found[stem].append(_format(row))
        return found

    def _is_beside(self, stems: Sequence[str]) -> ColumnElement[bool]:
        path = self._schema.images.c.path
        # A range and not LIKE: it uses the index in every database. "/" is the character after ".".
        return or_(false(), *((path >= f"{stem}.") & (path < f"{stem}/") for stem in self.held(path, stems)))

    async def _photos(self, condition: ColumnElement[bool]) -> tuple[Photo, ...]:
        return _photos(await self.rows(self._photos_where(condition)))

    def _photos_where(self, condition: ColumnElement[bool]) -> Select[Any]:
        s = self._schema
        images, albums = s.images.c, s.categories.c
        # One query whether the photo exists or not, has albums or not: every no takes the same way.
        return (
            select(
                images.id, images.path, images.file, images.level, images.width, images.height, images.rotation,
                images.coi, images.representative_ext, albums.id.label("album_id"), albums.status, albums.visible,
            )
            .outerjoin(s.image_category, s.image_category.c.image_id == images.id)
            .outerjoin(s.categories, albums.id == s.image_category.c.category_id)
            .where(condition)
            .order_by(images.id)
        )  # fmt: skip

    def seconds_since(self, moment: ColumnElement[Any]) -> ColumnElement[float]:
        """How long ago a column's time was, by the database's own clock and time zone (SQLite: UTC)."""
        if self._is_sqlite:
            return (func.julianday("now") - func.julianday(moment)) * 86400.0
        return func.timestampdiff(literal_column("SECOND"), moment, func.now())

    @property
    def has_key_types(self) -> bool:
        """Whether the gallery tells keys of mailed links from those of programs, as Piwigo 16 does."""
        return self._has_key_types

    @property
    def hides_key_types(self) -> bool:
        """Whether it does, and our database user may not read them: that user is older than Piwigo's upgrade."""
        return self._hides_key_types

    async def learn_key_types(self) -> bool:
        """`has_key_types` by now: asked again while it is not so, because Piwigo may have been upgraded meanwhile."""
        if not self._has_key_types:
            keys = self._schema.user_auth_keys.c
            self._has_key_types = await self._has((keys.key_type, keys.revoked_on))
        return self._has_key_types

    @property
    def schema(self) -> Schema:
        """The gallery's tables, for the project's other modules of SQL."""
        return self._schema

    async def rows(
        self, query: Select[Any] | CompoundSelect[Any], keys: Sequence[Any] | None = None
    ) -> Sequence[AnyRow]:
        """The answer to a question, here or of another module of SQL. Raises GalleryUnavailableError.

        keys: what stands in the place of KEYS, if the query has it.
        """
        parameters = {} if keys is None else {"keys": list(keys)}
        self.questions += 1
        try:
            async with asyncio.timeout(self._patience):
                try:
                    return await self._asked(query, parameters)
                except DBAPIError as error:
                    if not error.connection_invalidated:
                        raise
                    # The server closed the connection since it was used last (a restart, a time limit): that says
                    # nothing of how it is now. Asking before each question whether the connection is there would
                    # double the time of every question.
                    return await self._asked(query, parameters)
        except (SQLAlchemyError, PoolTimeoutError, OSError, TimeoutError) as error:
            self.failures += 1
            # The message of a driver may hold the statement with its values; only its kind is told.
            raise GalleryUnavailableError(f"the gallery's database did not answer ({type(error).__name__})") from error

    async def _asked(self, query: Select[Any] | CompoundSelect[Any], parameters: Mapping[str, Any]) -> Sequence[AnyRow]:
        async with self._engine.connect() as connection:
            rows: Sequence[AnyRow] = (await connection.execute(query, parameters)).all()
            return rows


def _engine(url: URL, patience: float) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        return create_async_engine(url, pool_size=CONNECTIONS, hide_parameters=True)
    return create_async_engine(
        url,
        # Each statement sees what is committed now: with a snapshot, a permission taken away would live on.
        isolation_level="AUTOCOMMIT",
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=patience,
        # Nothing is ever begun that would have to be rolled back.
        pool_reset_on_return=None,
        skip_autocommit_rollback=True,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "init_command": "SET SESSION TRANSACTION READ ONLY"},
    )


def _photos(rows: Sequence[AnyRow]) -> tuple[Photo, ...]:
    by_id: dict[int, list[AnyRow]] = {}
    for row in rows:
        by_id.setdefault(int(row.id), []).append(row)
    return tuple(_photo(of_one) for of_one in by_id.values())


def _photo(rows: Sequence[AnyRow]) -> Photo:
    first = rows[0]
    return Photo(
        photo_id=int(first.id),
        path=as_text(first.path),
        file=as_text(first.file),
        level=int(first.level),
        width=first.width,
        height=first.height,
        rotation=None if first.rotation is None else int(first.rotation) % 4,
        coi=first.coi if first.coi and _COI.fullmatch(first.coi) else None,
        representative_ext=first.representative_ext or None,
        albums=tuple(
            Album(int(row.album_id), private=row.status != "public", visible=row.visible == "true")
            for row in rows
            if row.album_id is not None
        ),
    )


def _format(row: AnyRow) -> Format:
    return Format(int(row.format_id), int(row.image_id), as_text(row.ext))


def as_text(value: str | bytes | None) -> str:
    """What a driver hands out as text or as bytes, as text; nothing is the empty text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""


_ACCESS_DENIED = {1044, 1045, 1142, 1143, 1698}
_UNKNOWN_DATABASE = 1049
_UNKNOWN_TABLE = 1146
_UNKNOWN_COLUMN = 1054
_CANNOT_CONNECT = {2002, 2003}


def _problem(error: BaseException | None) -> str | None:
    """What the owner can mend, if that is what stopped the database from answering."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    number = error.orig.args[0] if error.orig.args else None
    message = str(error.orig.args[1] if len(error.orig.args) > 1 else error.orig).replace("\n", " ")
    if number in _ACCESS_DENIED:
        return f"access is refused ({message}); check user and password"
    if number == _UNKNOWN_DATABASE:
        return f"{message}; check the name behind the last slash"
    if number in (_UNKNOWN_TABLE, _UNKNOWN_COLUMN) or "no such table" in message or "no such column" in message:
        return f"not the tables of a Piwigo gallery ({message}); check piwigo.table_prefix"
    if number in _CANNOT_CONNECT:
        return f"cannot be reached ({message}); is the database server running at this address?"
    if "file is not a database" in message:
        return "the file is not an SQLite database"
    return None
