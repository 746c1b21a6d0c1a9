"""What a user may read is asked of accounts that every Debian has: `games`, alone in its group, and `www-data`."""

import grp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pwgserve.setup.reading import readers_problem

USER, OTHERS = "games", "www-data"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def photos():
    """A folder that everybody may reach, which pytest's own are not, with a photo in it."""
    with tempfile.TemporaryDirectory(prefix="pwgserve-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "upload/2026").mkdir(parents=True)
        (folder / "upload/2026/a b.jpg").touch()
        yield folder


def given(path, group, mode):
    os.chown(path, -1, grp.getgrnam(group).gr_gid)
    path.chmod(mode)
    return path


def test_nothing_is_to_be_done_where_the_user_may_read(photos):
    file = photos / "upload/2026/a b.jpg"
    for group, mode in (("root", 0o644), (USER, 0o640)):
        assert readers_problem([given(file, group, mode)], USER) is None
    assert readers_problem([photos / "none"], USER) is None
    assert readers_problem([given(file, "root", 0o600)], "nobody-has-this-name") is None


@pytest.mark.parametrize(
    ("group", "mode", "web_group", "command"),
    [
        (USER, 0o600, OTHERS, "chmod g+r {file}"),
        (OTHERS, 0o640, OTHERS, "usermod -aG www-data games"),
        # The web server is not locked out: nothing of its group is given to another.
        (OTHERS, 0o600, OTHERS, "usermod -aG www-data games && chmod g+r {file}"),
        (OTHERS, 0o600, USER, "chgrp games {file} && chmod g+r {file}"),
        # Whoever is in root's group reads what is only root's.
        ("root", 0o640, None, "chgrp games {file} && chmod g+r {file}"),
        ("root", 0o600, OTHERS, "usermod -aG www-data games && chgrp www-data {file} && chmod g+r {file}"),
    ],
)
def test_a_file_is_opened_to_a_group_and_never_to_everybody(photos, group, mode, web_group, command):
    file = given(photos / "upload/2026/a b.jpg", group, mode)
    told = readers_problem([file], USER, web_group)
    assert told == command.format(file=f"'{file}'")
    if not told.startswith("usermod"):  # which would be a change of this machine
        subprocess.run(told, shell=True, check=True)
        assert readers_problem([file], USER, web_group) is None
        assert not file.stat().st_mode & 0o007


def test_originals_are_let_all_together(photos):
    upload = photos / "upload"
    given(upload / "2026", USER, 0o700)
    file = given(upload / "2026/a b.jpg", USER, 0o600)
    told = readers_problem([file], USER, None, [upload])
    assert told == f"chmod -R g+rX {upload}"
    given(upload / "2026", "root", 0o700)
    told = readers_problem([file], USER, None, [upload])
    assert told == f"chgrp -R games {upload} && chmod -R g+rX {upload}"
    subprocess.run(told, shell=True, check=True)
    assert readers_problem([file], USER, None, [upload]) is None


def test_the_web_servers_group_is_the_one_where_the_user_is_in_it(photos):
    file = given(photos / "upload/2026/a b.jpg", "root", 0o600)
    assert readers_problem([file], OTHERS, OTHERS).startswith("chgrp www-data ")


AS_NOBODY = """
import importlib, os
for name in ("cli", "commands.init", "commands.check", "commands.keys"):
    importlib.import_module(f"pwgserve.{name}")  # where only root may look
os.setgroups([]); os.setgid(65534); os.setuid(65534)
from pwgserve.cli import main; main()
"""


def test_who_is_not_root_is_told_to_be(photos):
    (photos / "closed/piwigo").mkdir(parents=True)
    (photos / "closed").chmod(0o700)
    for name in ("local/config/database.inc.php", "i.php", "pwgserve.toml"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).touch(mode=0o600)
    config = photos / "pwgserve.toml"
    for arguments in (
        ("init", "--piwigo", photos, "--yes", "--url", "http://a.test/", "--output", photos / "new.toml"),
        ("init", "--piwigo", photos, "--yes", "--output", config),
        ("init", "--piwigo", photos / "closed/piwigo", "--yes"),
        ("check", "--config", config),
        ("keys", "list", "--config", config),
    ):
        command = [sys.executable, "-c", AS_NOBODY, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "as root" in done.stderr
        assert "sudo" in done.stderr
