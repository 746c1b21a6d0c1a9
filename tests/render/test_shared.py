"""Several sizes of one picture made from one decoding: as alike as made alone, and told apart by nobody."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import pyvips
from pictures import corner_colours, corners, write

from pwgserve.demo.photographs import photograph
from pwgserve.piwigo.derivatives import DEFAULTS, DerivativeSettings, Watermark
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render import engine, pool, sharing
from pwgserve.render.limits import Limits, needed_memory
from pwgserve.render.plan import RenderPlan, plan_for
from pwgserve.render.pool import RenderPool
from pwgserve.render.sharing import Shared
from pwgserve.render.steps import Source
from pwgserve.render.turns import Client
from pwgserve.render.workers import PoolSettings, RenderFailedError, UnrenderableError, Workers

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from compare_pictures import ssim

BAR = 0.99
VISITOR = Client("x")
LIMITS = Limits(max_pixels=10**9, max_frames=1000, max_source=10**9, max_memory=10**9)
CODES = list(DEFAULTS.types)


def plans(size, rotation=0, coi=None, settings=DEFAULTS, extension="jpg"):
    """As PNG, so that only pixels are compared and not what encoders make of them."""
    photo = Photo(1, f"./a.{extension}", "a", 0, *size, rotation, coi, None, ())
    found = {code: plan_for(photo, Wanted(code=code), extension, settings) for code in CODES}
    return {code: replace(plan, format="png") for code, plan in found.items()}


def rendered(source: Path, plan: RenderPlan, shared=None, limits=LIMITS) -> pyvips.Image:
    output = os.memfd_create("output")
    try:
        with source.open("rb") as reader:
            engine.render(plan, reader.fileno(), output, None, limits, lambda needed: None, shared)
        return pyvips.Image.new_from_buffer(os.pread(output, 10**8, 0), "").copy_memory()
    finally:
        os.close(output)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    file = tmp_path_factory.mktemp("photos") / "lake.jpg"
    photograph(file, "lake", 3, 3600, 2400)
    return file


def pixels(source: Path) -> pyvips.Image:
    """All of a picture's, none of them shrunk while they were decoded."""
    return pyvips.Image.new_from_file(str(source)).copy_memory()


def whole(image: pyvips.Image, size) -> pyvips.Image:
    """The picture scaled from all of its pixels."""
    return image.resize(size[0] / image.width, vscale=size[1] / image.height, kernel="cubic")


def strands(file: Path, size) -> None:
    """Fine lines in all directions, like hair and grass."""
    places, (width, height) = random.Random(3), size
    lines = "".join(
        f'<path d="M{places.random() * width} {places.random() * height}l{places.gauss(0, 250)} {places.gauss(0, 250)}" '
        f'stroke="hsl({places.randrange(360)},60%,{places.randrange(100)}%)" stroke-width="{places.uniform(0.7, 4)}"/>'
        for _ in range(4000)
    )
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{lines}</svg>'
    pyvips.Image.svgload_buffer(drawing.encode()).flatten(background=128).jpegsave(str(file), Q=92)


@pytest.mark.parametrize("size", [(3600, 2400), (5664, 4248)])
@pytest.mark.parametrize(("scene", "bar"), [("lake", BAR), ("strands", 0.985)])
def test_every_size_looks_as_if_all_pixels_had_been_read(tmp_path, scene, bar, size):
    file = tmp_path / "a.jpg"
    photograph(file, scene, 3, *size) if scene == "lake" else strands(file, size)
    read = pixels(file)
    for code, plan in plans(size).items():
        made = rendered(file, plan)
        if plan.max_crop == 0:
            assert ssim(whole(read, (made.width, made.height)), made) >= bar, code


def test_every_size_looks_as_if_it_had_been_made_alone(lake):
    made = plans((3600, 2400), coi="adgj")
    shared = Shared([made[code] for code in CODES])
    for code in CODES:
        alone, together = rendered(lake, made[code]), rendered(lake, made[code], shared)
        assert (alone.width, alone.height) == (together.width, together.height)
        assert ssim(alone, together) >= BAR, code
    assert (rendered(lake, made["xx"]) - rendered(lake, made["xx"], shared)).abs().max() == 0


def content(source: Path, plan: RenderPlan, shared: Shared) -> bytes:
    output = os.memfd_create("output")
    try:
        with source.open("rb") as reader:
            engine.render(plan, reader.fileno(), output, None, LIMITS, lambda needed: None, shared)
        return os.pread(output, 10**8, 0)
    finally:
        os.close(output)


def test_what_a_thread_makes_aside_is_the_same_file(lake):
    made = [replace(plan, format="jpeg") for plan in plans((3600, 2400), rotation=1).values()]
    aside = Shared(made)
    for plan in made:
        # What is asked for first is made where it is asked for.
        assert content(lake, plan, aside) == content(lake, plan, Shared(made))


@pytest.mark.parametrize("code", ["xl", "th"])
def test_two_threads_make_the_same_file(lake, code):
    made = {code: replace(plan, format="jpeg") for code, plan in plans((3600, 2400), rotation=1).items()}
    one, two = (Shared(list(made.values()), threads=threads) for threads in (1, 2))
    assert content(lake, made[code], one) == content(lake, made[code], two)
    assert all(kept.image.get_typeof("concurrency") == 0 for kept in two._kept)


@pytest.mark.parametrize("error", [pyvips.Error("x"), MemoryError()])
def test_what_a_thread_fails_to_make_is_made_all_the_same(lake, monkeypatch, error):
    def fail(*given):
        failed.set()
        raise error

    failed = threading.Event()
    monkeypatch.setattr(sharing, "_file", fail)
    made = list(plans((3600, 2400)).values())
    shared = Shared(made)
    content(lake, made[0], shared)
    assert failed.wait(120)
    assert all(content(lake, plan, shared) for plan in made[1:])


def test_nothing_is_made_aside_that_nobody_will_ask_for(lake, monkeypatch):
    def make(plan, *given):
        begun.append(plan)
        has_begun.set()
        assert go_on.wait(120)
        return b"made aside"

    begun, has_begun, go_on = [], threading.Event(), threading.Event()
    monkeypatch.setattr(sharing, "_file", make)
    made = list(plans((3600, 2400)).values())
    shared = Shared(made)
    content(lake, made[0], shared)
    assert has_begun.wait(120)
    # The thread is at its first work; what it has not begun is made where it is asked for, at once.
    assert content(lake, made[1], shared) != b"made aside"
    shared.end()
    go_on.set()
    sharing._aside.submit(int).result(120)
    assert begun == made[-1:]


def test_a_size_with_a_watermark_is_not_made_aside(lake):
    made = [replace(plan, watermark=Watermark()) for plan in plans((3600, 2400)).values()]
    shared = Shared(made)
    content(lake, made[0], shared)
    assert [shared.made(plan) for plan in made] == [None] * len(made)


@pytest.mark.parametrize("extension", ["jpg", "png", "gif"])
@pytest.mark.parametrize("rotation", [0, 3, None])
def test_turns_and_crops_are_those_of_the_picture_itself(tmp_path, extension, rotation):
    image = corners(2000, 1200).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    source = write(image, tmp_path / f"a.{extension}")
    made = plans((2000, 1200), rotation, coi="aaea", extension=extension)
    shared = Shared([made["xx"]])
    for code in ("sq", "th", "me"):
        alone, together = rendered(source, made[code]), rendered(source, made[code], shared)
        assert (alone.width, alone.height) == (together.width, together.height)
        assert corner_colours(alone) == corner_colours(together)


def test_sizes_near_the_largest_or_of_a_cropped_one_are_made_alone(lake):
    made = plans((3600, 2400))
    for largest in (made["sq"], made["xl"]):
        shared = Shared([largest])
        assert (rendered(lake, made["xl"], shared) - rendered(lake, made["xl"])).abs().max() == 0
        assert (rendered(lake, made["la"], shared) - rendered(lake, made["la"])).abs().max() == 0


def test_sizes_near_the_largest_spoil_nothing_for_those_that_are_made_together(lake):
    made = plans((3600, 2400))
    near = replace(made["xx"], ideal=(1500, 1125))
    shared = Shared([made["th"], near, made["xx"]])
    assert rendered(lake, made["th"], shared).width == 144
    assert (rendered(lake, near, shared) - rendered(lake, near)).abs().max() == 0


@contextlib.contextmanager
def finished(source: Path, plan: RenderPlan):
    """A derivative as the cache has it: its descriptor."""
    output = os.memfd_create("finished")
    try:
        with source.open("rb") as reader:
            engine.render(plan, reader.fileno(), output, None, LIMITS, lambda needed: None)
        yield output
    finally:
        os.close(output)


@pytest.mark.parametrize("encoding", ["jpeg", "webp", "png"])
def test_a_size_made_from_a_finished_one_looks_as_if_it_had_been_made_alone(lake, encoding):
    made = plans((3600, 2400), coi="adgj")
    xxlarge = replace(made["xx"], format=encoding, quality=97 if encoding == "webp" else 95)
    read = pixels(lake)
    with finished(lake, xxlarge) as descriptor:
        for code in CODES[:-2]:
            alone = rendered(lake, made[code])
            smaller = rendered(lake, made[code], Shared([xxlarge], descriptor))
            assert (alone.width, alone.height) == (smaller.width, smaller.height)
            assert (alone - smaller).abs().max() > 0, "it was not made from the other"
            like = alone if made[code].max_crop else whole(read, (alone.width, alone.height))
            assert ssim(like, smaller) >= BAR, code


@pytest.mark.parametrize("rotation", [0, 1, 2, 3, None])
def test_turns_and_crops_of_a_finished_size_are_not_done_twice(tmp_path, rotation):
    image = corners(2400, 1400).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    source = write(image, tmp_path / "a.jpg")
    made = plans((2400, 1400), rotation, coi="aaea")
    xlarge = replace(made["xl"], format="jpeg")
    with finished(source, xlarge) as descriptor:
        for code in ("sq", "th", "me"):
            alone, smaller = (
                rendered(source, made[code]),
                rendered(source, made[code], Shared([xlarge], descriptor)),
            )
            assert (alone.width, alone.height) == (smaller.width, smaller.height)
            assert corner_colours(alone) == corner_colours(smaller)


def test_a_finished_size_that_is_not_what_was_said_is_not_used(lake, tmp_path):
    made = plans((3600, 2400))
    alone = rendered(lake, made["me"])
    for other in (made["la"], made["sq"]):
        with finished(lake, other) as descriptor:
            shared = Shared([made["xx"]], descriptor)
            assert (rendered(lake, made["me"], shared) - alone).abs().max() == 0
    with finished(lake, made["xx"]) as descriptor:
        for code in ("xl", "xx"):  # which are hardly smaller
            near = rendered(lake, made[code], Shared([made["xx"]], descriptor))
            assert (near - rendered(lake, made[code])).abs().max() == 0


def test_nothing_is_shared_where_keeping_it_would_take_too_much_memory(lake):
    made = plans((3600, 2400))
    limits = Limits(10**9, 1, 10**9, 45_000_000)
    shared = Shared([made["xx"]])
    assert (rendered(lake, made["th"], shared, limits) - rendered(lake, made["th"])).abs().max() == 0


def test_what_is_kept_counts_beside_what_making_it_takes(lake):
    largest = plans((3600, 2400))["xx"]
    with lake.open("rb") as reader:
        source = Source.of(reader.fileno(), largest)
        layout = source.layout(largest)
        needed = Shared.needed_memory(source.header, layout)
        width, height = layout.output
        assert needed >= needed_memory(source.header, layout.output, "jpeg") + 3 * width * height
        assert Shared([largest]).layout(source, Limits(10**9, 1, 10**9, needed)) == layout
        assert Shared([largest]).layout(source, Limits(10**9, 1, 10**9, needed - 1)) is None


def test_small_sources_and_transparency_stay_as_they_are(tmp_path):
    alpha = (pyvips.Image.xyz(2000, 1500)[0] > 1000).ifthenelse(255, 0).cast("uchar")
    source = write(corners(2000, 1500).bandjoin(alpha).copy(interpretation="srgb"), tmp_path / "a.png")
    made = plans((2000, 1500), extension="png")
    shared = Shared([made["xx"]])
    image = rendered(source, made["me"], shared)
    assert [image(x, 100)[3] for x in (10, image.width - 10)] == [0, 255]
    small = write(corners(200, 150), tmp_path / "small.jpg")
    made = plans((200, 150))
    assert rendered(small, made["th"], Shared([made["xx"]])).width == 144


@contextlib.asynccontextmanager
async def running(workers=1):
    made = RenderPool(PoolSettings(workers, 50, 60.0, LIMITS, "require"))
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def one(made, source, name, plan, client=VISITOR, file="the lake"):
    output = os.memfd_create(name)
    descriptor = os.open(source, os.O_RDONLY)
    try:
        await made.render(name, client, plan, descriptor, output, None, file)
        return pyvips.Image.new_from_buffer(os.pread(output, 10**8, 0), "").copy_memory()
    finally:
        os.close(output)
        os.close(descriptor)


@pytest.fixture
def asked(monkeypatch):
    """What the workers are asked, in order."""
    messages = []
    ask = Workers._asked

    async def noted(self, worker, message, descriptors, turn):
        messages.append((worker.process.pid, message))
        return await ask(self, worker, message, descriptors, turn)

    monkeypatch.setattr(Workers, "_asked", noted)
    return messages


def groups(asked):
    """How many jobs each group had, in order."""
    return Counter(json.loads(message)["group"] for _, message in asked)


async def test_sizes_that_are_asked_for_in_one_moment_are_made_in_one_go(lake, asked):
    made = plans((3600, 2400))
    async with running(workers=2) as workers:
        images = await asyncio.gather(*(one(workers, lake, code, made[code]) for code in CODES))
        assert workers.jobs == 0
    for code, image in zip(CODES, images, strict=True):
        assert ssim(image, rendered(lake, made[code])) >= BAR
    assert len({pid for pid, _ in asked}) == 1
    assert len(groups(asked)) == 1
    assert [b'"is_last": true' in message for _, message in asked] == [False] * 8 + [True]


async def test_different_files_are_never_made_from_one_another(lake, tmp_path, asked):
    other = write(corners(3600, 2400), tmp_path / "corners.jpg")
    made = plans((3600, 2400))
    async with running() as workers:
        files = {"a": lake, "b": other}
        wanted = [(name, code) for code in ("me", "th", "xx") for name in files]
        images = await asyncio.gather(
            *(one(workers, files[name], name + code, made[code], file=name) for name, code in wanted)
        )
    for (name, code), image in zip(wanted, images, strict=True):
        assert ssim(image, rendered(files[name], made[code])) >= BAR
    assert list(groups(asked).values()) == [3, 3]


async def test_one_that_cannot_be_made_does_not_spoil_the_others(lake):
    made = plans((3600, 2400))
    bad = plans((3600, 2400), settings=DerivativeSettings(DEFAULTS.types, watermark=Watermark("w.png", (1, 1))))["me"]
    mark = os.open("/dev/null", os.O_RDONLY)
    async with running() as workers:
        descriptor, output = os.open(lake, os.O_RDONLY), os.memfd_create("marked")
        marked = workers.render("marked", Client("x"), bad, descriptor, output, mark, "the lake")
        others = [one(workers, lake, code, made[code]) for code in ("th", "sm", "xx")]
        done = await asyncio.gather(marked, *others, return_exceptions=True)
    for opened in (descriptor, output, mark):
        os.close(opened)
    assert isinstance(done[0], UnrenderableError)
    assert [image.width for image in done[1:]] == [144, 576, 1656]


async def test_a_size_that_is_on_its_way_is_made_in_the_same_go(lake, asked, monkeypatch):
    monkeypatch.setattr(pool, "GATHER_SECONDS", 600)  # a moment, also on a machine that is busy
    made = plans((3600, 2400))
    async with running(workers=2) as workers:
        with workers.on_its_way("the lake"):
            first = asyncio.create_task(one(workers, lake, "th", made["th"]))
            await asyncio.sleep(0.1)
            assert not asked
        await asyncio.gather(first, one(workers, lake, "me", made["me"]))
    assert list(groups(asked).values()) == [2]


async def test_a_size_that_never_comes_is_waited_for_a_moment_only(lake, asked):
    made = plans((3600, 2400))
    async with running(workers=2) as workers:
        with workers.on_its_way("the lake"):
            # For a file of which nothing is on its way, nothing is waited for.
            for file in ("the sea", "the lake"):
                assert (await one(workers, lake, file, made["th"], file=file)).width == 144
    assert list(groups(asked).values()) == [1, 1]


async def test_two_threads_decode_only_while_nothing_else_is_to_be_rendered(lake, tmp_path, asked):
    photograph(tmp_path / "city.jpg", "city", 5, 1200, 800)
    made = plans((3600, 2400))
    async with running(workers=2) as workers:
        await asyncio.gather(*(one(workers, lake, code, made[code]) for code in CODES))
        assert {json.loads(message)["threads"] for _, message in asked} == {2}
        asked.clear()
        both = [(lake, "the lake"), (tmp_path / "city.jpg", "the city")]
        await asyncio.gather(
            *(one(workers, file, f"{name} {code}", made[code], file=name) for code in CODES for file, name in both)
        )
    assert {json.loads(message)["threads"] for _, message in asked} == {1}


async def test_who_waits_before_a_screen_is_not_kept_waiting_by_work_in_bulk(lake, asked):
    made = plans((3600, 2400))
    async with running() as workers:
        bulk = [one(workers, lake, code, made[code], Client("x", is_bulk=True)) for code in ("xl", "xx")]
        await asyncio.gather(one(workers, lake, "th", made["th"]), *bulk)
    assert list(groups(asked).values()) == [1, 2]
    assert b"144" in asked[0][1]


async def test_who_leaves_leaves_the_others_their_pictures(lake, asked):
    made = plans((3600, 2400))
    async with running() as workers:
        worker = workers.workers.idle[0].process
        worker.send_signal(signal.SIGSTOP)
        tasks = [asyncio.create_task(one(workers, lake, code, made[code])) for code in ("th", "me", "xx")]
        while not asked:
            await asyncio.sleep(0.01)
        tasks[1].cancel()
        worker.send_signal(signal.SIGCONT)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
        assert [done[0].width, done[2].width] == [144, 1656]
        worker.send_signal(signal.SIGSTOP)
        asked.clear()
        tasks = [asyncio.create_task(one(workers, lake, code, made[code])) for code in ("th", "me", "xx")]
        while not asked:
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert workers.jobs == 0
        assert (await one(workers, lake, "again", made["th"])).width == 144


async def test_what_is_kept_between_sizes_does_not_count_as_growth(lake):
    made = plans((3600, 2400))
    async with running() as workers:
        for number in range(3):
            await asyncio.gather(*(one(workers, lake, code, made[code], file=number) for code in ("th", "me", "xx")))
        assert not workers.workers.ended


async def test_what_a_worker_keeps_of_one_file_is_never_taken_for_anothers(lake, tmp_path, monkeypatch):
    other = write(corners(2400, 1600), tmp_path / "corners.jpg")
    of_lake, of_other = plans((3600, 2400)), plans((2400, 1600))
    async with running() as workers:
        # Who waited for the last size of the one and for the first size of the other leave before their turn.
        ask, leaving = Workers._asked, []

        async def asked(self, worker, message, descriptors, turn):
            for task in leaving:
                task.cancel()
            await asyncio.sleep(0)
            return await ask(self, worker, message, descriptors, turn)

        monkeypatch.setattr(Workers, "_asked", asked)
        first = [asyncio.create_task(one(workers, lake, code, of_lake[code], file="a")) for code in ("th", "me", "xx")]
        second = [
            asyncio.create_task(one(workers, other, f"other {code}", of_other[code], file="b"))
            for code in ("th", "me", "xx")
        ]
        leaving = [first[2], second[0]]
        done = await asyncio.gather(*first, *second, return_exceptions=True)
    assert [isinstance(image, asyncio.CancelledError) for image in done] == [False, False, True, True, False, False]
    assert ssim(done[1], rendered(lake, of_lake["me"])) >= BAR
    for image, code in ((done[4], "me"), (done[5], "xx")):
        assert ssim(image, rendered(other, of_other[code])) >= BAR


async def test_a_size_that_failed_may_be_tried_again_while_the_others_are_still_made(lake, monkeypatch):
    made = plans((3600, 2400))
    ask, failures = Workers._asked, [OSError()]

    async def failing_once(self, worker, message, descriptors, turn):
        if failures:
            worker.process.kill()
            raise failures.pop()
        return await ask(self, worker, message, descriptors, turn)

    monkeypatch.setattr(Workers, "_asked", failing_once)
    async with running() as workers:

        async def stubborn(code):
            with contextlib.suppress(RenderFailedError):
                return await one(workers, lake, code, made[code])
            return await one(workers, lake, code, made[code])

        async with asyncio.timeout(200):
            images = await asyncio.gather(*(stubborn(code) for code in ("th", "me", "xx")))
        assert [image.width for image in images] == [144, 792, 1656]
        assert workers.jobs == 0
