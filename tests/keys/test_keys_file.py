import contextlib
import json
import os
import resource
import threading

import pytest

from pwgserve.keys import keys_file
from pwgserve.keys.keyring import KeyRing
from pwgserve.keys.keys_file import KeysError, generated, load, load_or_create, rotated


def test_a_missing_file_is_made_for_its_owner_only(tmp_path):
    file = tmp_path / "new/folder/keys"
    ring = load_or_create(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert load_or_create(file) == ring == load(file)
    assert len(ring.link_keys) == 1
    assert [entry.name for entry in file.parent.iterdir()] == ["keys"]


def test_processes_that_start_together_agree_on_the_keys(tmp_path, monkeypatch):
    none_yet, rings = threading.Barrier(20), []

    def generated_by_all(now):
        none_yet.wait(60)
        return generated(now)

    monkeypatch.setattr(keys_file, "generated", generated_by_all)
    threads = [threading.Thread(target=lambda: rings.append(load_or_create(tmp_path / "keys"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rings) == 20
    assert len({ring.link_keys for ring in rings}) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys"]


@contextlib.contextmanager
def full_disk():
    """No file takes more than a few bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_is_told_and_keeps_the_keys_and_no_part_of_new_ones(tmp_path):
    file = tmp_path / "keys"
    with full_disk(), pytest.raises(KeysError, match="cannot make the keys file: File too large"):
        load_or_create(file)
    assert list(tmp_path.iterdir()) == []
    ring = load_or_create(file)
    with full_disk(), pytest.raises(KeysError, match="cannot write it: File too large"):
        rotated(file, 1800)
    assert load(file) == ring
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys"]


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_keys_that_others_can_reach_are_refused(tmp_path, mode):
    file = tmp_path / "keys"
    load_or_create(file)
    file.chmod(mode)
    with pytest.raises(KeysError, match="chmod 600"):
        load(file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"link_keys": [], "stable_key": "%s"}' % ("a" * 64),
        '{"link_keys": "x", "stable_key": 1}',
        # One that is no secret among those that are: a short one can be guessed.
        json.dumps({"link_keys": ["a" * 64, "ab"], "stable_key": "b" * 64}),
        json.dumps({"link_keys": ["a" * 64], "stable_key": ""}),
        json.dumps({"link_keys": ["a" * 64], "stable_key": "b" * 66}),
        json.dumps({"link_keys": [1], "stable_key": "b" * 64}),
        '{"a":' * 100_000,
    ],
)
def test_what_is_no_keys_file_is_refused_and_kept(tmp_path, text):
    file = tmp_path / "keys"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(KeysError, match="not a keys file"):
        load_or_create(file)
    assert file.read_text() == text


def test_older_keys_come_first(tmp_path):
    file = tmp_path / "keys"
    file.write_text(json.dumps({"link_keys": ["0" * 64, "1" * 64], "stable_key": "2" * 64}))
    file.chmod(0o600)
    assert load(file) == KeyRing((b"\x00" * 32, b"\x11" * 32), b"\x22" * 32, (None, None))


def test_keys_are_not_shown_in_tracebacks():
    ring = generated()
    assert ring.link_keys[0].hex() not in repr(ring)
    assert repr(ring.link_keys[0]) not in repr(ring)


def test_a_pipe_is_no_keys_file_and_is_not_waited_for(tmp_path):
    file = tmp_path / "keys"
    os.mkfifo(file, 0o600)
    with pytest.raises(KeysError, match="not a keys file"):
        load_or_create(file)


def test_whoever_owns_the_folder_cannot_turn_a_rotation_by_root_on_another_file(tmp_path, monkeypatch):
    """The folder is the daemon's: for root, a name in it may lead anywhere from one moment to the next."""
    folder, other = tmp_path / "state", tmp_path / "of-root"
    load_or_create(folder / "keys")
    other.write_text("root's\n")
    other.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(folder / "keys", 65534, 65534)
    before = other.stat()
    synced = os.fsync

    def meanwhile(handle):
        synced(handle)
        for temporary in folder.glob(".keys-*"):
            temporary.unlink()
            temporary.symlink_to(other)

    monkeypatch.setattr(os, "fsync", meanwhile)
    rotated(folder / "keys", 100)
    after = other.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
