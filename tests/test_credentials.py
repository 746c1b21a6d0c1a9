import json
import os
import subprocess
import sys

import pytest

from pwgserve import credentials, settings_file
from pwgserve.keys import keys_file

ADDRESS = "mysql://pwgserve:kept@127.0.0.1/piwigo"
IS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not IS_ROOT, reason="only root reads what root keeps for the service")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose root keeps keys and database for the service; its configuration says other ones."""
    monkeypatch.setattr(credentials, "STORE", tmp_path / "credstore")
    monkeypatch.setattr(credentials, "OF_SERVICE", tmp_path / "pwgserve.toml")
    monkeypatch.delenv(credentials.HANDED_OVER, raising=False)
    (tmp_path / "credstore").mkdir(mode=0o700)
    (tmp_path / "credstore/pwgserve.database").write_text(f"{ADDRESS}\n")
    keys_file.load_or_create(tmp_path / "credstore/pwgserve.keys")
    text = f'[piwigo]\nroot = "{tmp_path}"\ndatabase = "mysql://a:b@127.0.0.1/c"\n'
    text += f'[links]\nkeys_file = "{tmp_path}/keys"\n'
    for name in ("pwgserve.toml", "other.toml"):
        (tmp_path / name).write_text(text)
    return tmp_path


def secrets(found):
    return found.piwigo.database, found.links.keys_file


@only_root
def test_roots_commands_see_the_same_database_and_keys_as_the_service(machine):
    assert secrets(settings_file.load(machine / "pwgserve.toml")) == (ADDRESS, machine / "credstore/pwgserve.keys")


@only_root
def test_what_is_kept_for_the_service_is_not_for_another_configuration(machine):
    assert secrets(settings_file.load(machine / "other.toml")) == ("mysql://a:b@127.0.0.1/c", machine / "keys")


@only_root
def test_a_unit_has_what_systemd_hands_to_it_and_no_more(machine, monkeypatch):
    (machine / "handed").mkdir()
    monkeypatch.setenv(credentials.HANDED_OVER, str(machine / "handed"))
    assert secrets(settings_file.load(machine / "pwgserve.toml"))[1] == machine / "keys"


def test_who_is_not_root_asks_for_nothing_of_roots(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert secrets(settings_file.load(machine / "pwgserve.toml"))[1] == machine / "keys"


@only_root
def test_kept_keys_are_listed_and_rotated_where_they_are_and_a_restart_is_asked_for(machine):
    (machine / "local/config").mkdir(parents=True)
    copy = machine / "local/config/pwgserve.inc.php"
    copy.write_text("<?php // as it was\n")
    kept = machine / "credstore/pwgserve.keys"
    listed = command(machine, "keys", "list", "--json")
    assert [row["state"] for row in json.loads(listed.stdout)] == ["signs"]
    rotated = command(machine, "keys", "rotate")
    export = f"pwgserve keys export-plugin --config {machine}/pwgserve.toml"
    assert f"systemctl restart pwgserve && {export}" in rotated.stdout
    assert len(keys_file.load(kept).link_keys) == 2
    assert copy.read_text() == "<?php // as it was\n", "the plugin must not sign with what the service does not know"
    assert not (machine / "keys").exists(), "keys that nobody serves with are not made"


RUN = """
import sys
from pathlib import Path
from pwgserve import credentials
credentials.STORE, credentials.OF_SERVICE = Path(sys.argv[1]), Path(sys.argv[2])
sys.argv[1:3] = []
from pwgserve.cli import main
sys.exit(main())
"""


def command(machine, *words):
    """A command of pwgserve, run as on this machine."""
    config = str(machine / "pwgserve.toml")
    own = [sys.executable, "-c", RUN, str(machine / "credstore"), config]
    done = subprocess.run([*own, *words, "--config", config], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done
