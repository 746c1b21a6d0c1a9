"""Fills a gallery with as many photos, albums, people and sessions as are asked for, within the database itself.

Only MariaDB can do it (its sequences); a million photos take some seconds. Photos' files are made by `files`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from galleries import ADDRESS_PREFIX, GUEST, TestGallery

from benchmarks.lab import photograph

FOLDER = "upload/2026/05/14"
SIZE = (1200, 900)
POOL = 20
"""How many different pictures there are behind all photos. A test of the benchmark itself needs few."""

QUICK_POOL = 2

FIRST_USER = 10
PRIVATE_SHARE = 2
"""Every so many-th album is private."""


@dataclass(frozen=True)
class Scale:
    """How large a gallery is. sessions: of guests, besides one of each user."""

    photos: int
    albums: int
    users: int
    groups: int
    sessions: int


SMALL = Scale(1_000, 20, 50, 5, 100)
LARGE = Scale(1_000_000, 10_000, 5_000, 200, 20_000)


def populate(gallery: TestGallery, scale: Scale) -> None:
    """Insert all rows. Photo n is in album 1 + n % albums; user FIRST_USER + n has group 1 + n % groups."""
    p, s = gallery.prefix, scale
    last = FIRST_USER + s.users - 1
    albums_of_group = max(1, s.albums // s.groups)
    statements = [
        f"INSERT INTO {p}images (id, path, file, width, height, rotation, level) SELECT seq, "
        f"CONCAT('./{FOLDER}/', LPAD(LOWER(HEX(seq)), 8, '0'), '.jpg'), CONCAT('Photo ', seq, '.jpg'), "
        f"{SIZE[0]}, {SIZE[1]}, 0, IF(seq % 50 = 0, 4, 0) FROM seq_1_to_{s.photos}",
        f"INSERT INTO {p}image_category SELECT seq, 1 + seq % {s.albums} FROM seq_1_to_{s.photos}",
        f"INSERT IGNORE INTO {p}image_category SELECT seq, 1 + (seq * 7) % {s.albums} FROM seq_1_to_{s.photos} "
        "WHERE seq % 10 = 0",
        f"INSERT INTO {p}categories (id, name, uppercats, status, visible) SELECT seq, CONCAT('Album ', seq), seq, "
        f"IF(seq % {PRIVATE_SHARE} = 0, 'private', 'public'), 'true' FROM seq_1_to_{s.albums}",
        f"INSERT INTO {p}users (id, username, password) SELECT seq, CONCAT('user', seq), 'x' "
        f"FROM seq_{FIRST_USER}_to_{last}",
        f"INSERT INTO {p}user_infos (user_id, status, level, enabled_high) SELECT seq, 'normal', 4, 'true' "
        f"FROM seq_{FIRST_USER}_to_{last}",
        f"INSERT INTO {p}user_group SELECT 1 + seq % {s.groups}, seq FROM seq_{FIRST_USER}_to_{last}",
        f"INSERT INTO {p}group_access SELECT g.seq, 1 + (g.seq * {albums_of_group} + a.seq) % {s.albums} "
        f"FROM seq_1_to_{s.groups} AS g, seq_1_to_{albums_of_group} AS a",
        f"INSERT INTO {p}sessions SELECT CONCAT('{ADDRESS_PREFIX}', 'session', seq), "
        f"CONCAT('pwg_device|s:7:\"desktop\";pwg_uid|i:', seq, ';connected_with|s:6:\"pwg_ui\";'), NOW() "
        f"FROM seq_{FIRST_USER}_to_{last}",
        f"INSERT INTO {p}sessions SELECT CONCAT('{ADDRESS_PREFIX}', 'guest', seq), "
        f"CONCAT('pwg_device|s:7:\"desktop\";', REPEAT('x', 200)), NOW() FROM seq_1_to_{s.sessions}",
        f"ANALYZE TABLE {p}images, {p}image_category, {p}sessions",
    ]
    gallery.user(GUEST, "guest", "guest")
    with gallery.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            # Not through text(): a colon in it would be a parameter.
            connection.exec_driver_sql(statement.replace("%", "%%"))


def files(gallery: TestGallery, photos: Iterable[int], size: tuple[int, int] = SIZE, pool: int = POOL) -> None:
    """Make the files of photos: links to a few pictures, which the daemon cannot tell from files of their own."""
    folder = gallery.root / FOLDER
    (folder / "pool").mkdir(parents=True, exist_ok=True)
    for number in range(pool):
        photograph(*size, seed=number + 1).jpegsave(str(folder / f"pool/{number}.jpg"), Q=90)
    for number in photos:
        (folder / name(number)).symlink_to(Path("pool") / f"{number % pool}.jpg")


def name(photo: int) -> str:
    """The file's name of a photo."""
    return f"{photo:08x}.jpg"


def address(photo: int, code: str) -> str:
    """Piwigo's address of a derivative."""
    return f"/i.php?/{FOLDER}/{name(photo).replace('.jpg', f'-{code}.jpg')}"


def cookie(user: int) -> str:
    """The cookie of a user who is logged in."""
    return f"pwg_id=session{user}"
