"""The SQL of the project: rows of a Piwigo gallery as the values that the pure modules decide on.

Reads only; the one table that is ever written is in `history`. Every answer is what the database says now;
`pwgserve.freshness` keeps answers for a moment. Whatever goes wrong on the way to an answer is
GalleryUnavailableError, so that callers fail closed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from sqlalchemy import ColumnElement, Select, func, literal_column, select, text, true, union_all
from sqlalchemy.engine import URL, Row, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from pwgserve.piwigo.identity import session_user_id
from pwgserve.piwigo.permissions import Album, Photo, Status, Viewer
from pwgserve.piwigo.schema import Schema
from pwgserve.problems import OwnerError

CONNECT_SECONDS = 3
QUERY_SECONDS = 5.0
CONNECTIONS = 5
_COI = re.compile(r"[a-z]{4}")

AnyRow: TypeAlias = Row[Any]


class GalleryUnavailableError(OwnerError):
    """The database did not answer, or not in time; nothing may be served on a guess."""


class GalleryConfigurationError(OwnerError):
    """The database can be reached but is not the gallery's: one line that says what is wrong and what to do."""


@dataclass(frozen=True)
class Session:
    """A session's row. `user_id` is None for a guest's; `age`: seconds since Piwigo last wrote it."""

    user_id: int | None
    age: float


@dataclass(frozen=True, repr=False)
class Account:
    """What a remember-me cookie is verified against."""

    username: str
    password_hash: str


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


class Gallery:
    """A Piwigo gallery's database. One per process; safe to use from many tasks.

    questions: how often it was asked. failures: how often it did not answer, or not in time.
    """

    def __init__(self, url: URL, schema: Schema) -> None:
        self._schema = schema
        self._has_key_types = True
        self._is_sqlite = url.get_backend_name() == "sqlite"
        self._engine = _engine(url)
        self.questions = 0
        self.failures = 0

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def check(self) -> None:
        """Ask for every column that is needed. Raises GalleryConfigurationError or GalleryUnavailableError."""
        for table in self._schema.metadata.sorted_tables:
            columns = [column for column in table.columns if not column.info.get("unread")]
            long_known = [column for column in columns if not column.info.get("recent")]
            if table.info.get("unread"):
                continue
            try:
                await self._probe(long_known)
                if long_known != columns:
                    self._has_key_types = await self._has(columns)
            except GalleryUnavailableError as error:
                problem = _problem(error.__cause__)
                if problem:
                    raise GalleryConfigurationError(f"piwigo.database: {problem}") from error
                raise

    async def _probe(self, columns: Sequence[ColumnElement[Any]]) -> None:
        await self._rows(select(*columns).where(text("0 = 1")))

    async def _has(self, columns: Sequence[ColumnElement[Any]]) -> bool:
        try:
            await self._probe(columns)
        except GalleryUnavailableError as error:
            if _problem(error.__cause__):
                return False
            raise
        return True

    async def ping(self) -> None:
        """Return when the database answers. Raises GalleryUnavailableError."""
        await self._rows(select(text("1")))

    async def config(self, names: Sequence[str]) -> dict[str, str]:
        """The named rows of table `config`, those that exist."""
        config = self._schema.config.c
        rows = await self._rows(select(config.param, config.value).where(config.param.in_(names)))
        return {row.param: _text(row.value) for row in rows}

    async def photos_at(self, path: str) -> tuple[Photo, ...]:
        """The photos stored at exactly this path (with `./`); at most one in a sound gallery."""
        found = await self._photos(self._schema.images.c.path == path)
        # MariaDB compares without case, accents and trailing spaces; a file system does not.
        return tuple(photo for photo in found if photo.path == path)

    async def photos_beside(self, stem: str) -> tuple[Photo, ...]:
        """The photos stored at this path plus any extension."""
        path = self._schema.images.c.path
        # A range and not LIKE: it uses the index in every database. "/" is the character after ".".
        found = await self._photos((path >= f"{stem}.") & (path < f"{stem}/"))
        return tuple(photo for photo in found if photo.path.rpartition(".")[0] == stem)

    async def photo(self, photo_id: int) -> Photo | None:
        """The photo with this id."""
        found = await self._photos(self._schema.images.c.id == photo_id)
        return found[0] if found else None

    async def photos_of(self, photo_ids: Sequence[int]) -> tuple[Photo, ...]:
        """The photos with these ids, those that exist, by id."""
        return await self._photos(self._schema.images.c.id.in_(photo_ids))

    async def photo_of_format(self, format_id: int) -> Photo | None:
        """The photo that has the format with this id."""
        formats = self._schema.image_format.c
        photo_id = select(formats.image_id).where(formats.format_id == format_id).scalar_subquery()
        found = await self._photos(self._schema.images.c.id == photo_id)
        return found[0] if found else None

    async def format(self, format_id: int) -> Format | None:
        """The format with this id."""
        formats = self._schema.image_format.c
        rows = await self._rows(
            select(formats.format_id, formats.image_id, formats.ext).where(formats.format_id == format_id)
        )
        return _format(rows[0]) if rows else None

    async def formats_beside(self, stem: str) -> tuple[Format, ...]:
        """The other formats of all photos stored at this path plus any extension."""
        formats, images = self._schema.image_format.c, self._schema.images.c
        query = (
            select(formats.format_id, formats.image_id, formats.ext)
            .join(self._schema.images, images.id == formats.image_id)
            .where((images.path >= f"{stem}.") & (images.path < f"{stem}/"))
        )
        return tuple(_format(row) for row in await self._rows(query))

    async def viewer(self, user_id: int) -> Viewer | None:
        """The user as far as permissions go, or None when there is no such user."""
        s = self._schema
        infos = s.user_infos.c
        person = select(infos.status, infos.level, infos.enabled_high).join(s.users, s.users.c.id == infos.user_id)
        by_group = (
            select(s.group_access.c.cat_id)
            .join(s.user_group, s.user_group.c.group_id == s.group_access.c.group_id)
            .where(s.user_group.c.user_id == user_id)
        )
        by_user = select(s.user_access.c.cat_id).where(s.user_access.c.user_id == user_id)
        async with self._connection() as connection:
            rows = (await connection.execute(person.where(infos.user_id == user_id))).all()
            albums = (await connection.execute(union_all(by_user, by_group))).scalars().all()
        if not rows or rows[0].status not in tuple(Status):
            return None
        return Viewer(
            user_id=user_id,
            status=Status(rows[0].status),
            level=int(rows[0].level),
            enabled_high=rows[0].enabled_high == "true",
            albums=frozenset(int(album) for album in albums),
        )

    async def session(self, row_id: str) -> Session | None:
        """The session with this id of its row."""
        sessions = self._schema.sessions.c
        rows = await self._rows(
            select(sessions.data, self._seconds_since(sessions.expiration).label("age")).where(sessions.id == row_id)
        )
        return Session(session_user_id(_text(rows[0].data).encode()), float(rows[0].age or 0)) if rows else None

    async def session_ids_of(self, user_id: int, max_age: float) -> tuple[str, ...]:
        """The row ids of a user's sessions that Piwigo wrote at most `max_age` seconds ago."""
        sessions = self._schema.sessions.c
        # The pattern finds candidates (as Piwigo itself does); the grammar decides, see `identity`.
        query = select(sessions.id, sessions.data).where(
            sessions.data.like(f"%pwg_uid|%{int(user_id)}%"), self._seconds_since(sessions.expiration) <= max_age
        )
        rows = await self._rows(query)
        return tuple(row.id for row in rows if session_user_id(_text(row.data).encode()) == user_id)

    async def account(self, user_id: int) -> Account | None:
        """The user's name and password hash."""
        users = self._schema.users.c
        rows = await self._rows(select(users.username, users.password).where(users.id == user_id))
        return Account(_text(rows[0].username), _text(rows[0].password)) if rows else None

    async def user_named(self, username: str) -> int | None:
        """The id of the user with exactly this name."""
        users = self._schema.users.c
        rows = await self._rows(select(users.id, users.username).where(users.username == username))
        return next((int(row.id) for row in rows if _text(row.username) == username), None)

    async def user_of_auth_key(self, auth_key: str) -> int | None:
        """The user whom a valid authentication key logs in: neither expired nor revoked, and of a plain user."""
        keys, infos = self._schema.user_auth_keys.c, self._schema.user_infos.c
        query = (
            select(keys.user_id, keys.auth_key, infos.status)
            .join(self._schema.user_infos, infos.user_id == keys.user_id)
            .where(keys.auth_key == auth_key, self._seconds_since(keys.expired_on) <= 0, self._is_link_key())
        )
        for row in await self._rows(query):
            if _text(row.auth_key) == auth_key and row.status in (Status.NORMAL, Status.GENERIC):
                return int(row.user_id)
        return None

    async def auth_keys_of(self, user_id: int) -> tuple[str, ...]:
        """The user's authentication keys that have neither expired nor been revoked."""
        keys = self._schema.user_auth_keys.c
        query = select(keys.auth_key).where(
            keys.user_id == user_id, self._seconds_since(keys.expired_on) <= 0, self._is_link_key()
        )
        return tuple(_text(row.auth_key) for row in await self._rows(query))

    async def program_keys_of(self, user_id: int) -> tuple[str, ...]:
        """The public halves of the user's keys for programs that have neither expired nor been revoked."""
        if not self._has_key_types:
            return ()
        keys = self._schema.user_auth_keys.c
        query = select(keys.auth_key).where(
            keys.user_id == user_id,
            self._seconds_since(keys.expired_on) <= 0,
            keys.revoked_on.is_(None),
            keys.key_type == "api_key",
        )
        return tuple(_text(row.auth_key) for row in await self._rows(query))

    def _is_link_key(self) -> ColumnElement[bool]:
        """Whether a key is one of mailed links, not of programs, and not revoked; old galleries have no others."""
        keys = self._schema.user_auth_keys.c
        if not self._has_key_types:
            return true()
        return keys.revoked_on.is_(None) & (keys.key_type.is_(None) | (keys.key_type == "auth_key"))

    async def _photos(self, condition: ColumnElement[bool]) -> tuple[Photo, ...]:
        s = self._schema
        images, albums = s.images.c, s.categories.c
        # One query whether the photo exists or not, has albums or not: every no takes the same way.
        query = (
            select(
                images.id, images.path, images.file, images.level, images.width, images.height, images.rotation,
                images.coi, images.representative_ext, albums.id.label("album_id"), albums.status, albums.visible,
            )
            .outerjoin(s.image_category, s.image_category.c.image_id == images.id)
            .outerjoin(s.categories, albums.id == s.image_category.c.category_id)
            .where(condition)
            .order_by(images.id)
        )  # fmt: skip
        by_id: dict[int, list[AnyRow]] = {}
        for row in await self._rows(query):
            by_id.setdefault(int(row.id), []).append(row)
        return tuple(_photo(rows) for rows in by_id.values())

    def _seconds_since(self, moment: ColumnElement[Any]) -> ColumnElement[float]:
        """How long ago a column's time was, by the database's own clock and time zone (SQLite: UTC)."""
        if self._is_sqlite:
            return (func.julianday("now") - func.julianday(moment)) * 86400.0
        return func.timestampdiff(literal_column("SECOND"), moment, func.now())

    @property
    def schema(self) -> Schema:
        """The gallery's tables, for the project's other modules of SQL."""
        return self._schema

    async def rows(self, query: Select[Any]) -> Sequence[AnyRow]:
        """The answer to a question of another module of SQL. Raises GalleryUnavailableError."""
        return await self._rows(query)

    async def _rows(self, query: Select[Any]) -> Sequence[AnyRow]:
        async with self._connection() as connection:
            rows: Sequence[AnyRow] = (await connection.execute(query)).all()
            return rows

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        self.questions += 1
        try:
            async with asyncio.timeout(QUERY_SECONDS), self._engine.connect() as connection:
                yield connection
        except (SQLAlchemyError, PoolTimeoutError, OSError, TimeoutError) as error:
            self.failures += 1
            # The message of a driver may hold the statement with its values; only its kind is told.
            raise GalleryUnavailableError(f"the gallery's database did not answer ({type(error).__name__})") from error


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        return create_async_engine(url, pool_size=CONNECTIONS, hide_parameters=True)
    return create_async_engine(
        url,
        # Each statement sees what is committed now: with a snapshot, a permission taken away would live on.
        isolation_level="AUTOCOMMIT",
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=QUERY_SECONDS,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "init_command": "SET SESSION TRANSACTION READ ONLY"},
    )


def _photo(rows: Sequence[AnyRow]) -> Photo:
    first = rows[0]
    return Photo(
        photo_id=int(first.id),
        path=_text(first.path),
        file=_text(first.file),
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
    return Format(int(row.format_id), int(row.image_id), _text(row.ext))


def _text(value: str | bytes | None) -> str:
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
