import grp
import json
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from pwgserve.cli import main
from pwgserve.keys import keys_file, plugin_file
from pwgserve.keys.keyring import KeyRing
from pwgserve.keys.keys_file import KeysError

RING = KeyRing((b"1" * 32, b"2" * 32), b"s" * 32)


def test_the_file_holds_the_newest_key_and_never_the_one_that_names_cache_files():
    content = plugin_file.text(RING, "127.0.0.1:8280")
    assert json.loads(content.partition("__halt_compiler();")[2]) == {
        "address": "127.0.0.1:8280",
        "link_key": (b"2" * 32).hex(),
        "mark_key": RING.mark_key.hex(),
    }
    assert RING.stable_key.hex() not in content
    assert (b"1" * 32).hex() not in content


def test_a_browser_that_opens_the_file_gets_nothing(tmp_path):
    file = tmp_path / "pwgserve.inc.php"
    plugin_file.write(file, plugin_file.text(RING, "127.0.0.1:8280"))
    program = shutil.which("php")
    assert program, "php is not installed; run scripts/system-packages"
    done = subprocess.run([program, str(file)], capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_it_is_for_its_owner_and_group_alone_from_the_first_byte(tmp_path):
    file = tmp_path / "pwgserve.inc.php"
    file.write_text("older")
    plugin_file.write(file, "newer")
    assert file.read_text() == "newer"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["pwgserve.inc.php"]


def test_it_belongs_to_whom_piwigos_own_secret_belongs(tmp_path, monkeypatch):
    given = []
    (tmp_path / "database.inc.php").write_text("")
    status = (tmp_path / "database.inc.php").stat()
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.fchown", lambda handle, owner, group: given.append((owner, group)))
    plugin_file.write(tmp_path / "keys.php", "x")
    assert given == [(status.st_uid, status.st_gid)]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(KeysError, match=r"none/keys\.php: cannot write there"):
        plugin_file.write(tmp_path / "none/keys.php", "x")


def test_the_command_writes_where_the_plugin_looks(tmp_path):
    (tmp_path / "piwigo/local/config").mkdir(parents=True)
    config = tmp_path / "pwgserve.toml"
    config.write_text(f'[piwigo]\nroot = "{tmp_path}/piwigo"\n[links]\nkeys_file = "{tmp_path}/keys"\n')
    done = CliRunner().invoke(main, ["keys", "export-plugin", "--config", str(config)])
    assert done.exit_code == 0, done.output
    written = (tmp_path / "piwigo/local/config/pwgserve.inc.php").read_text()
    keys = keys_file.load(tmp_path / "keys")
    assert written == plugin_file.text(keys, "127.0.0.1:8280")
    assert not any(key.hex() in done.output for key in (*keys.link_keys, keys.mark_key))
    other = tmp_path / "other.php"
    done = CliRunner().invoke(
        main,
        ["keys", "export-plugin", "--config", str(config), "--output", str(other), "--address", "unix:/run/p.sock"],
    )
    assert done.exit_code == 0, done.output
    assert '"unix:/run/p.sock"' in other.read_text()
    done = CliRunner().invoke(main, ["keys", "export-plugin", "--config", str(config), "--address", "nowhere"])
    assert done.exit_code == 2


def test_a_group_may_be_named(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr("os.fchown", lambda handle, owner, group: given.append((owner, group)))
    plugin_file.write(tmp_path / "keys.php", "x", "daemon")
    assert given == [(-1, grp.getgrnam("daemon").gr_gid)]
    with pytest.raises(KeysError, match="no group nobody-has-this"):
        plugin_file.write(tmp_path / "keys.php", "x", "nobody-has-this")
