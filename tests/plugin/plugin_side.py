"""The plugin in PHP beside a daemon, over a family's gallery and a stand-in for Piwigo."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import family
import sqlalchemy as sa
from daemon import Daemon
from galleries import TestGallery

from pwgserve.keys import keys_file, plugin_file

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
        ring = keys_file.load(self.daemon.directory / "keys")
        plugin_file.write(self.keys, plugin_file.text(ring, self.daemon.tables["server"]["listen"]))

    def addresses(self, name: str, way: str = "page", *more: str) -> dict:
        """What a page holds, written by a plugin that has heard of the daemon, if that is the one it knows."""
        while True:
            found = self._addresses(name, way, *more)
            if not self._was_too_slow():
                return found
            self.gallery.delete("config", param="pwgserve")

    def _was_too_slow(self) -> bool:
        """Whether the daemon took longer than a page waits for it, and the next pages of a minute ask it for nothing."""
        with self.gallery.engine.connect() as connection:
            config = self.gallery.schema.config
            kept = connection.execute(sa.select(config.c.value).where(config.c.param == "pwgserve")).scalar()
        if kept is None or '"unreachable"' not in kept or not self.keys.exists():
            return False
        return f'"{self.daemon.tables["server"]["listen"]}"' in self.keys.read_text("latin-1")

    def _addresses(self, name: str, way: str, *more: str) -> dict:
        cookie = "" if name == "guest" else f"{name}session"
        program = shutil.which("php")
        assert program, "php is not installed; run scripts/system-packages"
        database = self.gallery.address.removeprefix("sqlite:///")
        command = [program, str(PHP / "addresses.php"), str(self.gallery.root), database, cookie, way, *more]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=200, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


def family_gallery(folder: Path) -> TestGallery:
    gallery = _empty(folder)
    gallery.paths = family.build(gallery)
    return gallery


def annas_gallery(folder: Path) -> TestGallery:
    """Anna has one private photo, family.PARTY."""
    gallery = _empty(folder)
    gallery.user(family.USERS["guest"], "guest", "guest")
    gallery.user(family.USERS["anna"], "anna")
    gallery.album(family.ANNAS, private=True)
    gallery.insert("user_access", user_id=family.USERS["anna"], cat_id=family.ANNAS)
    gallery.paths = {family.PARTY: gallery.photo(family.PARTY, (family.ANNAS,))}
    gallery.session(family.USERS["anna"], "annasession")
    return gallery


def _empty(folder: Path) -> TestGallery:
    return TestGallery(folder / "piwigo", sa.create_engine(f"sqlite:///{folder}/g.db"), f"sqlite:///{folder}/g.db")
