"""What a server process tells its supervisor, along a pipe: that it is ready or why not, and signs of life.

One line for each report: JSON, or an empty one that only says "alive".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os

BEAT_SECONDS = 1.0
"""How often a process whose event loop runs says that it is alive."""

_ALIVE = b"\n"


class Reports:
    """A server process's end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # A supervisor that does not listen must not hold up visitors.
        os.set_blocking(descriptor, False)

    def ready(self, protections: str) -> None:
        """Say that visitors are served. protections: how workers are confined, in words."""
        self._tell(json.dumps({"ready": protections}).encode() + b"\n")

    def problem(self, message: str) -> None:
        """Say why this process cannot serve, in one line for the owner."""
        self._tell(json.dumps({"problem": message}).encode() + b"\n")

    async def beat(self) -> None:
        """Give signs of life until cancelled."""
        while True:
            self._tell(_ALIVE)
            await asyncio.sleep(BEAT_SECONDS)

    def _tell(self, line: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._descriptor, line)


def parse(line: bytes) -> tuple[str | None, str | None]:
    """What a line says: (protections when ready, problem). Raises ValueError for what no process of ours says."""
    if line == _ALIVE:
        return None, None
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError("not a report")  # noqa: TRY004 (of what came, not of how we were called)
    ready, problem = content.get("ready"), content.get("problem")
    return (None if ready is None else str(ready)), (None if problem is None else str(problem))
