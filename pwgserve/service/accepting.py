"""Takes connections from the listening sockets, so that all server processes hold about equally many.

A proxy keeps its connections for hours: were they left to whichever process is quickest, one process could hold all of
them while the others idle. What happens on a connection is in `serving`.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from pwgserve.service.share import Share

HESITATION = 0.001
"""Seconds for which a process with more connections than another lets that other one be first."""

SHORTAGE_PAUSE = 0.1
"""Seconds until the next try after the system refused one more connection (out of descriptors, out of memory)."""

COMPLAIN_SECONDS = 60.0
"""How often at most the owner is told of that."""

_CELL = 4
"""Bytes of a count."""

_log = structlog.get_logger("serving")


class Counts:
    """How many connections each of the server processes holds, in memory that they share. They may be a little old."""

    def __init__(self, share: Share) -> None:
        self._number = share.number
        self._cells = memoryview(bytearray(_CELL)).cast("I") if share.folder is None else _shared(share)
        self.tell(0)

    def tell(self, count: int) -> None:
        """Say how many this process holds."""
        self._cells[self._number] = count

    def is_ahead(self) -> bool:
        """Whether another process holds fewer."""
        return self._cells[self._number] > min(self._cells)


class Accepting:
    """Takes connections from one listening socket until closed. take: is given each of them, and awaited."""

    def __init__(
        self, listener: socket.socket, counts: Counts, take: Callable[[socket.socket], Coroutine[Any, Any, object]]
    ) -> None:
        self._listener = listener
        self._counts = counts
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._complained = -COMPLAIN_SECONDS
        self._taking: set[asyncio.Task[object]] = set()
        self._loop.add_reader(listener, self._offered)

    def close(self) -> None:
        """Take no more, and close the socket for this process."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _offered(self) -> None:
        if self._counts.is_ahead():
            self._wait(HESITATION)
        else:
            self._accept()

    def _wait(self, seconds: float) -> None:
        """Look away for a while, then take what is still there."""
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(seconds, self._look_again)

    def _look_again(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._offered)
        self._accept()

    def _accept(self) -> None:
        """Take one connection, if another process has not: one at a time, so that a burst is shared, too."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            if self._loop.time() - self._complained > COMPLAIN_SECONDS:
                self._complained = self._loop.time()
                _log.warning(
                    "connections-wait", problem=f"{error.strerror}; raise LimitNOFILE or lower max_connections"
                )
            self._wait(SHORTAGE_PAUSE)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._take(connection))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)


def _shared(share: Share) -> memoryview[int]:
    assert share.folder is not None
    descriptor = os.open(share.folder / "connections", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = share.processes * _CELL
        if os.fstat(descriptor).st_size < size:  # never shorter: processes that leave after a reload may have had more
            os.ftruncate(descriptor, size)
        return memoryview(mmap.mmap(descriptor, size)).cast("I")
    finally:
        os.close(descriptor)
