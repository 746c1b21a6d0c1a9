"""Piwigo's tables, for galleries that are made: what pwgserve reads, and some that it does not.

Column types follow Piwigo's own on MariaDB, so that test galleries meet the same collations and ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import CHAR, ENUM, MEDIUMINT, MEDIUMTEXT, SMALLINT, TINYINT, VARCHAR

from pwgserve.piwigo.conf import USER_FIELDS
from pwgserve.piwigo.tables import CONSTANTS, split

_medium = Integer().with_variant(MEDIUMINT(unsigned=True), "mysql", "mariadb")
_small = Integer().with_variant(SMALLINT(unsigned=True), "mysql", "mariadb")
_tiny = Integer().with_variant(TINYINT(unsigned=True), "mysql", "mariadb")
_boolean = String(5).with_variant(ENUM("true", "false"), "mysql", "mariadb")
_exact = String(100).with_variant(VARCHAR(100, collation="utf8mb4_bin"), "mysql", "mariadb")
_session_id = String(50).with_variant(VARCHAR(50, collation="utf8mb4_bin"), "mysql", "mariadb")
# Text that counts in bytes (a session row, a serialized setting): drivers give text or bytes.
_serialized = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")


@dataclass(frozen=True)
class Tables:
    """The tables of one gallery. `metadata` creates them all."""

    metadata: MetaData
    images: Table
    image_category: Table
    categories: Table
    users: Table
    user_infos: Table
    user_access: Table
    user_group: Table
    group_access: Table
    groups: Table
    sessions: Table
    user_auth_keys: Table
    image_format: Table
    config: Table
    lounge: Table


def tables(
    prefix: str,
    users_table: str | None = None,
    user_fields: Mapping[str, str] = USER_FIELDS,
    chosen: Mapping[str, str] | None = None,
) -> Tables:
    """The tables with the gallery's prefix; an owner may keep users in a table of their own, with other columns.

    chosen: names that the owner gave to tables, by Piwigo's constants for them.
    """
    metadata = MetaData()
    names = {"users": users_table} if users_table else {}
    names |= {CONSTANTS[constant]: name for constant, name in (chosen or {}).items()}

    def table(name: str, *columns: Column[object]) -> Table:
        database, own_name = split(names[name]) if name in names else (None, prefix + name)
        return Table(own_name, metadata, *columns, schema=database)

    images = table(
        "images",
        Column("id", _medium, primary_key=True),
        Column("file", String(255), nullable=False, default=""),
        Column("name", String(255)),
        Column("filesize", Integer),
        Column("width", _small),
        Column("height", _small),
        Column("coi", String(4).with_variant(CHAR(4), "mysql", "mariadb")),
        Column("representative_ext", String(4)),
        Column("path", String(255), nullable=False, default=""),
        Column("level", _tiny, nullable=False, default=0),
        Column("md5sum", String(32).with_variant(CHAR(32), "mysql", "mariadb")),
        Column("rotation", _tiny),
    )
    Index(f"{prefix}images_i7", images.c.path)
    image_category = table(
        "image_category",
        Column("image_id", _medium, primary_key=True, autoincrement=False),
        Column("category_id", _small, primary_key=True, autoincrement=False),
    )
    Index(f"{prefix}image_category_i1", image_category.c.category_id)
    return Tables(
        metadata=metadata,
        images=images,
        image_category=image_category,
        categories=table(
            "categories",
            Column("id", _small, primary_key=True),
            Column("name", String(255), nullable=False, default=""),
            Column("id_uppercat", _small),
            Column("uppercats", String(255), nullable=False, default=""),
            Column("status", String(7).with_variant(ENUM("public", "private"), "mysql", "mariadb"), default="public"),
            Column("visible", _boolean, nullable=False, default="true"),
        ),
        users=table(
            "users",
            Column(user_fields["id"], _medium, primary_key=True, key="id"),
            Column(user_fields["username"], _exact, nullable=False, default="", key="username"),
            Column(user_fields["password"], String(255), key="password"),
        ),
        user_infos=table(
            "user_infos",
            Column("user_id", _medium, primary_key=True, autoincrement=False),
            Column(
                "status",
                String(9).with_variant(ENUM("webmaster", "admin", "normal", "generic", "guest"), "mysql", "mariadb"),
                nullable=False,
                default="guest",
            ),
            Column("enabled_high", _boolean, nullable=False, default="true"),
            Column("level", _tiny, nullable=False, default=0),
        ),
        user_access=table(
            "user_access",
            Column("user_id", _medium, primary_key=True, autoincrement=False),
            Column("cat_id", _small, primary_key=True, autoincrement=False),
        ),
        user_group=table(
            "user_group",
            Column("group_id", _small, primary_key=True, autoincrement=False),
            Column("user_id", _medium, primary_key=True, autoincrement=False),
        ),
        group_access=table(
            "group_access",
            Column("group_id", _small, primary_key=True, autoincrement=False),
            Column("cat_id", _small, primary_key=True, autoincrement=False),
        ),
        groups=table(
            "groups",
            Column("id", _small, primary_key=True),
            Column("name", String(255), nullable=False, default=""),
        ),
        sessions=table(
            "sessions",
            Column("id", _session_id, primary_key=True),
            Column("data", _serialized, nullable=False),
            Column("expiration", DateTime, nullable=False),
        ),
        user_auth_keys=table(
            "user_auth_keys",
            Column("auth_key_id", Integer, primary_key=True),
            Column("auth_key", String(255), nullable=False),
            Column("user_id", _medium, nullable=False),
            Column("expired_on", DateTime, nullable=False),
            Column("key_type", String(40)),
            Column("revoked_on", DateTime),
        ),
        image_format=table(
            "image_format",
            Column("format_id", Integer, primary_key=True),
            Column("image_id", _medium, nullable=False, default=0),
            Column("ext", String(255), nullable=False),
        ),
        config=table(
            "config",
            Column("param", String(40), primary_key=True),
            Column("value", _serialized),
        ),
        lounge=table(
            "lounge",
            Column("image_id", _medium, primary_key=True, autoincrement=False),
            Column("category_id", _small, primary_key=True, autoincrement=False),
        ),
    )
