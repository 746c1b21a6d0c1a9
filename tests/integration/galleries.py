"""Galleries with Piwigo's tables, made for tests: rows in SQLite or MariaDB, files in a folder, ways to change both."""

import contextlib
import datetime
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyvips
import sqlalchemy as sa
from piwigo_tables import tables as piwigo_tables

from pwgserve.piwigo.identity import remember_me_key

SECRET_KEY = "0123456789abcdef0123456789abcdef"
GUEST = 2
ADDRESS_PREFIX = "7F00"  # of visitors at 127.0.0.1


class TestGallery:
    """A gallery's folder and tables. `engine` writes; the daemon reads through `address`."""

    __test__ = False

    def __init__(self, root: Path, engine: sa.Engine, address: str, prefix: str = "piwigo_", **tables: Any) -> None:
        self.root = root
        self.engine = engine
        self.address = address
        self.prefix = prefix
        self.schema = piwigo_tables(prefix, **tables)
        self.is_sqlite = engine.dialect.name == "sqlite"
        if self.is_sqlite:
            # Nobody minds if it is lost in a power cut.
            sa.event.listen(engine, "connect", lambda made, _record: made.execute("PRAGMA synchronous=OFF"))
        root.mkdir(parents=True, exist_ok=True)
        self.schema.metadata.create_all(engine)
        self.insert("config", param="secret_key", value=SECRET_KEY)

    def insert(self, table: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.insert(getattr(self.schema, table)).values(**values))

    def update(self, table: str, where: dict[str, Any], **values: Any) -> None:
        columns = getattr(self.schema, table).c
        with self.engine.begin() as connection:
            conditions = [columns[name] == value for name, value in where.items()]
            done = connection.execute(sa.update(getattr(self.schema, table)).where(*conditions).values(**values))
            assert done.rowcount >= 1

    def delete(self, table: str, **where: Any) -> None:
        columns = getattr(self.schema, table).c
        with self.engine.begin() as connection:
            conditions = [columns[name] == value for name, value in where.items()]
            connection.execute(sa.delete(getattr(self.schema, table)).where(*conditions))

    def set_config(self, param: str, value: str) -> None:
        self.delete("config", param=param)
        self.insert("config", param=param, value=value)

    @contextlib.contextmanager
    def config(self, param: str, value: str) -> Iterator[None]:
        config = self.schema.config
        with self.engine.connect() as connection:
            before = connection.execute(sa.select(config.c.value).where(config.c.param == param)).scalar()
        self.set_config(param, value)
        try:
            yield
        finally:
            self.delete("config", param=param)
            if before is not None:
                self.insert("config", param=param, value=before)

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Undoes at the end whatever was done to rows and files."""
        with self.engine.connect() as connection:
            tables = self.schema.metadata.sorted_tables
            rows = {table: [dict(row) for row in connection.execute(sa.select(table)).mappings()] for table in tables}
        files = {file: (file.read_bytes(), file.stat()) for file in self._files()}
        try:
            yield
        finally:
            with self.engine.begin() as connection:
                for table, before in rows.items():
                    connection.execute(sa.delete(table))
                    if before:
                        connection.execute(sa.insert(table), before)
            for file in self._files() - files.keys():
                file.unlink()
            for file, (content, status) in files.items():
                if not file.exists() or file.read_bytes() != content:
                    file.write_bytes(content)
                os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _files(self) -> set[Path]:
        return {file for file in self.root.rglob("*") if file.is_file()}

    def user(self, user_id: int, name: str, status: str = "normal", level: int = 0, high: bool = True) -> None:
        self.insert("users", id=user_id, username=name, password=f"hash-of-{name}")
        enabled = "true" if high else "false"
        self.insert("user_infos", user_id=user_id, status=status, level=level, enabled_high=enabled)

    def album(self, album_id: int, above: int | None = None, private: bool = False, visible: bool = True) -> None:
        self.insert(
            "categories",
            id=album_id,
            name=f"Album {album_id}",
            id_uppercat=above,
            uppercats=f"{above},{album_id}" if above else str(album_id),
            status="private" if private else "public",
            visible="true" if visible else "false",
        )

    def photo(
        self,
        photo_id: int,
        albums: tuple[int, ...] = (),
        size: tuple[int, int] = (1200, 900),
        path: str | None = None,
        **columns: Any,
    ) -> str:
        """Add a photo and its file; returns its path below the root."""
        path = path or f"upload/2026/05/14/20260514101112-{photo_id:08x}.jpg"
        if not (self.root / path).exists():
            self.picture(path, size, photo_id)
        row = {"file": f"Photo {photo_id}.{path.rpartition('.')[2]}", "rotation": 0, "level": 0}
        row |= {"width": size[0], "height": size[1]} | columns
        self.insert("images", id=photo_id, path=f"./{path}", **row)
        for album in albums:
            self.insert("image_category", image_id=photo_id, category_id=album)
        return path

    def picture(self, path: str, size: tuple[int, int], seed: int = 0) -> Path:
        """Write a picture whose colours differ by seed."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_encoded(file.suffix, size, (seed * 37) % 256))
        return file

    def session(self, user_id: int | None, cookie: str, age: int = 0, prefix: str = ADDRESS_PREFIX) -> str:
        """Log a user in; returns the cookie's value."""
        data = "" if user_id is None else f'pwg_device|s:7:"desktop";pwg_uid|i:{user_id};connected_with|s:6:"pwg_ui";'
        self.insert("sessions", id=prefix + cookie, data=data, expiration=self.ago(age))
        return cookie

    def ago(self, seconds: int) -> Any:
        """A moment as Piwigo would store it in this database."""
        if self.is_sqlite:
            return datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - datetime.timedelta(seconds=seconds)
        return sa.func.timestampadd(sa.literal_column("SECOND"), -seconds, sa.func.now())

    def remember_me(self, user_id: int, name: str, made_at: int) -> str:
        """The cookie that Piwigo would have given, percent-encoded as browsers send it."""
        key = remember_me_key(SECRET_KEY, f"hash-of-{name}", made_at, user_id, name)
        return f"{user_id}-{made_at}-{key}".replace("=", "%3D").replace("/", "%2F").replace("+", "%2B")


@functools.lru_cache(100)
def _encoded(suffix: str, size: tuple[int, int], blue: int) -> bytes:
    """A picture that grows redder to the right and greener to the bottom. The same ones are in every gallery."""
    ramp = pyvips.Image.xyz(*size)
    image = (ramp[0] * 255 / size[0]).bandjoin([ramp[1] * 255 / size[1], ramp[0] * 0 + blue])
    return bytes(image.cast("uchar").copy(interpretation="srgb").write_to_buffer(suffix))
