import contextlib
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

LOGGING = """
import structlog
from pwgserve import logs
logs.configure("info", "text")
structlog.get_logger("test").info("one", number=1)
structlog.get_logger("test").info("two", number=2)
"""


def test_a_line_is_written_in_one_piece_so_that_those_of_several_processes_do_not_mix():
    """Each write to a socket of datagrams arrives as one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        subprocess.run([sys.executable, "-c", LOGGING], stderr=theirs, check=True, timeout=60)
        ours.settimeout(60)
        written = [ours.recv(65536) for _ in range(2)]
        assert [line.count(b"\n") for line in written] == [1, 1]
        assert b"event=one number=1\n" in written[0]
        assert b"event=two number=2\n" in written[1]


FORGOTTEN = """
import asyncio
from pwgserve import logs

async def fail():
    raise ValueError("/private/path")

async def main():
    logs.watch(asyncio.get_running_loop())
    asyncio.create_task(fail())
    await asyncio.sleep(0.01)

logs.configure("info", "text")
asyncio.run(main())
"""


def test_an_error_that_nobody_waited_for_is_told_with_its_task_and_without_its_message():
    told = subprocess.run([sys.executable, "-c", FORGOTTEN], capture_output=True, text=True, check=True, timeout=60)
    assert "event=unexpected-error error=ValueError" in told.stderr
    assert "never retrieved fail" in told.stderr
    assert "private" not in told.stderr


MORE_THAN_ANYBODY_TAKES = """
import structlog
from pwgserve import logs
logs.configure("info", "text")
log = structlog.get_logger("test")
for number in range(15_000):
    log.info("line", number=number)
print("all told", flush=True)
while logs._lines.waiting:
    input()
log.info("after")
"""


def test_lines_that_nobody_took_are_lost_and_their_number_is_told():
    command = [sys.executable, "-c", MORE_THAN_ANYBODY_TAKES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"all told\n"  # though the pipe has room for some hundred only
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(process.stderr.read)
            while process.poll() is None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(b"\n")
                    process.stdin.flush()
                time.sleep(0.01)
            lines = told.result().decode().splitlines()
    there = sum("event=line" in line for line in lines)
    (lost,) = (int(line.rpartition("lines=")[2]) for line in lines if "event=log-lines-lost" in line)
    assert there + lost == 15_000
    assert lost > 1_000
