import os
import subprocess
import sys

import pytest

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
