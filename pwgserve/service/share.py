"""Which of several server processes a process is, and its part of what the machine has once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pwgserve.render import machine

_PROCESS = 120_000_000
"""Bytes of memory that a server process has of its own once it has served for a while."""

_MEMORY_SHARE = 4
"""Server processes take at most this part of the memory: pictures, database and PHP need the most of it."""


@dataclass(frozen=True)
class Share:
    """The server process `number` (from 0) of `processes` on this machine.

    folder: private to all of them, where they tell each other their numbers; None for a process that is alone.
    """

    number: int
    processes: int
    folder: Path | None = None

    def of(self, total: int) -> int:
        """This process's part: all parts together are the total, but each is at least 1."""
        return max(1, total // self.processes + (self.number < total % self.processes))


ALL = Share(0, 1)
"""Of a process that is the only one."""


def processes(configured: int) -> int:
    """How many server processes there are, given `server.processes`."""
    return configured or processes_for(machine.cores(), machine.memory())


def processes_for(cores: int, memory: int) -> int:
    """How many server processes a machine takes (memory in bytes), when the owner has not said."""
    return max(1, min(cores, memory // _MEMORY_SHARE // _PROCESS))
