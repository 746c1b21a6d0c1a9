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
from typing import Any

from pwgserve.piwigo.address import Address, AddressError, parsed
from pwgserve.piwigo.asking import DatabaseError, Row, Value
from pwgserve.piwigo.charsets import can_hold
from pwgserve.piwigo.database import opened
from pwgserve.piwigo.permissions import NOBODYS, Album, Photo
from pwgserve.piwigo.schema import READ, RECENT, Schema
from pwgserve.problems import OwnerError

QUERY_SECONDS = 2.0
"""After which a question counts as not answered. A connection may have died without a word, and as long as that is not
noticed, a database that is back is still away for us: this bounds how long."""

CHECK_SECONDS = 10.0
"""The same for each question at the start, when database and machine may still be starting, too."""

BULK_SECONDS = 60.0
"""The same for work on the whole gallery: it is the last to get the machine's time, and nobody waits for it."""

DATABASE_VERSION = "piwigo_db_version"
FIRST_WITH_KEY_TYPES = 16
_COI = re.compile(r"[a-z]{4}")

PATH, USERNAME = ("images", "path"), ("users", "username")
"""The columns that are compared with texts of visitors."""

_PHOTOS = """
SELECT images.id, images.path, images.file, images.level, images.width, images.height, images.rotation, images.coi,
       images.representative_ext, categories.id, categories.status, categories.visible
FROM {images} AS images
LEFT JOIN {image_category} AS links ON links.image_id = images.id
LEFT JOIN {categories} AS categories ON categories.id = links.category_id
"""
# One question whether the photo exists or not, has albums or not: every no takes the same way.
_PHOTOS_OF = f"{_PHOTOS} WHERE images.id IN %s ORDER BY images.id"
_PHOTOS_AT = f"{_PHOTOS} WHERE images.path IN %s ORDER BY images.id"
_CONFIG = "SELECT param, value FROM {config} WHERE param IN %s"
_FORMATS = "SELECT format_id, image_id, ext FROM {image_format} WHERE format_id IN %s"
_FORMATS_BESIDE = """
SELECT formats.format_id, formats.image_id, formats.ext, images.path
FROM {image_format} AS formats JOIN {images} AS images ON images.id = formats.image_id
"""
# A range and not LIKE: it uses the index in every database. "/" is the character after ".".
_BESIDE = "(images.path >= %s AND images.path < %s)"
_NOTHING = "0 = 1"


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


def database_address(setting: str) -> Address:
    """The address of the database. Raises GalleryConfigurationError.

    setting: `mysql://user:password@host:port/name` or `sqlite:///path`, as in the configuration.
    """
    try:
        address = parsed(setting)
    except AddressError as error:
        raise GalleryConfigurationError("piwigo.database is not an address of a database") from error
    if address.is_sqlite:
        file = Path(address.name)
        if not file.is_file():
            raise GalleryConfigurationError(f"piwigo.database: there is no file {file}; give the gallery's SQLite file")
    elif not address.name:
        raise GalleryConfigurationError("piwigo.database: the name of the database is missing behind the last slash")
    return address


def charset_of(table: str, column: str) -> str:
    """The question for a column's character set, which MariaDB answers in one row without reading any."""
    # A greatest value there always is, if only NULL, and of no rows as well.
    return f"SELECT CHARSET(MAX({{{table}[{column}]}})) FROM {{{table}}} WHERE {_NOTHING}"  # noqa: S608 - our own names


class _SecondsSince:
    """How long ago a column's time was, by the database's own clock and time zone (SQLite: UTC): SQL, by column."""

    def __init__(self, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite

    def __getitem__(self, column: str) -> str:
        if self._is_sqlite:
            return f"((julianday('now') - julianday({column})) * 86400.0)"
        return f"TIMESTAMPDIFF(SECOND, {column}, NOW())"


class Gallery:
    """A Piwigo gallery's database. One per process; safe to use from many tasks.

    patience: seconds after which a question counts as not answered. questions: how often it was asked. failures: how
    often it did not answer, or not in time.
    """

    def __init__(self, address: Address, schema: Schema, patience: float = QUERY_SECONDS) -> None:
        self._schema = schema
        self._has_key_types = False
        self._hides_key_types = False
        self._usual_patience = self._patience = patience
        self._is_sqlite = address.is_sqlite
        self._seconds_since = _SecondsSince(self._is_sqlite)
        self._charsets: dict[tuple[str, str], str] = {}
        self._database = opened(address, patience)
        self.questions = 0
        self.failures = 0

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def check(self) -> None:
        """Ask for every column that is needed. Raises GalleryConfigurationError or GalleryUnavailableError."""
        self._patience = max(CHECK_SECONDS, self._usual_patience)
        try:
            await self._check_tables()
            self._hides_key_types = not await self.learn_key_types() and await self._has_them_by_its_version()
            if not self._is_sqlite:
                for column in (PATH, USERNAME):
                    self._charsets[column] = as_text((await self.rows(charset_of(*column)))[0][0])
        finally:
            self._patience = self._usual_patience

    async def _check_tables(self) -> None:
        for name, columns in READ.items():
            try:
                await self._probe(name, columns)
            except GalleryUnavailableError as error:
                problem = _problem(error.__cause__)
                if problem:
                    raise GalleryConfigurationError(f"piwigo.database: {problem}") from error
                raise

    def held(self, column: tuple[str, str], texts: Sequence[str]) -> Sequence[str]:
        """The texts that a column (of PATH and USERNAME) can be compared with: no other text is in it."""
        charset = self._charsets.get(column)
        return [text for text in texts if can_hold(charset, text)]

    async def _probe(self, table: str, columns: Sequence[str]) -> None:
        # With the table before it: the database's own words about a column that it lacks are what an owner reads.
        listed = ", ".join(f"{{{table}}}.{{{table}[{column}]}}" for column in columns)
        await self.rows(f"SELECT {listed} FROM {{{table}}} WHERE {_NOTHING}")  # noqa: S608 - our own names

    async def _has(self, table: str, columns: Sequence[str]) -> bool:
        try:
            await self._probe(table, columns)
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
        await self.rows("SELECT 1")

    async def config(self, names: Sequence[str]) -> dict[str, str]:
        """The named rows of table `config`, those that exist."""
        return {param: as_text(value) for param, value in await self.rows(_CONFIG, names)}

    async def photos_of(self, photo_ids: Sequence[int]) -> tuple[Photo, ...]:
        """The photos with these ids, those that exist, by id."""
        return _photos(await self.rows(_PHOTOS_OF, photo_ids))

    async def photos(self, photo_ids: Sequence[int]) -> Mapping[int, Photo]:
        """The photos with these ids."""
        return {photo.photo_id: photo for photo in await self.photos_of(photo_ids)}

    async def photos_at(self, paths: Sequence[str]) -> Mapping[str, Sequence[Photo]]:
        """The photos stored at exactly these paths (with `./`), by path; at most one each in a sound gallery."""
        found: dict[str, list[Photo]] = {path: [] for path in paths}
        for photo in _photos(await self.rows(_PHOTOS_AT, self.held(PATH, paths))):
            # MariaDB compares without case, accents and trailing spaces; a file system does not.
            if photo.path in found:
                found[photo.path].append(photo)
        return found

    async def photos_beside(self, stems: Sequence[str]) -> Mapping[str, Sequence[Photo]]:
        """The photos stored at these paths plus any extension, by path without it."""
        found: dict[str, list[Photo]] = {stem: [] for stem in stems}
        where, values = self._beside(stems)
        for photo in _photos(await self.rows(f"{_PHOTOS} WHERE {where} ORDER BY images.id", *values)):
            stem = photo.path.rpartition(".")[0]
            if stem in found:
                found[stem].append(photo)
        return found

    async def formats(self, format_ids: Sequence[int]) -> Mapping[int, Format]:
        """The formats with these ids."""
        return {int(row[0]): _format(row) for row in await self.rows(_FORMATS, format_ids)}

    async def formats_beside(self, stems: Sequence[str]) -> Mapping[str, Sequence[Format]]:
        """The other formats of all photos stored at these paths plus any extension, by path without it."""
        found: dict[str, list[Format]] = {stem: [] for stem in stems}
        where, values = self._beside(stems)
        for *row, path in await self.rows(f"{_FORMATS_BESIDE} WHERE {where}", *values):
            stem = as_text(path).rpartition(".")[0]
            if stem in found:
                found[stem].append(_format(row))
        return found

    def _beside(self, stems: Sequence[str]) -> tuple[str, Sequence[str]]:
        held = self.held(PATH, stems)
        return " OR ".join([_BESIDE] * len(held)) or _NOTHING, [f"{stem}{end}" for stem in held for end in "./"]

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
            self._has_key_types = await self._has("user_auth_keys", RECENT["user_auth_keys"])
        return self._has_key_types

    @property
    def schema(self) -> Schema:
        """The gallery's tables, for the project's other modules of SQL."""
        return self._schema

    async def rows(self, question: str, *values: Value) -> Sequence[Row]:
        """The answer to a question, here or of another module of SQL. Raises GalleryUnavailableError.

        question: as in `schema`, and `{seconds_since[column]}` in it. values: for its marks, see `asking`.
        """
        self.questions += 1
        try:
            async with asyncio.timeout(self._patience):
                named = self._schema.filled(question, seconds_since=self._seconds_since)
                return await self._database.rows(named, values)
        except (DatabaseError, OSError, TimeoutError) as error:
            self.failures += 1
            kind = error.kind if isinstance(error, DatabaseError) else type(error).__name__
            # The message of a driver may hold the statement with its values; only its kind is told.
            raise GalleryUnavailableError(f"the gallery's database did not answer ({kind})") from error


def _photos(rows: Sequence[Row]) -> tuple[Photo, ...]:
    by_id: dict[int, list[Row]] = {}
    for row in rows:
        by_id.setdefault(int(row[0]), []).append(row)
    return tuple(_photo(of_one) for of_one in by_id.values())


def _photo(rows: Sequence[Row]) -> Photo:
    photo_id, path, file, level, width, height, rotation, coi, representative_ext, *_ = rows[0]
    return Photo(
        photo_id=int(photo_id),
        path=as_text(path),
        file=as_text(file),
        level=NOBODYS if level is None else int(level),
        width=width,
        height=height,
        rotation=None if rotation is None else int(rotation) % 4,
        coi=coi if coi and _COI.fullmatch(coi) else None,
        representative_ext=representative_ext or None,
        albums=tuple(
            Album(int(album_id), private=status != "public", visible=visible == "true")
            for *_, album_id, status, visible in rows
            if album_id is not None
        ),
    )


def _format(row: Sequence[Any]) -> Format:
    format_id, photo_id, extension = row
    return Format(int(format_id), int(photo_id), as_text(extension))


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
    if not isinstance(error, DatabaseError):
        return None
    number, message = error.number, error.message.replace("\n", " ")
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
