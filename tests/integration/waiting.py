"""Waiting for what will happen, however busy the machine is."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 120.0
"""Only so that what never happens is told: no test waits for it otherwise."""


def until(happened: Callable[[], object], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process goes on. One that has ended may be there for ever: not every container's first process asks."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
