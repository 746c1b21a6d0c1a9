"""Malformed pictures through real, confined workers: a result that is what was promised, or a clear no; nothing else."""

import asyncio
import itertools
import os
import time
from pathlib import Path

import corpus
import pytest
import pyvips

from pwgserve.render.limits import MEGABYTE, Limits
from pwgserve.render.plan import FORMATS, RenderPlan, RenderRules
from pwgserve.render.pool import RenderPool
from pwgserve.render.turns import Client
from pwgserve.render.workers import PoolSettings, UnrenderableError

LIMITS = Limits(max_pixels=100_000_000, max_frames=100, max_source=200 * MEGABYTE, max_memory=400 * MEGABYTE)
IDEAL = (200, 150)
SECONDS = 4.0
SLACK = 120.0
"""Seconds more, in which another worker is started, on a machine that has others to serve."""

KINDS = {
    "cut": corpus.cut(1),
    "flipped": corpus.flipped(2, int(os.environ.get("HOSTILE_EXAMPLES", "100"))),
    "shuffled": corpus.shuffled(3, 40),
    "lying": corpus.lying(),
    "bombs": corpus.bombs(),
    "strangers": corpus.strangers(),
}


def plan(extension, animate):
    rules = RenderRules(keep_metadata_from=0, animate=animate)
    return RenderPlan(IDEAL, 0, None, None, None, 10, 90, FORMATS[extension], None, rules)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
async def test_malformed_pictures_give_a_picture_or_a_clear_no(kind, tmp_path):
    pool = RenderPool(PoolSettings(1, 50, SECONDS, LIMITS, "require"))
    await pool.start()
    tried, rendered = 0, 0
    for name, extension, content in KINDS[kind]:
        source = tmp_path / "source"
        source.write_bytes(content)
        for animate in (False, True):
            tried += 1
            started = time.monotonic()
            output = os.memfd_create("output")
            with source.open("rb") as reader:
                try:
                    await pool.render(name, Client("x"), plan(extension, animate), reader.fileno(), output, None)
                except UnrenderableError as problem:
                    assert "/" not in str(problem), "a message never holds a path"
                    assert len(str(problem)) < 300
                else:
                    rendered += 1
                    _assert_is_promised(os.pread(output, 10**8, 0), name, extension)
                finally:
                    os.close(output)
            assert time.monotonic() - started < 2 * SECONDS + SLACK, name
            assert _memory(pool) < 700 * MEGABYTE, name
    assert tried >= 20
    print(f"{kind}: {tried} tried, {rendered} rendered")
    (tmp_path / "fine.jpg").write_bytes(corpus.genuine("jpg"))
    for left in range(20, 0, -1):
        output = os.memfd_create("output")
        with (tmp_path / "fine.jpg").open("rb") as reader:
            try:
                await pool.render("fine", Client("x"), plan("jpg", False), reader.fileno(), output, None)
                break
            except UnrenderableError as problem:
                assert "takes longer" in str(problem) and left > 1, "sooner or later the machine has time for it"
            finally:
                os.close(output)
    await pool.close()


def _assert_is_promised(content, name, extension):
    image = pyvips.Image.new_from_buffer(content, "")
    assert image.get("vips-loader").startswith(FORMATS[extension]), (name, "of the promised kind")
    assert image.width <= IDEAL[0]
    assert image.height <= IDEAL[1]
    for told in ("root:x:0", "<?php", "evil.php", "alert("):
        assert told.encode() not in content, name


def _memory(pool):
    found = 0
    for worker in pool.workers.idle:
        status = Path(f"/proc/{worker.process.pid}/status").read_text()
        found = max(found, *(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")))
    return found


def test_the_corpus_is_what_it_says():
    """The control: unharmed, each of its pictures can be rendered."""
    for extension in corpus.FORMATS:
        image = pyvips.Image.new_from_buffer(corpus.genuine(extension), "", fail_on="truncated")
        assert image.avg() > 0
    bomb = corpus.png_of_zeros(300, 200)
    assert pyvips.Image.new_from_buffer(bomb, "").width == 300
    assert len({content for _, _, content in itertools.chain(corpus.lying(), corpus.strangers())}) > 40


async def test_a_picture_that_decodes_for_ever_is_ended(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.write_bytes(corpus.scans())
    pool = RenderPool(PoolSettings(1, 50, 0.5, LIMITS, "require"))
    await pool.start()
    output = os.memfd_create("output")
    with source.open("rb") as reader, pytest.raises(UnrenderableError):
        async with asyncio.timeout(120):
            await pool.render("scans", Client("x"), plan("jpg", False), reader.fileno(), output, None)
    os.close(output)
    await pool.close()
