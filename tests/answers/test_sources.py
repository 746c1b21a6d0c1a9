import asyncio
import os
import threading
from dataclasses import replace

import pytest

from pwgserve.answers import sources
from pwgserve.answers.freshness import MAX_AGE
from pwgserve.answers.sources import AT_ONCE, ChangedError, Sources
from pwgserve.originals import MissingOriginalError, Originals
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import DEFAULTS, Watermark
from pwgserve.piwigo.permissions import GalleryRules, Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.plan import RenderRules
from pwgserve.targets import GallerySettings, target

NO_MARK, MARK = Watermark(), Watermark("marks/w.png", (1, 1))
TELLING, HARMLESS = b"GIF89a GPSLatitude;", b"GIF89a;"


class Gallery:
    """One photo, and what is asked of it."""

    def __init__(self, folder, watermark=NO_MARK):
        for name in ("upload", "marks"):
            (folder / name).mkdir()
        self.photo, self.mark = folder / "upload/a.gif", folder / "marks/w.png"
        self.photo.write_bytes(HARMLESS)
        self.mark.write_bytes(b"a watermark")
        self.sources = Sources(Originals(folder, ["upload"]), Originals(folder, ["marks"]))
        settings = GallerySettings(PiwigoConf(), replace(DEFAULTS, watermark=watermark), GalleryRules(), RenderRules())
        photo = Photo(1, "./upload/a.gif", "a.gif", 0, 4000, 3000, 0, None, None, ())
        self.found = target(photo, Wanted(code="me"), settings)

    async def version(self):
        return await self.sources.version(self.found)

    async def later(self):
        await asyncio.sleep(MAX_AGE * 1.1)
        return await self.version()


def open_files(name):
    return [link for entry in os.scandir("/proc/self/fd") if (link := _leads_to(entry)).endswith(name)]


def _leads_to(entry):
    try:
        return os.readlink(entry.path)  # noqa: PTH115
    except OSError:
        return ""


async def test_a_file_that_is_written_or_removed_is_another_version_or_none(tmp_path):
    gallery = Gallery(tmp_path)
    first = await gallery.version()
    gallery.photo.write_bytes(TELLING)
    second = await gallery.later()
    assert first.facts != second.facts
    gallery.photo.unlink()
    await asyncio.sleep(MAX_AGE)
    with pytest.raises(MissingOriginalError):
        await gallery.later()


async def test_where_pictures_carry_a_mark_there_is_none_without_it(tmp_path):
    gallery = Gallery(tmp_path, MARK)
    first = await gallery.version()
    with os.fdopen(gallery.sources.open_watermark(first).descriptor, "rb") as mark:
        assert mark.read() == b"a watermark"
    gallery.mark.write_bytes(b"another watermark")
    assert (await gallery.later()).facts != first.facts
    gallery.mark.unlink()
    await asyncio.sleep(MAX_AGE)
    with pytest.raises(MissingOriginalError):
        await gallery.later()


async def test_what_changed_since_its_version_was_asked_is_not_opened(tmp_path):
    gallery = Gallery(tmp_path, MARK)
    version = await gallery.version()
    os.close(gallery.sources.open(version).descriptor)
    gallery.photo.write_bytes(b"another photo")
    gallery.mark.write_bytes(b"another watermark")
    with pytest.raises(ChangedError):
        gallery.sources.open(version)
    with pytest.raises(ChangedError):
        gallery.sources.open_watermark(version)
    assert open_files("a.gif") == open_files("w.png") == []


async def test_whether_a_photo_tells_more_is_said_of_the_version_that_was_asked_for(tmp_path):
    """What is said is remembered, and the version may come back, as from a backup."""
    gallery = Gallery(tmp_path)
    gallery.photo.write_bytes(TELLING)
    version, status = await gallery.version(), gallery.photo.stat()
    gallery.photo.write_bytes(HARMLESS)
    with pytest.raises(ChangedError):
        await gallery.sources.tells_more(version)
    gallery.photo.write_bytes(TELLING)
    os.utime(gallery.photo, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert await gallery.sources.tells_more(version)
    assert open_files("a.gif") == []


async def test_of_a_file_that_is_too_large_to_be_read_more_is_assumed(tmp_path, monkeypatch):
    gallery = Gallery(tmp_path)
    monkeypatch.setattr(sources, "METADATA_BYTES", len(HARMLESS))
    assert not await gallery.sources.tells_more(await gallery.version())
    gallery.photo.write_bytes(HARMLESS + b"\0")
    assert await gallery.sources.tells_more(await gallery.later())


async def test_files_of_a_disk_that_does_not_answer_keep_no_others_waiting(tmp_path):
    found, answers, begun = Gallery(tmp_path).sources, threading.Event(), []

    def hang(path):
        begun.append(path)
        assert answers.wait(60)

    hanging = [f"galleries/nas/{number}/a.jpg" for number in range(AT_ONCE + 1)]
    waiting = [asyncio.create_task(found.in_turn(path, lambda path=path: hang(path))) for path in hanging]
    try:
        async with asyncio.timeout(60):
            while len(begun) < AT_ONCE:
                await asyncio.sleep(0.01)
            for path in ("galleries/other/a.jpg", "galleries/a.jpg", "upload/2026/a.jpg"):
                assert await found.in_turn(path, lambda: "done") == "done"
        assert begun == hanging[:AT_ONCE], "nor does it hold more threads, however many of its folders are asked for"
    finally:
        answers.set()
    await asyncio.gather(*waiting)
