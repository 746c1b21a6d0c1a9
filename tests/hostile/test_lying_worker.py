"""What a worker that was taken over can do to the daemon by what it says: fail its own picture, and nothing else."""

import asyncio
import contextlib
import os
import select
from pathlib import Path

import corpus
import lying_worker
import pytest

from pwgserve.render import workers
from pwgserve.render.limits import MEGABYTE, Limits
from pwgserve.render.plan import RenderPlan
from pwgserve.render.pool import RenderPool
from pwgserve.render.turns import Client
from pwgserve.render.workers import PoolSettings, RenderFailedError, UnrenderableError

LIMITS = Limits(max_pixels=10**8, max_frames=10, max_source=10**8, max_memory=300 * MEGABYTE)
LYING = ("-P", str(Path(__file__).with_name("lying_worker.py")))


@pytest.fixture
def before():
    """The processes that were there before."""
    return children()


@pytest.fixture
async def lying(monkeypatch):
    """A pool of liars."""
    monkeypatch.setattr(workers, "COMMAND", LYING)
    made = RenderPool(PoolSettings(1, 10, 30.0, LIMITS, "require"))
    await made.start()
    yield made
    await made.close()


async def render(made, tmp_path, lie):
    source = tmp_path / "source.jpg"
    source.write_bytes(corpus.genuine("jpg"))
    output = os.memfd_create("output")
    try:
        with source.open("rb") as reader:
            plan = RenderPlan((10, 10), 0, None, None, 0, 0, lie, "jpeg", None)
            await made.render("job", Client("x"), plan, reader.fileno(), output, None)
    finally:
        os.close(output)


def children():
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found |= set((task / "children").read_text().split())
    return found


@pytest.mark.parametrize("lie", range(len(lying_worker.LIES)), ids=lambda lie: repr(lying_worker.LIES[lie][:24]))
async def test_a_lie_harms_the_liars_picture_at_most(before, lying, tmp_path, lie):
    try:
        await render(lying, tmp_path, lie)
    except (UnrenderableError, RenderFailedError) as error:
        assert len(str(error)) <= workers.MAX_REASON
        assert str(error).isprintable()
    assert lying.jobs == 0
    assert len(children() - before) == len(lying.workers.idle) <= 1, "no process is forgotten"


async def test_an_answer_that_nobody_asked_for_is_never_taken_for_the_next_picture(lying, tmp_path):
    lie = lying_worker.LIES.index(b'{"failed": null}')  # and its honest answer, which nobody waits for, comes behind
    with pytest.raises(RenderFailedError):
        await render(lying, tmp_path, lie)
    liar = lying.workers.idle[0]
    assert select.select([liar.jobs], [], [], 60)[0], "it has come"
    with pytest.raises(RenderFailedError):
        await render(lying, tmp_path, lie)
    assert lying.workers.idle[0] is not liar
    assert liar.process.returncode is not None


async def test_the_daemon_never_takes_more_than_a_result_can_be(monkeypatch, tmp_path):
    """The control for the limit on files: what a worker may write is bounded by its memory."""
    made = RenderPool(PoolSettings(1, 10, 30.0, LIMITS, "require"))
    await made.start()
    limits = Path(f"/proc/{made.workers.idle[0].process.pid}/limits").read_text()
    await made.close()
    row = next(line for line in limits.splitlines() if line.startswith("Max file size"))
    assert int(row.split()[3]) == LIMITS.max_memory // 2


async def test_a_worker_may_be_used_for_one_picture_only(tmp_path):
    made = RenderPool(PoolSettings(1, 10, 30.0, LIMITS, "require", renderings_per_worker=1))
    await made.start()
    seen = set()
    for _ in range(3):
        seen |= {one.process.pid for one in made.workers.idle}
        await render(made, tmp_path, 90)
        await asyncio.sleep(0)
        assert made.workers.idle == []
    await made.close()
