"""The demo's gallery: albums, viewers, photographs, and Piwigo's tables in SQLite that hold them."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pwgserve.demo.film import HEIGHT, WIDTH, film
from pwgserve.demo.photographs import animation, cutout, photograph
from pwgserve.demo.tables import TABLES
from pwgserve.piwigo.identity import session_row_id

PREFIX = "piwigo_"
FOLDER = "upload/2026/08/14"
FAMILY = 1  # the group
A_WEEK = "604800"


@dataclass(frozen=True)
class Person:
    """A viewer of the demo. `about`: what Piwigo knows of them, in words."""

    user_id: int
    name: str
    status: str
    level: int
    about: str
    groups: tuple[int, ...] = ()
    albums: tuple[int, ...] = ()


@dataclass(frozen=True)
class Album:
    """An album of the demo. `about`: for whom it is, in words."""

    album_id: int
    name: str
    about: str
    above: int | None = None
    private: bool = False
    visible: bool = True
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A file of the demo's gallery. Width and height as seen upright; `level` as in Piwigo's privacy levels."""

    photo_id: int
    file: str
    scene: str
    size: tuple[int, int]
    album: int
    about: str = ""
    level: int = 0
    lies_on_its_side: bool = False

    @property
    def extension(self) -> str:
        """The file's extension without the dot."""
        return self.file.rpartition(".")[2]

    @property
    def path(self) -> str:
        """Where Piwigo would have put it, below its root."""
        mark = self.photo_id * 0x9E3779B1 % 2**32
        return f"{FOLDER}/20260814{93000 + 713 * self.photo_id:06d}-{mark:08x}.{self.extension}"

    @property
    def representative(self) -> str | None:
        """The still that stands for a film, below Piwigo's root."""
        folder, _, name = self.path.rpartition("/")
        return f"{folder}/pwg_representative/{name.removesuffix('mp4')}jpg" if self.extension == "mp4" else None


PEOPLE = (
    Person(2, "Guest", "guest", 0, "not logged in"),
    Person(3, "Anna", "normal", 4, "in the group “family”, and has an album of her own", (FAMILY,), (3,)),
    Person(4, "Ben", "normal", 0, "in the group “family”", (FAMILY,)),
    Person(5, "Carol", "normal", 0, "has an account, and no more"),
    Person(1, "Webmaster", "webmaster", 8, "administers the gallery; sees locked albums, not private ones"),
)

ALBUMS = (
    Album(1, "Summer at the lake", "public"),
    Album(2, "Our family", "private, for the group “family”", private=True, groups=(FAMILY,)),
    Album(3, "Only for Anna", "private, inside “Our family”, for Anna alone", above=2, private=True),
    Album(4, "Workshop", "locked: administrators only", visible=False),
    Album(5, "City nights", "public, but two photos have a privacy level"),
)

PICTURES = (
    Picture(1, "Evening at the lake.jpg", "lake", (6000, 4000), 1, "24 megapixels"),
    Picture(2, "Morning mist.jpg", "mist", (3000, 2000), 1),
    Picture(3, "Pines.jpg", "forest", (1600, 2400), 1, "portrait"),
    Picture(4, "Held upright.jpg", "balloons", (1600, 2400), 1, "rotated by EXIF", lies_on_its_side=True),
    Picture(5, "Paper boat.png", "boat", (1200, 800), 1, "transparent PNG"),
    Picture(6, "Lighthouse.gif", "lighthouse", (600, 400), 1, "animated GIF"),
    Picture(7, "Balloons.webp", "balloons", (2100, 1400), 1, "WebP"),
    Picture(8, "Sailing.jpg", "sea", (2400, 1600), 1),
    Picture(9, "First trip.mp4", "sea", (WIDTH, HEIGHT), 2, "film"),
    Picture(10, "Picnic.jpg", "dunes", (2400, 1600), 2),
    Picture(11, "Our balloon.jpg", "balloons", (3000, 2000), 2),
    Picture(12, "Cabin in the woods.jpg", "forest", (2400, 1600), 2),
    Picture(13, "Where he asked.jpg", "lake", (2700, 1800), 3),
    Picture(14, "The ring.jpg", "mist", (2400, 1600), 3),
    Picture(15, "Not yet public.jpg", "dunes", (2400, 1600), 4),
    Picture(16, "Unsorted.jpg", "sea", (1800, 1200), 4),
    Picture(17, "Skyline.jpg", "city", (3000, 2000), 5),
    Picture(18, "From the roof.jpg", "city", (1600, 2400), 5, "portrait"),
    Picture(19, "Party.jpg", "city", (2400, 1600), 5, "level “family”", level=4),
    Picture(20, "Draft.jpg", "lighthouse", (2400, 1600), 5, "level “admins”", level=8),
)


class DemoGallery:
    """The gallery in a folder: Piwigo's root, and the SQLite file beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "piwigo"
        self.database = folder / "gallery.db"

    def build(self, tell: Callable[[str], None], is_wanted: Callable[[], bool]) -> None:
        """Make files and rows, as long as somebody wants them; `tell` is given a line for each step.

        Raises FilmError. Takes some seconds.
        """
        (self.root / FOLDER / "pwg_representative").mkdir(parents=True)
        tell(f"Drawing {len(PICTURES)} photographs, up to 24 megapixels …")
        # libvips has threads of its own; two pictures at a time keep two cores busy and memory small.
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda picture: self._draw(picture) if is_wanted() else None, PICTURES))
        if not is_wanted():
            return
        tell("Filling Piwigo's tables …")
        with self._changing() as database:
            database.executescript(TABLES)
            _fill(database)

    def log_in(self, person: Person) -> str:
        """Begin a session, as Piwigo does after a right password; returns the cookie's value."""
        cookie = secrets.token_hex(16)
        with self._changing() as database:
            row_id = session_row_id(cookie, "127.0.0.1")
            data = f"pwg_uid|i:{person.user_id};"
            database.execute("INSERT INTO piwigo_sessions VALUES (?, ?, datetime('now'))", (row_id, data))
        return cookie

    def log_out(self, cookie: str) -> None:
        """End a session, as Piwigo's log-out does."""
        with self._changing() as database:
            database.execute("DELETE FROM piwigo_sessions WHERE id = ?", (session_row_id(cookie, "127.0.0.1"),))

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self.database)) as database, database:
            yield database

    def _draw(self, picture: Picture) -> None:
        file = self.root / picture.path
        arguments = (file, picture.scene, picture.photo_id, *picture.size)
        match picture.extension:
            case "png":
                cutout(*arguments)
            case "gif":
                animation(*arguments)
            case "mp4":
                film(file, picture.scene, picture.photo_id)
                photograph(self.root / (picture.representative or ""), *arguments[1:])
            case _:
                photograph(*arguments, exif_orientation=6 if picture.lies_on_its_side else 1)


def _fill(database: sqlite3.Connection) -> None:
    def insert(table: str, **values: object) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        statement = f"INSERT INTO {PREFIX}{table} ({names}) VALUES ({marks})"  # noqa: S608 - all names are ours
        database.execute(statement, tuple(values.values()))

    insert("config", param="secret_key", value=secrets.token_hex(20))
    insert("config", param="session_length", value=A_WEEK)
    insert("groups", id=FAMILY, name="family")
    for person in PEOPLE:
        insert("users", id=person.user_id, username=person.name.lower(), password=secrets.token_hex(20))
        insert("user_infos", user_id=person.user_id, status=person.status, level=person.level)
        for group in person.groups:
            insert("user_group", group_id=group, user_id=person.user_id)
        for album_id in person.albums:
            insert("user_access", user_id=person.user_id, cat_id=album_id)
    for album in ALBUMS:
        insert(
            "categories",
            id=album.album_id,
            name=album.name,
            id_uppercat=album.above,
            uppercats=f"{album.above},{album.album_id}" if album.above else str(album.album_id),
            status="private" if album.private else "public",
            visible="true" if album.visible else "false",
        )
        for group in album.groups:
            insert("group_access", group_id=group, cat_id=album.album_id)
    for picture in PICTURES:
        # Piwigo notes sizes as they lie in the file, and the turn that makes the picture upright.
        width, height = picture.size[::-1] if picture.lies_on_its_side else picture.size
        insert(
            "images",
            id=picture.photo_id,
            path=f"./{picture.path}",
            file=picture.file,
            width=width,
            height=height,
            rotation=3 if picture.lies_on_its_side else 0,
            level=picture.level,
            representative_ext="jpg" if picture.representative else None,
        )
        insert("image_category", image_id=picture.photo_id, category_id=picture.album)
