import time
from collections.abc import Iterator
from pathlib import Path

import family
import pytest
from clock import Clock
from daemon import Daemon, serving, starting
from databases import Databases
from galleries import TestGallery

PROMISED_SECONDS = 2.0
DATABASES = ["sqlite", "mariadb"]


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
    yield from serving(gallery, tmp_path_factory.mktemp("daemon"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    """Starts further daemons with other settings, and stops them."""
    yield from starting(tmp_path)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """What the daemons of a test may go by, if they are started with its environment."""
    return Clock(tmp_path / "clock")


@pytest.fixture
def settled() -> object:
    """Waits for as long as a change in Piwigo may take to count."""
    return lambda: time.sleep(PROMISED_SECONDS)
