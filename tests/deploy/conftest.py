import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import family
import pytest
import sqlalchemy as sa
from deployment import WAYS, Deployed, deploy
from galleries import TestGallery
from standin import Standin


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that web servers may enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="deploy-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def gallery(place: Path) -> Iterator[TestGallery]:
    file = place / "gallery.db"
    made = TestGallery(place / "www/photos", sa.create_engine(f"sqlite:///{file}"), f"sqlite:///{file}")
    made.paths = family.build(made)
    # What Piwigo would have there: programs, and sizes that it made before it was protected.
    for name in ("index.php", "i.php", "action.php"):
        (made.root / name).write_text("<?php /* stands for Piwigo */\n")
    (made.root / "upload/2026/05/14/shell.php").write_text("<?php /* somebody's upload */\n")
    for photo in (family.LAKE, family.PARTY):
        made.picture("_data/i/" + made.paths[photo].replace(".jpg", "-me.jpg"), (792, 528), photo + 50)
    (made.root / "_data/combined").mkdir()
    (made.root / "themes").mkdir()
    (made.root / "_data/combined/style.css").write_text("body {}\n")
    php = Standin(place / "php.sock", made)
    yield made
    php.close()
    made.engine.dispose()


@pytest.fixture(scope="session", params=WAYS)
def deployed(request: pytest.FixtureRequest, gallery: TestGallery, place: Path) -> Iterator[Deployed]:
    running = deploy(WAYS[request.param], gallery, place)
    yield running
    running.server.stop()
    running.daemon.stop()
    assert "unexpected-error" not in running.daemon.log
