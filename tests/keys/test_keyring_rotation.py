"""Keys begin, sign, are honoured and end: what a ring means at a moment, and a file that several change at once."""

import json
import os
import stat
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.keys import keys_file
from pwgserve.keys.keyring import SETTLE_SECONDS, KeyRing
from pwgserve.keys.keys_file import KeysError, load, load_or_create, rotated

LIFE = 2700
STABLE = b"s" * 32


def key(number):
    return bytes([number]) * 32


def ring(*made):
    return KeyRing(tuple(key(number) for number in range(len(made))), STABLE, made)


@pytest.mark.parametrize(
    ("made", "now", "expected"),
    [
        ((None,), 1000, [0]),
        ((1000,), 1000, [0]),  # the only one signs from the beginning
        ((None, 1000), 1000, [1, 0]),  # a new one verifies, and does not sign yet
        ((None, 1000), 1000 + SETTLE_SECONDS, [0, 1]),
        ((None, 1000), 1000 + SETTLE_SECONDS + LIFE - 1, [0, 1]),
        ((None, 1000), 1000 + SETTLE_SECONDS + LIFE, [1]),  # the last link of the old one has expired
        ((0, 500, 1000), 1001, [2, 0, 1]),
        ((0, 500, 1000), 1010, [0, 1, 2]),
        ((0, 500, 1000), 500 + SETTLE_SECONDS + LIFE, [1, 2]),
        ((None, None), 10**9, [0, 1]),  # files of before: nobody knows since when, so nothing ends
        ((None, None, 1000), 1000 + SETTLE_SECONDS + LIFE, [2]),
        ((0, 10**9), 1000, [1, 0]),  # a clock that was wrong: never too early
    ],
)
def test_which_keys_count_and_which_signs(made, now, expected):
    assert ring(*made).at(now, LIFE).link_keys == tuple(key(number) for number in expected)


@given(
    made=st.lists(st.integers(0, 10_000), min_size=1, max_size=6).map(sorted),
    signed_after=st.integers(0, 20_000),
    used_after=st.integers(0, LIFE - 1),
    lag=st.integers(0, SETTLE_SECONDS - 1),
)
def test_whatever_is_signed_is_believed_as_long_as_it_lives_and_by_those_who_read_the_file_late(
    made, signed_after, used_after, lag
):
    full = ring(*made)
    moment = made[0] + signed_after
    there = [number for number, at in enumerate(made) if at <= moment]
    signer = KeyRing(full.link_keys[: len(there)], STABLE, tuple(made[: len(there)])).at(moment, LIFE).link_keys[-1]
    seen = moment + used_after - lag  # what the file held when the one that verifies read it last
    known = [number for number, at in enumerate(made) if at <= max(seen, made[0])]
    verifier = KeyRing(full.link_keys[: len(known)], STABLE, tuple(made[: len(known)]))
    assert signer in verifier.at(moment + used_after, LIFE).link_keys


def test_a_new_key_is_added_and_those_that_ended_are_dropped(tmp_path, monkeypatch):
    file = tmp_path / "keys"
    first = load_or_create(file)
    second = rotated(file, LIFE)
    assert second.link_keys[0] == first.link_keys[0]
    assert second.stable_key == first.stable_key
    assert load(file) == second
    later = time.time() + SETTLE_SECONDS + LIFE + 1
    monkeypatch.setattr(keys_file.time, "time", lambda: later)
    third = rotated(file, LIFE)
    assert third.link_keys[0] == second.link_keys[1]
    assert len(third.link_keys) == 2


def test_old_keys_can_be_forgotten_at_once(tmp_path):
    file = tmp_path / "keys"
    first = load_or_create(file)
    forgotten = rotated(file, LIFE, forget=True)
    assert len(forgotten.link_keys) == 1
    assert forgotten.link_keys != first.link_keys
    assert forgotten.at(time.time(), LIFE) == forgotten


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_mode_and_owner_stay(tmp_path, mode):
    file = tmp_path / "keys"
    load_or_create(file)
    file.chmod(mode)
    if os.geteuid() == 0:
        os.chown(file, 4321, 1234)
    before = file.stat()
    rotated(file, LIFE)
    after = file.stat()
    assert stat.S_IMODE(after.st_mode) == mode
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys"]


def test_a_link_to_the_file_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    load_or_create(tmp_path / "real/keys")
    (tmp_path / "keys").symlink_to("real/keys")
    rotated(tmp_path / "keys", LIFE)
    assert (tmp_path / "keys").is_symlink()
    assert len(load(tmp_path / "real/keys").link_keys) == 2


ROTATE = """
import sys
from pathlib import Path
from pwgserve.keys.keys_file import rotated
for _ in range(5):
    rotated(Path(sys.argv[1]), 2700)
"""


def test_none_of_several_that_rotate_at_once_loses_a_key_and_nobody_sees_half_a_file(tmp_path):
    file = tmp_path / "keys"
    load_or_create(file)
    rotating = [subprocess.Popen([sys.executable, "-c", ROTATE, str(file)]) for _ in range(4)]
    while any(one.poll() is None for one in rotating):
        assert load(file).stable_key
    assert [one.returncode for one in rotating] == [0] * 4
    assert len(set(load(file).link_keys)) == 21


def test_a_file_of_before_is_rotated_too(tmp_path):
    file = tmp_path / "keys"
    file.write_text(json.dumps({"link_keys": ["0" * 64, "1" * 64], "stable_key": "2" * 64}))
    file.chmod(0o600)
    found = rotated(file, LIFE)
    assert found.made[:2] == (None, None)
    assert found.made[2] == pytest.approx(time.time(), abs=60)


def test_what_is_not_there_or_no_keys_file_is_not_rotated(tmp_path):
    with pytest.raises(KeysError, match="there are no keys yet"):
        rotated(tmp_path / "keys", LIFE)
    (tmp_path / "keys").write_text("{}")
    (tmp_path / "keys").chmod(0o600)
    with pytest.raises(KeysError, match="not a keys file"):
        rotated(tmp_path / "keys", LIFE)


@pytest.mark.parametrize("made", [["x"], [1, 2, 3], "now", {"a": 1}, [None, True]])
def test_times_that_are_none_are_as_if_there_were_none(tmp_path, made):
    file = tmp_path / "keys"
    file.write_text(json.dumps({"link_keys": ["0" * 64], "stable_key": "2" * 64, "made": made}))
    file.chmod(0o600)
    assert load(file).made == (None,)
