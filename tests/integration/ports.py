"""Ports for the servers of tests."""

import itertools
import os
import random
import socket
import zlib
from collections.abc import Iterator

FIRST, END = 10_100, 32_768
"""Below those that the kernel gives to clients, and to who asks for any: there a port that is free now may be a
client's before a server has it, or even a client's that waits for the very server. Above 10,080, the last one that
browsers refuse to open."""

PARTS = 64
"""Each process that runs tests has one, also beside those of another run on the same machine."""


def _ports() -> Iterator[int]:
    """All of this process, each once, from anywhere on: tests that run beside this process have others."""
    run = zlib.crc32(os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid())).encode())
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = range(FIRST + (run + worker) % PARTS, END, PARTS)
    start = random.randrange(len(mine))
    return itertools.cycle([*mine[start:], *mine[:start]])


_mine = _ports()


def free_port() -> int:
    """A port of 127.0.0.1 at which nobody listens, and which nothing else will get by chance."""
    for port in _mine:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("there is no free port")
