"""Piwigo's tables and columns, as far as pwgserve reads them, and how they come into SQL. Pure.

Questions are written with names in braces, `SELECT id FROM {images}`, which stand for whatever the owner's tables are
called. What asks them is listed in `pwgserve.piwigo`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pwgserve.piwigo.conf import USER_FIELDS
from pwgserve.piwigo.tables import CONSTANTS, split

READ: Mapping[str, tuple[str, ...]] = {
    "images": ("id", "file", "width", "height", "coi", "representative_ext", "path", "level", "rotation"),
    "image_category": ("image_id", "category_id"),
    "categories": ("id", "id_uppercat", "status", "visible"),
    "users": ("id", "username", "password"),
    "user_infos": ("user_id", "status", "enabled_high", "level"),
    "user_access": ("user_id", "cat_id"),
    "user_group": ("group_id", "user_id"),
    "group_access": ("group_id", "cat_id"),
    "sessions": ("id", "data", "expiration"),
    "user_auth_keys": ("auth_key", "user_id", "expired_on"),
    "image_format": ("format_id", "image_id", "ext"),
    "config": ("param", "value"),
}
"""Table → the columns that are read of it, in every gallery."""

RECENT: Mapping[str, tuple[str, ...]] = {"user_auth_keys": ("key_type", "revoked_on")}
"""The same of Piwigo 16, which galleries before it have not."""


def quoted(name: str) -> str:
    """A name as SQL, in a text that has marks for its values."""
    # Backticks: every mode of MySQL knows them, and so does SQLite.
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"


@dataclass(frozen=True)
class Table:
    """One table. database: None for the gallery's own. columns: our name of a column → its name there."""

    name: str
    database: str | None
    columns: Mapping[str, str]

    def __str__(self) -> str:
        """The table in SQL."""
        return ".".join(quoted(part) for part in (self.database, self.name) if part is not None)

    def __getitem__(self, column: str) -> str:
        """A column in SQL: `{users[username]}`."""
        return quoted(self.columns[column])


class Schema:
    """The tables of one gallery, by Piwigo's own names for them."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables

    def __getitem__(self, name: str) -> Table:
        """The table of this name."""
        return self._tables[name]

    def filled(self, question: str, **others: object) -> str:
        """A question with the names of tables and columns in it; `others`: what else it has in braces."""
        return question.format(**self._tables, **others)


def schema(
    prefix: str,
    users_table: str | None = None,
    user_fields: Mapping[str, str] = USER_FIELDS,
    chosen: Mapping[str, str] | None = None,
) -> Schema:
    """The tables with the gallery's prefix; an owner may keep users in a table of their own, with other columns.

    chosen: names that the owner gave to tables, by Piwigo's constants for them.
    """
    names = {"users": users_table} if users_table else {}
    names |= {CONSTANTS[constant]: name for constant, name in (chosen or {}).items()}
    tables = {}
    for name, read in READ.items():
        columns = {column: column for column in (*read, *RECENT.get(name, ()))}
        if name == "users":
            columns = {column: user_fields[column] for column in read}
        database, own_name = split(names[name]) if name in names else (None, prefix + name)
        tables[name] = Table(own_name, database, columns)
    return Schema(tables)
