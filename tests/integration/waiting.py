"""Waiting for what will happen, however busy the machine is."""

import time
from collections.abc import Callable

SECONDS = 120.0
"""Only so that what never happens is told: no test waits for it otherwise."""


def until(happened: Callable[[], object], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
