import time
from collections.abc import Iterator
from pathlib import Path

import family
import pytest
import sqlalchemy as sa
from daemon import Daemon
from galleries import TestGallery
from mariadb import MariaDb

PROMISED_SECONDS = 2.0
DATABASES = ["sqlite", "mariadb"]


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
        engine = sa.create_engine(f"mysql+pymysql://root@127.0.0.1:{port}/{name}?charset=utf8mb4")
        return TestGallery(root, engine, f"mysql://reader:p%40ss%2Fword@127.0.0.1:{port}/{name}", **options)

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    found = Databases(tmp_path_factory.mktemp("mariadb"))
    yield found
    found.close()


@pytest.fixture(scope="module", params=DATABASES)
def gallery(request: pytest.FixtureRequest, databases: Databases, tmp_path_factory) -> Iterator[TestGallery]:
    """The family's gallery; `gallery.paths` are those of its photos."""
    made = databases.gallery(request.param, tmp_path_factory.mktemp("gallery"))
    made.paths = family.build(made)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def daemon(gallery: TestGallery, tmp_path_factory) -> Iterator[Daemon]:
    """A daemon on the family's gallery."""
    running = Daemon(gallery, tmp_path_factory.mktemp("daemon")).start()
    yield running
    running.stop()
    assert "unexpected-error" not in running.log


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    """Starts further daemons with other settings, and stops them."""
    running: list[Daemon] = []

    def begin(gallery: TestGallery, **changes: dict[str, object]) -> Daemon:
        directory = tmp_path / f"daemon{len(running)}"
        directory.mkdir()
        running.append(Daemon(gallery, directory, changes).start())
        return running[-1]

    yield begin
    for one in running:
        one.stop()
        assert "unexpected-error" not in one.log


@pytest.fixture
def settled() -> object:
    """Waits for as long as a change in Piwigo may take to count."""
    return lambda: time.sleep(PROMISED_SECONDS)
