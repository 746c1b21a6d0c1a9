import os
import pwd
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from planned import ANSWERS, at

from pwgserve.cache.store import Cache
from pwgserve.foundation import LARGE_FILE
from pwgserve.keys.keys_file import load_or_create
from pwgserve.setup import folders
from pwgserve.setup.answers import DEFAULT_CACHE, DEFAULT_KEYS, Place
from pwgserve.setup.folders import FolderError, shared
from pwgserve.setup.plan import plan
from pwgserve.setup.writing import carry_out

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders away")
SOMEBODY = next(person.pw_name for person in pwd.getpwall() if person.pw_uid not in (0, os.geteuid()))


def outcome(folder, cache="cache", keys="state/keys"):
    return shared(folder / cache, folder / keys, folder / "pwgserve")


def test_what_is_missing_or_empty_is_pwgserves(tmp_path):
    assert outcome(tmp_path) == frozenset()
    for name in ("cache", "state", "pwgserve"):
        (tmp_path / name).mkdir()
    assert outcome(tmp_path) == frozenset()


def test_what_pwgserve_made_is_its_own_when_init_is_run_again(tmp_path):
    cache = Cache(tmp_path / "cache", b"k", 10_000_000)
    cache.open()
    cache.put(cache.name("x"), b"content")
    cache.upkeep.collect()
    (tmp_path / "cache" / LARGE_FILE).touch()
    load_or_create(tmp_path / "state/keys")
    (tmp_path / "state/.keys-abc").touch()
    carry_out(plan(at(tmp_path, database_sql=("CREATE USER x;",))), None)
    assert outcome(tmp_path) == frozenset()


def test_keys_and_cache_may_lie_side_by_side(tmp_path):
    (tmp_path / "own/cache").mkdir(parents=True)
    (tmp_path / "own/keys").touch()
    assert outcome(tmp_path, "own/cache", "own/keys") == frozenset()


@pytest.mark.parametrize("name", ["letters", "abc", "AB", "lost+found", ".hidden"])
def test_a_cache_in_a_folder_of_others_is_refused_with_a_better_one(tmp_path, name):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / name).touch()
    with pytest.raises(FolderError) as error:
        outcome(tmp_path)
    assert str(error.value) == (
        f"--cache: {tmp_path}/cache is not empty; give a folder of its own, such as {tmp_path}/cache/pwgserve"
    )


def test_the_usual_places_are_pwgserves_whatever_is_there(tmp_path, monkeypatch):
    for name in ("cache", "state"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "note").touch()
    monkeypatch.setattr(folders, "_USUAL", {Place.CACHE: tmp_path / "cache", Place.KEYS: tmp_path / "state"})
    assert outcome(tmp_path) == frozenset()


@as_root
def test_no_folder_of_others_is_given_away_closed_opened_to_the_service_or_removed(tmp_path):
    etc = tmp_path / "etc"
    (etc / "pwgserve").mkdir(parents=True)
    for file in (etc / "passwd", etc / "pwgserve/mine"):
        file.touch()
    etc.chmod(0o755)
    keys = etc / "pwgserve.keys"
    places = shared(tmp_path / "cache", keys, etc / "pwgserve")
    assert places == {Place.KEYS, Place.EXTRAS}
    answers = at(tmp_path, keys_file=keys, output=etc / "pwgserve.toml", shared=places)
    made = plan(replace(answers, user=SOMEBODY))
    carry_out(made, keys)
    carry_out(made, keys)
    assert (etc.stat().st_uid, stat.S_IMODE(etc.stat().st_mode)) == (0, 0o755)
    assert keys.stat().st_uid == pwd.getpwnam(SOMEBODY).pw_uid
    removal = next(line for line in made.undo if line.startswith("rm -rf")).split()
    assert str(etc / "pwgserve") not in removal
    assert str(answers.sql_file) in removal
    drop_ins = plan(replace(answers, user="pwgserve", has_unit=True)).files
    assert not any(f'ReadWritePaths="{etc}"' in file.content for file in drop_ins)


def test_the_usual_answers_name_the_usual_places():
    assert (ANSWERS.keys_file, ANSWERS.cache_dir) == (DEFAULT_KEYS, DEFAULT_CACHE)
    assert isinstance(ANSWERS.extras, Path)
