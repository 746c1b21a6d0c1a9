"""Large pictures take turns, among tasks and among processes, and a process that dies hands the turn on."""

import asyncio
import signal
import subprocess
import sys

from pwgserve.render.alone import Alone

HOLDER = """
import asyncio, sys
from pathlib import Path
from pwgserve.render.alone import Alone
async def main():
    async with Alone(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.sleep(60)
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
        async with asyncio.timeout(20):
            await waiting
        await lock.__aexit__(None, None, None)
    finally:
        holder.kill()
        holder.communicate()
        lock.close()


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next(tmp_path):
    first, second = Alone(tmp_path / "large"), Alone(tmp_path / "large")
    async with first:
        waiting = asyncio.create_task(second.__aenter__())
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(20), second:
        pass
    first.close()
    second.close()


async def test_a_folder_where_nothing_can_be_locked_is_no_reason_to_stop(tmp_path):
    async with Alone(tmp_path / "missing/large"), asyncio.timeout(20):
        pass
