"""`pwgserve cache` on the cache of a real gallery."""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from commands import Installation
from family import PARTY, PUBLIC

from pwgserve import settings_file
from pwgserve.cache.standing import Standing
from pwgserve.cache.tally import SharedTally
from pwgserve.foundation import Foundation
from pwgserve.piwigo.walking import Walk

pytestmark = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")


WEBP = {"formats": ["webp"]}
"""AVIF takes ten times as long."""


@pytest.fixture(scope="module")
def warm(gallery, tmp_path_factory):
    """What `place` begins with."""
    made = Installation(gallery, tmp_path_factory.mktemp("warm"), render=WEBP)
    assert made.warmed("--types", "sq,th").code == 0
    return made


@pytest.fixture
def place(warm, gallery, tmp_path):
    made = Installation(gallery, tmp_path, render=WEBP)
    for name in ("keys", "cache"):
        subprocess.run(["cp", "-a", str(warm.file.with_name(name)), str(tmp_path)], check=True)
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
    told = json.loads(place.here("cache", "purge", "--photo", str(PARTY), "--json").out)
    assert told["removed_files"] == 4, "two sizes in two encodings"
    assert len(place.derivatives()) == len(before) - 4
    assert json.loads(place.here("cache", "purge", "--photo", str(PARTY), "--json").out)["removed_files"] == 0
    done = place.here("cache", "purge", "--album", str(PUBLIC))
    assert done.code == 0
    assert "before an edit" in done.out
    assert 0 < len(place.derivatives()) < len(before) - 4
    made = json.loads(place.run("cache", "stats", "--json").out)["files"]
    assert made == len(place.derivatives())


def test_what_the_plugin_lets_be_purged_makes_room_for_what_comes(place, gallery):
    async def purge():
        async with AsyncExitStack() as resources:
            house = await Foundation.open(settings_file.load(place.file), resources)
            standing = Standing(house.catalogue, house.sources, house.cache)
            async for photo in Walk(house.gallery).photos():
                await standing.remove(photo)

    asyncio.run(purge())
    assert place.derivatives() == []
    assert (tally(place).files, tally(place).size) == (0, 0)


def tally(place):
    return SharedTally(place.cache).get()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")
def test_what_cannot_be_removed_is_said_in_one_line_and_the_rest_goes(gallery):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        place = Installation(gallery, Path(folder) / "installation")
        assert place.warmed("--types", "sq,th", "--for", "programs").code == 0
        closed = place.derivatives()[0].parent
        for path in [place.cache, *place.cache.rglob("*")]:
            os.chown(path, 65534, 65534)
        closed.chmod(0o700)
        os.chown(closed, 0, 0)
        kept = len(list(closed.iterdir()))
        for words in (["cache", "stats"], ["cache", "gc", "--max-size", "1B"], ["cache", "purge"]):
            done = place.run(*words)
            assert (done.code, len(done.err.splitlines())) == (0, 1)
            assert "1 files or folders could not be read or removed" in done.err
        assert len(place.derivatives()) == kept


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
    done = place.here(*words)
    assert done.code == 2
    assert says in done.err


def test_a_folder_that_is_not_there_is_said(gallery, tmp_path):
    done = Installation(gallery, tmp_path).run("cache", "stats")
    assert done.code == 2
    assert "cache.dir" in done.err
