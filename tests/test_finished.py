"""What becomes of a rendering when other processes make the same, and when things fail that cannot be made to fail."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from pwgserve import finished
from pwgserve.answers.sources import Sources
from pwgserve.cache.store import Cache
from pwgserve.finished import Derivatives
from pwgserve.originals import Originals
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import DEFAULTS
from pwgserve.piwigo.permissions import GalleryRules, Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.plan import RenderRules
from pwgserve.render.pool import ElsewhereError
from pwgserve.render.turns import Client
from pwgserve.shortage import ShortageError
from pwgserve.targets import GallerySettings, target

SETTINGS = GallerySettings(PiwigoConf(), DEFAULTS, GalleryRules(guest_access=True, gallery_locked=False), RenderRules())

OTHER = """
import sys
from pathlib import Path
from pwgserve.cache.store import Cache
cache = Cache(Path(sys.argv[1]), b"k" * 32, 10**9)
cache.open()
print(cache.claim(sys.argv[2]), flush=True)
sys.stdin.readline()
if sys.argv[3:]:
    cache.put(sys.argv[2], sys.argv[3].encode())
cache.release(sys.argv[2])
print("released", flush=True)
sys.stdin.readline()
"""


class Pool:
    """Renders at once what is still to be made when it is its turn. turn: until when everybody waits.

    waiting: how many do. refused: how many were not to be made any more.
    """

    def __init__(self):
        self.turn = asyncio.Event()
        self.turn.set()
        self.waiting = self.refused = 0

    def on_its_way(self, file):
        return nullcontext()

    def join(self, job, client):
        pass

    async def render(self, job, client, plan, source, output, watermark, file, larger, begin):
        self.waiting += 1
        await self.turn.wait()
        self.waiting -= 1
        if begin is not None and not await begin():
            self.refused += 1
            raise ElsewhereError
        os.write(output, b"rendered here")


class Gallery:
    """One photo, and its thumbnail wherever it is made."""

    def __init__(self, folder, cache=None):
        (folder / "upload").mkdir()
        (folder / "upload/1.jpg").write_bytes(b"a photo")
        photo = Photo(1, "./upload/1.jpg", "1.jpg", 0, 4000, 3000, 0, None, None, ())
        self._found = target(photo, Wanted(code="th"), SETTINGS)
        self._folder = folder / "cache"
        self.cache = cache or Cache(self._folder, b"k" * 32, 10**9)
        self.cache.open()
        self._sources = Sources(Originals(folder, ["upload"]), Originals(folder, ["upload"]))
        self.pool = Pool()
        self.seconds = []
        self._derivatives = Derivatives(self.cache, self.pool, self._sources, self.seconds.append)

    async def name(self):
        return self.cache.name(*(await self._sources.version(self._found)).facts)

    async def thumbnail(self):
        version = await self._sources.version(self._found)
        async with asyncio.timeout(60):
            return (await self._derivatives.get(self._found, version, Client("somebody"))).entry.content

    @contextmanager
    def other(self, name, *made):
        """Another process of the gallery, which wants to make something."""
        command = [sys.executable, "-c", OTHER, str(self._folder), name, *made]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()
            process.communicate()


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def gallery(tmp_path):
    return Gallery(tmp_path)


async def test_what_another_process_is_making_is_taken_from_it(gallery, monkeypatch):
    monkeypatch.setattr(finished, "PATIENCE_SECONDS", 60)
    with gallery.other(await gallery.name(), "made elsewhere") as (process, has_claim):
        assert has_claim == "True"
        asked = asyncio.create_task(gallery.thumbnail())
        await asyncio.sleep(0.3)
        assert not asked.done()
        go_on(process)
        assert await asked == b"made elsewhere"
    assert gallery.seconds == []


async def test_what_another_process_made_while_we_waited_for_our_turn_is_not_made_again(gallery):
    gallery.pool.turn.clear()
    asked = asyncio.create_task(gallery.thumbnail())
    with gallery.other(await gallery.name(), "made elsewhere") as (process, _):
        go_on(process)
        assert process.stdout.readline() == "released\n"
        gallery.pool.turn.set()
        assert await asked == b"made elsewhere"


async def test_a_process_that_is_stopped_in_the_middle_is_not_waited_for(gallery, monkeypatch):
    monkeypatch.setattr(finished, "PATIENCE_SECONDS", 0.2)
    with gallery.other(await gallery.name()) as (_, has_claim):
        assert has_claim == "True"
        assert await gallery.thumbnail() == b"rendered here"
    assert len(gallery.seconds) == 1


async def test_what_a_slow_process_made_in_the_end_is_not_made_again(gallery, monkeypatch):
    """As a large picture, whose making takes longer than anybody waits, and which then waits for its turn."""
    monkeypatch.setattr(finished, "PATIENCE_SECONDS", 0.2)
    with gallery.other(await gallery.name(), "made elsewhere") as (process, has_claim):
        assert has_claim == "True"
        asked = asyncio.create_task(gallery.thumbnail())
        async with asyncio.timeout(60):
            while gallery.pool.refused == 0:
                await asyncio.sleep(0.01)
            gallery.pool.turn.clear()
            while gallery.pool.waiting == 0:
                await asyncio.sleep(0.01)
        go_on(process)
        assert process.stdout.readline() == "released\n"
        gallery.pool.turn.set()
        assert await asked == b"made elsewhere"
    assert gallery.seconds == []


async def test_what_waits_for_its_turn_may_be_made_by_another_process(gallery):
    gallery.pool.turn.clear()
    asked = asyncio.create_task(gallery.thumbnail())
    await asyncio.sleep(0.3)
    with gallery.other(await gallery.name()) as (_, has_claim):
        assert has_claim == "True"
    gallery.pool.turn.set()
    assert await asked == b"rendered here"


async def test_a_claim_is_given_back_when_another_process_made_nothing(gallery):
    with gallery.other(await gallery.name()) as (process, _):
        asked = asyncio.create_task(gallery.thumbnail())
        await asyncio.sleep(0.1)
        go_on(process)
        assert await asked == b"rendered here"
    with gallery.other(await gallery.name()) as (_, has_claim):
        assert has_claim == "True"


class Contended(Cache):
    """Another process is making what is wanted; once it has ended, the machine has no descriptor left for a look."""

    def __init__(self, directory):
        super().__init__(directory, b"k" * 32, 10**9)
        self.looks = self.claims = 0
        self.is_claimed = False

    def get(self, name):
        self.looks += 1
        if self.looks > 1:
            raise ShortageError
        return super().get(name)

    def claim(self, name):
        self.claims += 1
        self.is_claimed = self.claims > 1
        return self.is_claimed

    def release(self, name):
        self.is_claimed = False


async def test_a_claim_is_given_back_when_looking_fails(tmp_path):
    cache = Contended(tmp_path / "cache")
    with pytest.raises(ShortageError):
        await Gallery(tmp_path, cache).thumbnail()
    assert cache.claims == 2
    # Or no other process would ever make it again, and whoever asked one would wait for nothing.
    assert not cache.is_claimed


async def test_a_folder_of_the_cache_that_cannot_be_entered_keeps_nobody_from_a_picture(gallery):
    """As one that is somebody else's, or lies where a disk fails; this one nobody can enter, not even root."""
    first = Path(gallery.cache.location(await gallery.name())).parents[1]
    first.symlink_to("x" * 300)
    with pytest.raises(OSError, match="too long"):
        (first / "file").exists()
    assert await gallery.thumbnail() == b"rendered here"
