"""Large pictures take turns, among tasks and among processes, and a process that dies hands the turn on."""

import asyncio
import signal
import subprocess
import sys

import pytest

from pwgserve.render.alone import STAY_OUT_SECONDS, Alone, Turn

HOLDER = """
import asyncio, sys
from pathlib import Path
from pwgserve.render.alone import Alone
async def main():
    async with Alone(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_tasks_of_one_process_take_turns(tmp_path):
    lock, inside, most = Alone(tmp_path / "large"), 0, 0

    async def use():
        nonlocal inside, most
        async with lock:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(use() for _ in range(5)))
    assert most == 1
    lock.close()


async def test_another_process_waits_until_the_one_that_has_it_ends_in_whatever_way(tmp_path):
    file = tmp_path / "large"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True)
    lock = Alone(file)
    try:
        assert holder.stdout.readline() == "held\n"
        waiting = asyncio.create_task(lock.__aenter__())
        await asyncio.sleep(0.5)
        assert not waiting.done()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        async with asyncio.timeout(120):
            await waiting
        await lock.__aexit__(None, None, None)
    finally:
        holder.kill()
        holder.communicate()
        lock.close()


GREEDY = """
import asyncio, sys
from pathlib import Path
from pwgserve.render.alone import Alone
async def main():
    lock = Alone(Path(sys.argv[1]))
    async def pictures():
        while True:
            async with lock:
                print("held", flush=True)
                await asyncio.sleep(0.3)
    await asyncio.gather(pictures(), pictures())
asyncio.run(main())
"""


async def test_a_process_that_always_has_another_large_picture_lets_others_have_theirs(tmp_path):
    file = tmp_path / "large"
    greedy = subprocess.Popen([sys.executable, "-c", GREEDY, str(file)], stdout=subprocess.PIPE, text=True)
    lock = Alone(file)
    try:
        for _ in range(3):
            assert greedy.stdout.readline() == "held\n"
        async with asyncio.timeout(120):
            await lock.take()
        lock.give_back()
    finally:
        greedy.kill()
        greedy.communicate()
        lock.close()


async def test_a_folder_that_was_emptied_by_hand_has_one_lock_again(tmp_path):
    first, second = Alone(tmp_path / "large"), Alone(tmp_path / "large")
    async with first:
        pass
    (tmp_path / "large").unlink()
    await asyncio.sleep(STAY_OUT_SECONDS)
    async with second:
        assert not first.taken_now()
    first.close()
    second.close()


async def test_a_folder_where_another_disk_was_mounted_has_one_lock_again(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    first, second = Alone(folder / "large"), Alone(folder / "large")
    async with first:
        pass
    folder.rename(tmp_path / "hidden")
    folder.mkdir()
    await asyncio.sleep(STAY_OUT_SECONDS)
    async with second:
        assert not first.taken_now()
    first.close()
    second.close()


async def test_what_can_be_had_at_once_is_not_waited_for(tmp_path):
    lock = Alone(tmp_path / "large")
    turns = [Turn(lock) for _ in range(3)]
    assert turns[0].taken_now()
    assert turns[0].taken_now(), "it has it already"
    assert not turns[1].taken_now()
    with pytest.raises(TimeoutError):
        await turns[1].wait("ben", 0.1)
    waiting = asyncio.create_task(turns[2].wait("carl", 60))
    await asyncio.sleep(0)
    turns[1].end()
    turns[0].end()
    assert not turns[1].taken_now(), "another one has waited for longer"
    await waiting
    turns[2].end()
    lock.close()


async def test_clients_take_turns_however_many_large_pictures_one_of_them_has(tmp_path):
    lock, order = Alone(tmp_path / "large"), []

    async def use(client):
        await lock.take(client)
        order.append(client)
        lock.give_back()

    await lock.take()
    users = [asyncio.create_task(use(client)) for client in ("anna", "anna", "anna", "ben", "carl", "ben")]
    await asyncio.sleep(0)
    users[3].cancel()
    lock.give_back()
    async with asyncio.timeout(20):
        await asyncio.gather(*users, return_exceptions=True)
    assert order == ["anna", "carl", "anna", "ben", "anna"]
    lock.close()


async def test_who_leaves_in_the_moment_of_being_called_calls_the_next(tmp_path):
    lock = Alone(None)
    await lock.take()
    first, second = (asyncio.create_task(lock.take(client)) for client in ("anna", "ben"))
    await asyncio.sleep(0)
    lock.give_back()
    first.cancel()
    async with asyncio.timeout(20):
        await second
    lock.give_back()
    assert lock.taken_now()


async def test_who_leaves_the_line_calls_nobody_while_another_one_has_it():
    lock = Alone(None)
    await lock.take()
    first, second = (asyncio.create_task(lock.take(client)) for client in ("anna", "ben"))
    await asyncio.sleep(0)
    first.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert first.cancelled() and not second.done()
    lock.give_back()
    async with asyncio.timeout(20):
        await second


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next(tmp_path):
    first, second = Alone(tmp_path / "large"), Alone(tmp_path / "large")
    async with first:
        waiting = asyncio.create_task(second.__aenter__())
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
    async with asyncio.timeout(120), second:
        pass
    first.close()
    second.close()


async def test_a_folder_where_nothing_can_be_locked_is_no_reason_to_stop(tmp_path):
    async with asyncio.timeout(120), Alone(tmp_path / "missing/large"):
        pass
