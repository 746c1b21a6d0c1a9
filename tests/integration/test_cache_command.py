"""`pwgserve cache` on the cache of a real gallery."""

import json
import os
import time

import pytest
from commands import Installation
from family import PARTY, PUBLIC

pytestmark = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")


@pytest.fixture
def place(gallery, tmp_path):
    made = Installation(gallery, tmp_path)
    assert made.run("warm", "--types", "sq,th").code == 0
    return made


def test_stats_count_what_is_there(place):
    files = place.derivatives()
    size = sum(file.stat().st_size for file in files)
    told = json.loads(place.run("cache", "stats", "--json").out)
    assert (told["files"], told["bytes"], told["max_bytes"]) == (len(files), size, 200_000_000)
    assert told["used_within"]["3600"] == size
    assert f"{len(files)} derivatives" in place.run("cache", "stats").out


def test_gc_removes_what_was_used_longest_ago_and_what_was_left_unfinished(place):
    files = place.derivatives()
    for index, file in enumerate(files):
        then = time.time() - 86_400 * (1 + index)
        os.utime(file, (then, then))
    left = place.cache / "tmp/left"
    left.write_bytes(b"x")
    os.utime(left, (1, 1))
    assert json.loads(place.run("cache", "gc", "--json").out)["removed_files"] == 0
    assert not left.exists()
    size = sum(file.stat().st_size for file in files)
    told = json.loads(place.run("cache", "gc", "--json", "--max-size", str(size // 2)).out)
    kept = place.derivatives()
    assert kept == sorted(files[: len(kept)])
    assert told["files"] == len(kept) == len(files) - told["removed_files"]
    assert told["bytes"] == sum(file.stat().st_size for file in kept) <= size // 2


def test_purge_of_a_photo_or_an_album_takes_only_theirs(place):
    before = place.derivatives()
    told = json.loads(place.run("cache", "purge", "--photo", str(PARTY), "--json").out)
    assert told["removed_files"] == 4, "two sizes in two encodings"
    assert len(place.derivatives()) == len(before) - 4
    assert json.loads(place.run("cache", "purge", "--photo", str(PARTY), "--json").out)["removed_files"] == 0
    done = place.run("cache", "purge", "--album", str(PUBLIC))
    assert done.code == 0
    assert "before an edit" in done.out
    assert 0 < len(place.derivatives()) < len(before) - 4
    made = json.loads(place.run("cache", "stats", "--json").out)["files"]
    assert made == len(place.derivatives())


def test_purge_takes_all(place):
    place.run("cache", "purge")
    assert place.derivatives() == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cache", "purge", "--photo", "999"], "no photo 999"),
        (["cache", "gc", "--max-size", "much"], "write a size"),
    ],
)
def test_what_is_asked_wrongly_is_said_in_one_line(gallery, tmp_path, words, says):
    place = Installation(gallery, tmp_path)
    place.cache.mkdir()
    done = place.run(*words)
    assert done.code == 2
    assert says in done.err


def test_a_folder_that_is_not_there_is_said(gallery, tmp_path):
    done = Installation(gallery, tmp_path).run("cache", "stats")
    assert done.code == 2
    assert "cache.dir" in done.err
