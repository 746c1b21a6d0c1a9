"""The names of Piwigo's tables, which owners may choose one by one (`define('USER_INFOS_TABLE', 'main_user_infos')`).

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

CONSTANTS: Mapping[str, str] = {
    f"{name.upper()}_TABLE": name
    for name in (
        *("images", "image_category", "categories", "users", "user_infos", "user_access", "user_group", "group_access"),
        *("groups", "sessions", "user_auth_keys", "image_format", "config", "lounge", "history"),
    )
}
"""Piwigo's constant → the table's name in `schema`."""

LOCAL_DIR = "PWG_LOCAL_DIR"
"""The constant of the folder that holds `config/database.inc.php`."""


def split(name: str) -> tuple[str | None, str]:
    """Database (None for the gallery's own) and table of a name that Piwigo puts into its SQL: `forum.members`."""
    database, dot, table = name.replace("`", "").rpartition(".")
    return (database, table) if dot and database else (None, table)
