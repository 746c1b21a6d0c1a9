"""The pool with real worker processes: they hang, die and are replaced, and nothing is left of them."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import pyvips
from pictures import corners, write

from pwgserve.render.alone import Alone
from pwgserve.render.limits import MEGABYTE, Limits
from pwgserve.render.plan import RenderPlan
from pwgserve.render.pool import BusyError, ElsewhereError, RenderPool
from pwgserve.render.turns import Client
from pwgserve.render.worker import KEPT
from pwgserve.render.workers import NICENESS, NICEST, PoolSettings, RenderFailedError, UnrenderableError

LIMITS = Limits(max_pixels=10**9, max_frames=1000, max_source=10**9, max_memory=600 * MEGABYTE)
VISITOR = Client("192.0.2.1")
PLAN = RenderPlan((300, 200), 0, None, None, 0, 0, 90, "jpeg", None)


@contextlib.asynccontextmanager
async def pool(
    workers=1, queue=10, timeout=30.0, renderings_per_worker=1000, alone=None, idle=1, patience=60.0, **limits
):
    wanted = replace(LIMITS, **limits)
    made = RenderPool(
        PoolSettings(workers, queue, timeout, wanted, "require", renderings_per_worker, alone, idle, patience=patience)
    )
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def render(made, source, output, client=VISITOR, plan=PLAN):
    """Render something under a name that nothing else has."""
    await made.render(secrets.token_hex(8), client, plan, source, output, None)


@contextlib.contextmanager
def files(tmp_path, size=(900, 600), extension="jpg"):
    source = write(corners(*size), tmp_path / f"source.{extension}")
    output = tmp_path / f"output{os.urandom(4).hex()}"
    with source.open("rb") as reader, output.open("wb+") as writer:
        yield reader.fileno(), writer.fileno(), output


def workers():
    """The process ids of our children that are workers."""
    found = []
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            found += [int(child) for child in children.read_text().split() if is_worker(child)]
    return found


def is_worker(pid):
    with contextlib.suppress(OSError):
        return b"pwgserve.render.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("START_SECONDS", 0.0, r"within 0 s; is the machine too busy\?"),
        ("COMMAND", ("-c", ""), "start; is pyvips-binary installed"),
    ],
)
def test_why_a_worker_did_not_start_is_told(monkeypatch, name, value, problem):
    monkeypatch.setattr(f"pwgserve.render.workers.{name}", value)

    async def run():
        async with pool():
            pass

    with pytest.raises(RenderFailedError, match=problem):
        asyncio.run(run())


async def with_a_worker(made):
    """Until a job is with the only worker."""
    while made.workers.idle:
        await asyncio.sleep(0.01)
    for _ in range(50):  # turns of the event loop, however slow the machine is
        await asyncio.sleep(0)


async def test_a_picture_is_rendered_by_another_process(tmp_path):
    async with pool() as made:
        with files(tmp_path) as (source, output, file):
            await render(made, source, output)
            image = pyvips.Image.new_from_file(str(file))
        assert (image.width, image.height) == (300, 200)
        assert len(workers()) == 1
    assert workers() == []


async def test_a_worker_that_dies_is_replaced(tmp_path):
    async with pool() as made:
        os.kill(workers()[0], signal.SIGSTOP)
        with files(tmp_path) as (source, output, _):
            job = asyncio.create_task(render(made, source, output))
            await with_a_worker(made)
            os.kill(workers()[0], signal.SIGKILL)
            with pytest.raises(RenderFailedError):
                await job
        with files(tmp_path) as (source, output, file):
            await render(made, source, output)
            assert pyvips.Image.new_from_file(str(file)).width == 300


async def test_an_idle_worker_that_died_is_replaced_before_its_next_picture(tmp_path):
    async with pool() as made:
        os.kill(workers()[0], signal.SIGKILL)
        await made.workers.idle[0].process.wait()
        with files(tmp_path) as (source, output, file):
            await render(made, source, output)
            assert pyvips.Image.new_from_file(str(file)).width == 300


async def test_what_takes_too_long_is_ended(tmp_path):
    async with pool(timeout=0.3) as made:
        os.kill(workers()[0], signal.SIGSTOP)
        with files(tmp_path) as (source, output, _), pytest.raises(UnrenderableError, match=r"longer than 0\.3 s"):
            await render(made, source, output)
        assert workers() == []
        assert made.jobs == 0


async def test_time_in_which_this_process_was_stopped_is_not_held_against_a_picture(tmp_path):
    async with pool(timeout=1.0) as made:
        (worker,) = made.workers.idle
        worker.process.send_signal(signal.SIGSTOP)
        with files(tmp_path) as (source, output, file):
            job = asyncio.create_task(render(made, source, output))
            await asyncio.sleep(0.2)
            worker.process.send_signal(signal.SIGCONT)
            time.sleep(3)  # nothing goes on in this process, as when it is stopped
            assert select.select([worker.jobs], [], [], 120)[0], "it is done, however busy the machine is"
            await job
            assert pyvips.Image.new_from_file(str(file)).width == 300


def is_free(file):
    """Whether no process has a large picture."""
    with contextlib.suppress(BlockingIOError, FileNotFoundError), file.open("rb+", buffering=0) as pipe:
        fcntl.flock(pipe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return not file.exists()


async def test_who_is_about_to_be_stopped_hands_the_turn_on_and_ends_what_has_the_memory(tmp_path, large):
    lock = tmp_path / "alone"
    async with pool(workers=2, alone=lock) as made:
        with large.open("rb") as reader, (tmp_path / "output").open("wb+") as output:
            job = asyncio.create_task(render(made, reader.fileno(), output.fileno()))
            async with asyncio.timeout(60):
                while is_free(lock):
                    await asyncio.sleep(0.02)
            (worker,) = workers()
            os.kill(worker, signal.SIGSTOP)
            made.workers.let_go()
            assert is_free(lock)
            with pytest.raises(RenderFailedError):
                await job
            assert workers() == []
            await render(made, reader.fileno(), output.fileno())
            made.workers.let_go()
            assert len(workers()) == 1, "what has nothing to do has no memory to give back"


async def test_more_than_the_queue_holds_are_told_to_come_back(tmp_path):
    async with pool(workers=1, queue=2) as made:
        os.kill(workers()[0], signal.SIGSTOP)
        with files(tmp_path) as (source, output, _):
            jobs = [asyncio.create_task(render(made, source, output)) for _ in range(3)]
            await asyncio.sleep(0.05)
            with pytest.raises(BusyError):
                await render(made, source, output)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
        assert made.jobs == 0
        with files(tmp_path) as (source, output, _):
            await render(made, source, output)


async def test_who_leaves_ends_the_work_and_the_next_gets_a_new_worker(tmp_path):
    async with pool() as made:
        before = workers()
        os.kill(before[0], signal.SIGSTOP)
        with files(tmp_path) as (source, output, _):
            job = asyncio.create_task(render(made, source, output))
            await with_a_worker(made)
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job
        with files(tmp_path) as (source, output, _):
            await render(made, source, output)
        assert workers() != before


async def test_a_broken_picture_is_refused_and_the_worker_lives(tmp_path):
    async with pool() as made:
        before = workers()
        broken = tmp_path / "broken.jpg"
        broken.write_bytes(b"\xff\xd8\xff\xe0 nothing")
        with (
            broken.open("rb") as source,
            (tmp_path / "o").open("wb+") as output,
            pytest.raises(UnrenderableError),
        ):
            await render(made, source.fileno(), output.fileno())
        assert workers() == before


async def test_a_file_that_is_too_large_is_refused_before_anybody_reads_it(tmp_path):
    with files(tmp_path) as (source, output, file):
        size = os.fstat(source).st_size
        async with pool(max_source=size - 1) as made:
            with pytest.raises(UnrenderableError, match=r"render\.max_source"):
                await render(made, source, output)
            assert made.jobs == 0
        async with pool(max_source=size) as made:
            await render(made, source, output)
        assert pyvips.Image.new_from_file(str(file)).width == 300


async def test_a_worker_knows_none_of_the_daemons_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("PWGSERVE_PIWIGO__DATABASE", "mysql://user:topsecret@host/x")
    async with pool():
        assert workers()
        for pid in workers():
            assert b"topsecret" not in Path(f"/proc/{pid}/environ").read_bytes()
            descriptors = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
            assert sum(name.startswith("socket:") for name in descriptors) == 1


async def test_no_descriptor_is_left_open(tmp_path):
    async with pool() as made:
        with files(tmp_path) as (source, output, _):
            await render(made, source, output)
            before = len(list(Path("/proc/self/fd").iterdir()))
            theirs = len(list(Path(f"/proc/{workers()[0]}/fd").iterdir()))
            for _ in range(20):
                await render(made, source, output)
            assert len(list(Path("/proc/self/fd").iterdir())) == before
            async with asyncio.timeout(60):  # a worker answers before it has closed everything
                while len(list(Path(f"/proc/{workers()[0]}/fd").iterdir())) > theirs:
                    await asyncio.sleep(0.01)


async def test_a_worker_is_replaced_after_its_number_of_pictures(tmp_path):
    async with pool(renderings_per_worker=3) as made:
        seen = []
        for _ in range(7):
            with files(tmp_path) as (source, output, file):
                await render(made, source, output)
                assert pyvips.Image.new_from_file(str(file)).width == 300
            seen += [pid for pid in workers() if pid not in seen]
    assert len(seen) == 3


async def test_a_worker_has_given_up_what_it_does_not_need(tmp_path):
    async with pool():
        status = Path(f"/proc/{workers()[0]}/status").read_text()
        limits = Path(f"/proc/{workers()[0]}/limits").read_text()
    assert "NoNewPrivs:\t1" in status
    rows = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert rows["Max core file size"] == ["0", "0"]
    assert rows["Max open files"] == ["64", "64"]


async def test_a_picture_that_is_decoded_as_a_whole_needs_no_temporary_file(tmp_path):
    """libvips would write one from 100 MB on, which a confined worker cannot."""
    source = tmp_path / "large.webp"
    pyvips.Image.black(7_300, 5_000, bands=3).copy(interpretation="srgb").webpsave(str(source), effort=0)
    async with pool() as made:
        with source.open("rb") as reader, (tmp_path / "output").open("wb+") as output:
            plan = replace(PLAN, ideal=(730, 500), format="webp")
            await render(made, reader.fileno(), output.fileno(), plan=plan)
        assert pyvips.Image.new_from_file(str(tmp_path / "output")).width == 730


async def test_workers_go_last_among_all_processes_of_the_machine_not_only_of_their_own_session(tmp_path):
    async with pool() as made:
        with files(tmp_path) as (source, output, _):
            await render(made, source, output)
        pids = workers()
        threads = [int(thread.name) for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]
        nice = min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, NICEST)
        assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {nice}
        groups = [Path(f"/proc/{pid}/autogroup") for pid in pids]
        assert {group.read_text().partition(" ")[2].strip() for group in groups if group.exists()} <= {f"nice {nice}"}


def test_workers_of_a_process_that_goes_last_itself_go_after_it():
    started = subprocess.run(
        ["nice", "-n", "5", sys.executable, "-c", STARTS_A_WORKER], capture_output=True, text=True, timeout=200
    )
    nice = min(os.getpriority(os.PRIO_PROCESS, 0) + 5, NICEST)
    assert started.stdout.split() == [str(nice), str(min(nice + NICENESS, NICEST))], started.stderr


STARTS_A_WORKER = """
import asyncio, os
from pwgserve.render.limits import Limits
from pwgserve.render.workers import PoolSettings, Workers

async def main():
    settings = PoolSettings(1, 1, 30.0, Limits(10**9, 1, 10**9, 600_000_000))
    worker = await Workers(settings)._started()
    print(os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, worker.process.pid))
    worker.process.kill()
    await worker.process.wait()

asyncio.run(main())
"""


def resident(pid):
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_memory_is_kept_for_the_next_picture_and_given_back_when_none_comes(tmp_path):
    async with pool(idle=3) as made:
        worker = workers()[0]
        at_start = resident(worker)
        with files(tmp_path, (4000, 3000)) as (source, output, _):
            await render(made, source, output, plan=replace(PLAN, ideal=(1600, 1200)))
        kept = resident(worker)
        assert workers() == [worker]
        assert at_start + 8 * MEGABYTE < kept < at_start + KEPT
        async with asyncio.timeout(120):
            while resident(worker) > at_start + 8 * MEGABYTE:
                await asyncio.sleep(0.1)


async def test_what_a_large_picture_took_is_given_back_at_once(tmp_path):
    source = write(corners(5000, 4000), tmp_path / "large.jpg", interlace=True)
    async with pool() as made:
        worker = workers()[0]
        at_start = resident(worker)
        with source.open("rb") as reader, (tmp_path / "output").open("wb+") as output:
            await render(made, reader.fileno(), output.fileno(), plan=replace(PLAN, ideal=(2500, 2000)))
        assert workers() == [worker]
        assert resident(worker) < at_start + KEPT


async def test_a_large_picture_waits_for_others_for_longer_than_a_worker_is_idle(tmp_path, large):
    other = Alone(tmp_path / "alone")
    async with pool(alone=tmp_path / "alone") as made:
        with large.open("rb") as reader, (tmp_path / "output").open("wb+") as output:
            async with other:
                job = asyncio.create_task(render(made, reader.fileno(), output.fileno()))
                await asyncio.sleep(2.5)
                assert not job.done()
            await job
        assert pyvips.Image.new_from_file(str(tmp_path / "output")).height == 200
    other.close()


async def test_whether_a_picture_is_still_to_be_made_is_asked_when_its_turn_has_come(tmp_path):
    asked = []

    async def begins(name, answer):
        asked.append(name)
        return answer

    async with pool() as made:
        (worker,) = workers()
        os.kill(worker, signal.SIGSTOP)
        with files(tmp_path) as (source, output, file):

            def job(name, answer):
                begin = partial(begins, name, answer)
                return asyncio.create_task(made.render(name, VISITOR, PLAN, source, output, None, None, None, begin))

            jobs = [job("first", True), job("made elsewhere", False), job("third", True)]
            await with_a_worker(made)
            assert asked == ["first"]
            os.kill(worker, signal.SIGCONT)
            results = await asyncio.gather(*jobs, return_exceptions=True)
            assert [type(result) for result in results] == [type(None), ElsewhereError, type(None)]
            assert pyvips.Image.new_from_file(str(file)).width == 300
        assert asked == ["first", "made elsewhere", "third"]
        assert made.jobs == 0


async def test_of_sizes_made_together_those_that_are_made_elsewhere_are_left_out(tmp_path):
    async def begins(answer):
        return answer

    async with pool() as made:
        with files(tmp_path) as (source, output, _):
            made_here = tmp_path / "here"
            with made_here.open("wb+") as here:

                def job(number, plan, into, answer):
                    begin = partial(begins, answer)
                    return made.render(f"job {number}", VISITOR, plan, source, into, None, "a file", None, begin)

                large = replace(PLAN, ideal=(450, 300))
                jobs = [job(1, PLAN, here.fileno(), True), job(2, large, output, False)]
                results = await asyncio.gather(*jobs, return_exceptions=True)
            assert [type(result) for result in results] == [type(None), ElsewhereError]
            assert pyvips.Image.new_from_file(str(made_here)).width == 300
            assert os.fstat(output).st_size == 0
        assert made.jobs == 0


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The file of a picture that needs much memory."""
    return write(corners(7000, 6000), tmp_path_factory.mktemp("large") / "large.jpg", interlace=True)


async def test_large_pictures_that_wait_for_another_process_keep_no_small_one_waiting(tmp_path, large):
    other = Alone(tmp_path / "alone")
    async with pool(workers=2, alone=tmp_path / "alone") as made:
        with large.open("rb") as reader, (tmp_path / "output").open("wb+") as output:
            async with other:
                waiting = [
                    asyncio.create_task(render(made, reader.fileno(), output.fileno(), Client(client)))
                    for client in ("anna", "anna", "ben", "carl")
                ]
                for client in ("dora", "anna"):
                    with files(tmp_path) as (source, into, file):
                        async with asyncio.timeout(120):
                            await render(made, source, into, Client(client))
                        assert pyvips.Image.new_from_file(str(file)).width == 300
                await until_all_wait(made, 4)
                await asyncio.sleep(0.5)
                assert not any(job.done() for job in waiting)
                assert (made.jobs, made.waiting) == (4, 4)
            await asyncio.gather(*waiting)
        assert made.jobs == 0
    other.close()


async def test_one_client_with_many_large_pictures_does_not_have_all_turns(tmp_path, large):
    other = Alone(tmp_path / "alone")
    async with pool(workers=2, queue=40, alone=tmp_path / "alone") as made:
        with large.open("rb") as reader, (tmp_path / "output").open("wb+") as output:
            done = []

            async def job(client):
                await render(made, reader.fileno(), output.fileno(), Client(client))
                done.append(client)

            async with other:
                waiting = [asyncio.create_task(job("anna")) for _ in range(4)]
                await until_all_wait(made, 4)
                waiting.append(asyncio.create_task(job("ben")))
                await until_all_wait(made, 5)
            await asyncio.gather(*waiting)
        assert done.index("ben") <= 2, "behind the one that has its turn, and one more"
    other.close()


async def until_all_wait(made, number):
    """Until so many large pictures wait for their turn."""
    async with asyncio.timeout(60):
        while len(made._turns._aside) < number:
            await asyncio.sleep(0.02)


async def test_a_large_picture_that_was_made_elsewhere_while_it_waited_is_not_made_again(tmp_path, large):
    is_missing = True

    async def begins():
        return is_missing

    other = Alone(tmp_path / "alone")
    async with pool(alone=tmp_path / "alone") as made:
        with large.open("rb") as reader, (tmp_path / "output").open("wb+") as output:

            def job(number):
                files = reader.fileno(), output.fileno(), None
                plan = replace(PLAN, ideal=(200 + number, 200))
                return made.render(f"job {number}", VISITOR, plan, *files, "a file", begin=begins)

            async with other:
                jobs = asyncio.gather(job(1), job(2), return_exceptions=True)
                await until_all_wait(made, 1)
                is_missing = False
            assert [type(problem) for problem in await jobs] == [ElsewhereError, ElsewhereError]
            assert os.fstat(output.fileno()).st_size == 0
        assert made.jobs == 0
    other.close()


async def test_large_pictures_whose_turn_does_not_come_are_told_to_come_again(tmp_path, large):
    other = Alone(tmp_path / "alone")
    async with pool(alone=tmp_path / "alone", patience=0.3) as made:
        with large.open("rb") as reader, (tmp_path / "output").open("wb+") as output:

            def job(number):
                name, plan = f"job {number}", replace(PLAN, ideal=(200 + number, 200))
                return made.render(name, VISITOR, plan, reader.fileno(), output.fileno(), None, "a file")

            async with other:
                problems = await asyncio.gather(job(1), job(2), return_exceptions=True)
                assert [type(problem) for problem in problems] == [BusyError, BusyError]
            assert made.jobs == 0
            await render(made, reader.fileno(), output.fileno())
    other.close()


async def test_sizes_of_a_large_picture_are_made_in_one_turn(tmp_path, large):
    lock = tmp_path / "alone"
    async with pool(alone=lock) as made:
        with large.open("rb") as reader, contextlib.ExitStack() as stack:
            outputs = [stack.enter_context((tmp_path / f"output{number}").open("wb+")) for number in range(3)]
            begun = []
            take = made.workers._large.taken_now

            def counted():
                begun.append(1)
                return take()

            made.workers._large.taken_now = counted

            def job(number):
                plan = replace(PLAN, ideal=(300 * (number + 1), 200 * (number + 1)))
                return made.render(
                    f"job {number}", VISITOR, plan, reader.fileno(), outputs[number].fileno(), None, "a file"
                )

            await asyncio.gather(*(job(number) for number in range(3)))
        assert len(begun) == 1
        assert pyvips.Image.new_from_file(str(tmp_path / "output2")).height == 600


async def test_who_waits_for_a_turn_may_leave(tmp_path, large):
    other = Alone(tmp_path / "alone")
    async with pool(alone=tmp_path / "alone") as made:
        with large.open("rb") as reader, (tmp_path / "output").open("wb+") as output:
            async with other:
                job = asyncio.create_task(render(made, reader.fileno(), output.fileno()))
                await asyncio.sleep(0.5)
                job.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await job
                assert made.jobs == 0
            await render(made, reader.fileno(), output.fileno())
    other.close()
