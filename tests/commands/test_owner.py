import os
import subprocess
import sys

import pytest

from pwgserve import settings
from pwgserve.commands import owner
from pwgserve.keys import keyring

WHO = """
import os, sys
from pathlib import Path
from pwgserve.commands.owner import become_owner_of
become_owner_of(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])
print(os.getresuid(), os.getresgid(), sorted(os.getgroups()))
try:
    os.setuid(0)
    print("root again")
except PermissionError:
    pass
"""
IS_ROOT = os.geteuid() == 0
NOBODY = 65534


def who(*words):
    done = subprocess.run([sys.executable, "-c", WHO, *map(str, words)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_who_is_not_root_stays_who_they_are_and_root_stays_where_the_folder_is_its_own(tmp_path):
    assert who(tmp_path)[0].startswith(str(os.getresuid()))
    assert who(tmp_path / "missing")[0].startswith(str(os.getresuid()))


@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
def test_root_becomes_the_owner_for_good_and_may_read_what_the_service_may(tmp_path):
    cache, originals, secret = tmp_path / "cache", tmp_path / "upload", tmp_path / "roots"
    for folder, user, group in ((cache, NOBODY, NOBODY), (originals, 0, 4321), (secret, 0, 0)):
        folder.mkdir()
        os.chown(folder, user, group)
    told = who(cache, originals, secret, tmp_path / "missing")
    assert told == [f"({NOBODY}, {NOBODY}, {NOBODY}) ({NOBODY}, {NOBODY}, {NOBODY}) [4321, {NOBODY}]"]


@pytest.mark.skipif(not IS_ROOT, reason="only root reads what root keeps for the service")
def test_roots_commands_use_the_keys_that_root_keeps_for_the_service(tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    given = {
        "piwigo": {"root": str(tmp_path)},
        "links": {"keys_file": str(tmp_path / "keys")},
        "cache": {"dir": str(tmp_path / "cache")},
    }
    found = settings.from_values(given, "test")
    kept = tmp_path / "kept"
    monkeypatch.setattr(owner, "KEPT_BY_ROOT", kept)
    stable = keyring.load_or_create(kept).stable_key
    assert owner.keys_as_owner(found).now.stable_key == stable
    assert not (tmp_path / "keys").exists(), "keys that nobody serves with are not made"
    own = keyring.load_or_create(tmp_path / "keys").stable_key
    assert owner.keys_as_owner(found).now.stable_key == own, "the configuration's own come first"
