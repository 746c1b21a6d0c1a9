"""The SQL for a database user that may read what pwgserve reads, column by column, and nothing else.

Pure. The list comes from `piwigo.schema`, so that it cannot name too little or too much.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pwgserve.piwigo.history import COLUMNS as HISTORY_COLUMNS
from pwgserve.piwigo.schema import READ, RECENT, Schema
from pwgserve.piwigo.tables import split

USER = "pwgserve"
LONGEST = 32
"""Characters of a user's name in MySQL."""


def user_for(configuration: Path, is_second: bool = False) -> str:
    """The user of a configuration: one of another name must not take the password of the first one's user from it.

    is_second: whether there is a configuration at the usual place, too, which has the user of the usual name.
    """
    name = configuration.stem
    if name == USER and is_second:
        name = configuration.absolute().parent.name
    elif name == USER:
        return USER
    return f"{USER}_{re.sub(r'[^A-Za-z0-9]', '_', name)}"[:LONGEST]


def statements(
    schema: Schema,
    database: str,
    password: str,
    hosts: Sequence[str],
    has_recent: bool = True,
    history_table: str | None = None,
    user: str = USER,
) -> list[str]:
    """The statements that make the user, or let it read what it did not before.

    hosts: from where it connects, as MariaDB means it. has_recent: whether the tables have the columns of Piwigo 16.
    history_table: with `piwigo.log_history`, the one table that is written.
    """
    found = []
    for host in hosts:
        name = f"{_text(user)}@{_text(host)}"
        found.append(f"CREATE USER IF NOT EXISTS {name} IDENTIFIED BY {_text(password)};")
        found.append(f"ALTER USER {name} IDENTIFIED BY {_text(password)};")
        for table in READ:
            columns = (*READ[table], *(RECENT.get(table, ()) if has_recent else ()))
            listed = ", ".join(_name(schema[table].columns[column]) for column in columns)
            place = f"{_name(schema[table].database or database)}.{_name(schema[table].name)}"
            found.append(f"GRANT SELECT ({listed}) ON {place} TO {name};")
        if history_table:
            listed = ", ".join(_name(column) for column in HISTORY_COLUMNS)
            of_history, table_name = split(history_table)
            found.append(f"GRANT INSERT ({listed}) ON {_name(of_history or database)}.{_name(table_name)} TO {name};")
    return found


def removal(hosts: Sequence[str], user: str = USER) -> list[str]:
    """The statements that remove the user again."""
    return [f"DROP USER IF EXISTS {_text(user)}@{_text(host)};" for host in hosts]


def _name(identifier: str) -> str:
    return "`" + identifier.replace("`", "``") + "`"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
