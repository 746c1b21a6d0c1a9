"""A server process before it knows what to serve: it loads its code, and waits for its orders.

The service's first one begins before the service itself has loaded its code, so that this module loads next to nothing.
What becomes of a recruit is in `process`; its own side is in `entry`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pwgserve.problems import OwnerError
from pwgserve.service import systemd

COMMAND = ("-P", "-m", "pwgserve.service.entry")
"""What Python is started with to be a server process."""

MAX_ORDERS, MAX_DESCRIPTORS = 65_536, 64
"""Bytes of orders, and how many open files come with them."""


class StartError(OwnerError):
    """A server process cannot serve; the message is its own word why, for the owner."""


@contextlib.contextmanager
def cannot_start() -> Iterator[None]:
    """Makes a StartError of what the system refuses within its block."""
    try:
        yield
    except OSError as error:
        raise StartError(f"a server process cannot be started: {error.strerror}") from error


@dataclass(frozen=True)
class Recruit:
    """A process that waits for orders. `begin` makes one."""

    process: asyncio.subprocess.Process
    _orders: socket.socket

    @classmethod
    async def begin(cls) -> Recruit:
        """Start a process afresh, so that it has the code that is installed now. Raises StartError."""
        with cannot_start():
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *COMMAND,
                    json.dumps({"parent": os.getpid(), "orders": theirs.fileno()}),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env={name: value for name, value in os.environ.items() if name not in systemd.VARIABLES},
                    # A Ctrl-C in the terminal is for the supervisor, which lets processes finish. The session is the
                    # same for all: Linux shares the processor among sessions first (docs/decisions/0034).
                    process_group=0,
                )
            return cls(process, ours)

    def order(self, orders: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Tell it what to do, once. One that has ended meanwhile hears nothing, which its end will show."""
        with self._orders, contextlib.suppress(ConnectionError):
            socket.send_fds(self._orders, [json.dumps(orders).encode()], descriptors)

    async def dismiss(self) -> None:
        """End it, unless it has its orders."""
        if self._orders.fileno() < 0:
            return
        self._orders.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


def orders(waiting: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """A recruit's orders, and the open files that come with them; waits for them. None when there will be none."""
    with waiting:
        message, descriptors, _, _ = socket.recv_fds(waiting, MAX_ORDERS, MAX_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return (json.loads(message), descriptors) if message else None
