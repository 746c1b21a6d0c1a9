"""What becomes of a rendering when other processes make the same, and when things fail that cannot be made to fail."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pwgserve import finished
from pwgserve.answers.freshness import MAX_AGE
from pwgserve.answers.sources import ChangedError, Sources
from pwgserve.cache.store import SMALL, Cache
from pwgserve.finished import Derivatives
from pwgserve.originals import Originals
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import DEFAULTS
from pwgserve.piwigo.permissions import GalleryRules, Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.plan import RenderRules
from pwgserve.render.pool import ElsewhereError
from pwgserve.render.turns import Client
from pwgserve.render.workers import RenderFailedError, UnrenderableError
from pwgserve.shortage import ShortageError
from pwgserve.targets import GallerySettings, facts_of_plan, larger, target
from pwgserve.versions import facts_of

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

    waiting: how many do. refused: how many were not to be made any more. problems: what becomes of the next renderings,
    one after the other: an error, or a function that is called instead; then all goes well. joined: who wanted what was
    under way. larger: what the last one could be made from. content: what is made.
    """

    def __init__(self):
        self.turn = asyncio.Event()
        self.turn.set()
        self.waiting = self.refused = 0
        self.problems = []
        self.joined = []
        self.larger = None
        self.content = b"rendered here"

    def on_its_way(self, file):
        return nullcontext()

    def join(self, job, client):
        self.joined.append(client.key)

    async def render(self, job, client, plan, source, output, watermark, file, larger, begin):
        self.waiting += 1
        await self.turn.wait()
        self.waiting -= 1
        if begin is not None and not await begin():
            self.refused += 1
            raise ElsewhereError
        self.larger = larger
        problem = self.problems.pop(0) if self.problems else None
        if isinstance(problem, Exception):
            raise problem
        os.write(output, self.content)
        if problem is not None:
            problem()


class Gallery:
    """One photo, and its thumbnail wherever it is made."""

    def __init__(self, folder, cache=None):
        (folder / "upload").mkdir()
        self.photo = folder / "upload/1.jpg"
        self.photo.write_bytes(b"a photo")
        self.times = self.photo.stat().st_atime_ns, self.photo.stat().st_mtime_ns
        photo = Photo(1, "./upload/1.jpg", "1.jpg", 0, 4000, 3000, 0, None, None, ())
        self.found = target(photo, Wanted(code="th"), SETTINGS)
        self._folder = folder / "cache"
        self.cache = cache or Cache(self._folder, b"k" * 32, 10**9)
        self.cache.open()
        self.sources = Sources(Originals(folder, ["upload"]), Originals(folder, ["upload"]))
        self.pool = Pool()
        self.seconds = []
        self.derivatives = Derivatives(self.cache, self.pool, self.sources, self.seconds.append)

    async def name(self):
        return self.cache.name(*(await self.sources.version(self.found)).facts)

    async def get(self, client="somebody", settings=None):
        """The thumbnail as it is finished, whose file is closed."""
        version = await self.sources.version(self.found)
        async with asyncio.timeout(60):
            made = await self.derivatives.get(self.found, version, Client(client), settings)
        made.close()
        return made

    async def thumbnail(self):
        return (await self.get()).entry.content

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
    async with asyncio.timeout(60):
        while gallery.pool.waiting == 0:
            await asyncio.sleep(0.01)
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
        (first / "file").stat()
    assert await gallery.thumbnail() == b"rendered here"


def open_files():
    """Photos, derivatives and what is still empty, as far as this process has them open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(descriptor.readlink()))
    return sorted(
        name for name in found if name.startswith("/memfd:derivative") or re.search(r"upload/|cache/../", name)
    )


async def closed(of_others):
    """Until only others' files are open: they are closed a moment later, since nobody waits for a disk that hangs."""
    async with asyncio.timeout(60):
        while open_files() != of_others:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("size", [SMALL, SMALL + 1])
async def test_what_was_made_is_found_and_not_made_again(gallery, size):
    gallery.pool.content = os.urandom(size)
    made = await gallery.get()
    assert (made.was_rendered, made.is_stored, made.entry.content) == (True, True, gallery.pool.content)
    for _ in range(2):
        found = await gallery.get()
        assert (found.was_rendered, found.entry.size, found.name) == (False, size, made.name)
        assert Path(gallery.derivatives.path(found.name)).read_bytes() == gallery.pool.content
    assert len(gallery.seconds) == 1


async def test_many_who_ask_at_once_wait_for_one_rendering_in_the_turn_of_each(gallery):
    gallery.pool.turn.clear()
    asked = [asyncio.create_task(gallery.get(name)) for name in ("anna", "ben", "carl")]
    async with asyncio.timeout(60):
        while len(gallery.pool.joined) < 3:
            await asyncio.sleep(0.01)
    gallery.pool.turn.set()
    assert {made.entry.content for made in await asyncio.gather(*asked)} == {b"rendered here"}
    assert sorted(gallery.pool.joined) == ["anna", "ben", "carl"]
    assert len(gallery.seconds) == 1


async def test_a_picture_that_cannot_be_rendered_is_not_tried_again_for_a_while_unless_its_file_changes(
    gallery, monkeypatch
):
    gallery.pool.problems = [UnrenderableError("broken") for _ in range(2)]
    for _ in range(3):
        with pytest.raises(UnrenderableError, match="broken"):
            await gallery.thumbnail()
    assert len(gallery.pool.problems) == 1
    with gallery.other(await gallery.name()) as (_, has_claim):
        assert has_claim == "True", "nor is it kept from others"
    monkeypatch.setattr(finished, "BROKEN_SECONDS", 0)
    gallery.photo.write_bytes(b"another photo")
    await asyncio.sleep(MAX_AGE)
    with pytest.raises(UnrenderableError):
        await gallery.thumbnail()
    assert gallery.pool.problems == []
    assert await gallery.thumbnail() == b"rendered here"


async def test_a_worker_that_is_killed_is_noticed_by_nobody_unless_all_are(gallery):
    gallery.pool.problems = [RenderFailedError("killed") for _ in range(2)]
    assert await gallery.thumbnail() == b"rendered here"
    gallery.pool.problems = [RenderFailedError("killed") for _ in range(4)]
    gallery.photo.write_bytes(b"another photo")
    await asyncio.sleep(MAX_AGE)
    with pytest.raises(RenderFailedError):
        await gallery.thumbnail()
    assert len(gallery.pool.problems) == 1


@pytest.mark.parametrize("content", [b"longer than it was", b"a movie"])
@pytest.mark.parametrize("outcome", [None, UnrenderableError("half of a photo")])
async def test_a_photo_that_is_written_to_while_it_is_read_is_no_version_of_it(gallery, content, outcome):
    def write():
        gallery.photo.write_bytes(content)
        if outcome is not None:
            raise outcome

    gallery.pool.problems = [write]
    before = await gallery.name()
    with pytest.raises(ChangedError):
        await gallery.thumbnail()
    assert not gallery.cache.has(before)
    gallery.photo.write_bytes(b"a photo")
    os.utime(gallery.photo, ns=gallery.times)
    await asyncio.sleep(MAX_AGE)
    assert await gallery.name() == before
    assert await gallery.thumbnail() == b"rendered here", "nor is it taken for broken"


async def test_a_cache_that_takes_nothing_keeps_nobody_from_a_picture(gallery, monkeypatch):
    def full(name, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gallery.cache, "put", full)
    with capture_logs() as logs:
        for _ in range(2):
            made = await gallery.get()
            assert (made.is_stored, made.was_rendered, made.entry.content) == (False, True, b"rendered here")
    assert [line["event"] for line in logs] == ["cache-not-written"]


async def test_a_size_is_made_from_a_larger_one_that_is_finished_unless_that_is_broken(gallery, monkeypatch):
    plans = larger(gallery.found, SETTINGS)
    version = await gallery.sources.version(gallery.found)
    names = [gallery.cache.name(*facts_of(facts_of_plan(plan), version.source)) for plan in plans]
    gallery.cache.put(names[1], b"larger")
    gallery.cache.put(names[2], b"less so")
    gallery.pool.problems = [UnrenderableError("the larger one is broken")]
    assert (await gallery.get(settings=SETTINGS)).entry.content == b"rendered here"
    assert gallery.pool.larger is None, "made from the photo in the end"
    gallery.cache.remove(await gallery.name())
    await gallery.get(settings=SETTINGS)
    assert gallery.pool.larger.plan == plans[1]
    gallery.cache.remove(await gallery.name())
    get = gallery.cache.get

    def failing(name):
        if name in names[:2]:
            raise ShortageError
        return get(name)

    with monkeypatch.context() as patched:
        patched.setattr(gallery.cache, "get", failing)
        await gallery.get(settings=SETTINGS)
    assert gallery.pool.larger.plan == plans[2], "one that cannot be read now is no reason to make nothing"
    gallery.cache.remove(await gallery.name())
    await gallery.get()
    assert gallery.pool.larger is None


async def test_whatever_becomes_of_a_rendering_leaves_no_file_open(gallery):
    of_others = open_files()
    version = await gallery.sources.version(gallery.found)
    large = gallery.cache.name(*facts_of(facts_of_plan(larger(gallery.found, SETTINGS)[0]), version.source))
    gallery.cache.put(large, b"larger")
    name = await gallery.name()
    for problems in (
        [],
        [ElsewhereError(), ElsewhereError()],
        [RenderFailedError("killed")],
        [RenderFailedError("killed") for _ in range(3)],
        [UnrenderableError("larger"), UnrenderableError("broken")],
    ):
        gallery.pool.problems = problems
        with suppress(RenderFailedError, UnrenderableError):
            await gallery.get(settings=SETTINGS)
        with suppress(RenderFailedError, UnrenderableError):
            await gallery.get(settings=SETTINGS)
        await closed(of_others)
        gallery.cache.remove(name)


async def test_renderings_are_waited_for_or_ended_at_the_end(gallery):
    of_others = open_files()
    gallery.pool.turn.clear()
    asked = asyncio.create_task(gallery.get())
    async with asyncio.timeout(60):
        while gallery.pool.waiting == 0:
            await asyncio.sleep(0.01)
    closing = asyncio.create_task(gallery.derivatives.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    gallery.pool.turn.set()
    await closing
    assert (await asked).was_rendered
    gallery.cache.remove(await gallery.name())
    gallery.pool.turn.clear()
    asked = asyncio.create_task(gallery.get())
    async with asyncio.timeout(60):
        while gallery.pool.waiting == 0:
            await asyncio.sleep(0.01)
        await gallery.derivatives.abandon()
    await closed(of_others)
    with pytest.raises(asyncio.CancelledError):
        await asked
