"""Empty databases of both kinds that pwgserve reads."""

from pathlib import Path

import sqlalchemy as sa
from galleries import TestGallery
from mariadb import ADMIN, MariaDb


class Databases:
    """Hands out empty databases; the server is started when the first is asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server: MariaDb | None = None
        self._made = 0

    @property
    def server(self) -> MariaDb:
        if self._server is None:
            self._directory.mkdir(exist_ok=True)
            self._server = MariaDb(self._directory)
            self._server.start()
            # The daemon may read, and nothing else.
            self._server.execute(
                "CREATE USER reader@'%' IDENTIFIED BY 'p@ss/word'", "GRANT SELECT ON *.* TO reader@'%'"
            )
        return self._server

    def gallery(self, kind: str, directory: Path, **options: object) -> TestGallery:
        self._made += 1
        root = directory / "piwigo"
        if kind == "sqlite":
            file = directory / "gallery.db"
            return TestGallery(root, sa.create_engine(f"sqlite:///{file}"), f"sqlite:///{file}", **options)
        name = f"gallery{self._made}"
        port = self.server.port
        self.server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        engine = sa.create_engine(f"mysql+pymysql://{ADMIN}@127.0.0.1:{port}/{name}?charset=utf8mb4")
        return TestGallery(root, engine, f"mysql://reader:p%40ss%2Fword@127.0.0.1:{port}/{name}", **options)

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()
