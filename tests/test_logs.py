import socket
import subprocess
import sys

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
