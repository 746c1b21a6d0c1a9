"""A family's gallery with the daemon and the plugin's keys, as PHP and browsers find them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import family
import pytest
import sqlalchemy as sa
from daemon import Daemon
from galleries import TestGallery

PHP = Path(__file__).parent / "php"


class PluginSide:
    """The plugin in PHP, over a stand-in for Piwigo."""

    def __init__(self, gallery: TestGallery, daemon: Daemon) -> None:
        self.gallery = gallery
        self.daemon = daemon
        self.keys = gallery.root / "local/config/pwgserve.inc.php"
        self.keys.parent.mkdir(parents=True, exist_ok=True)
        self.export()

    def export(self) -> None:
        config = self.daemon.directory / "pwgserve.toml"
        command = [sys.executable, "-m", "pwgserve", "keys", "export-plugin", "--config", str(config)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def addresses(self, name: str, way: str = "page", *more: str) -> dict:
        cookie = "" if name == "guest" else f"{name}session"
        program = shutil.which("php")
        assert program, "php is not installed; run scripts/system-packages"
        database = self.gallery.address.removeprefix("sqlite:///")
        command = [program, str(PHP / "addresses.php"), str(self.gallery.root), database, cookie, way, *more]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


def family_gallery(folder: Path) -> TestGallery:
    gallery = TestGallery(folder / "piwigo", sa.create_engine(f"sqlite:///{folder}/g.db"), f"sqlite:///{folder}/g.db")
    gallery.paths = family.build(gallery)
    return gallery


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    gallery = family_gallery(tmp_path_factory.mktemp("gallery"))
    daemon = Daemon(gallery, tmp_path_factory.mktemp("daemon")).start()
    yield PluginSide(gallery, daemon)
    daemon.stop()
    gallery.engine.dispose()
