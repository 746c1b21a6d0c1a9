"""The sockets that visitors connect to: opened once by the supervisor, shared by all server processes.

Whose word about a visitor counts is in `pwgserve.http.visitor`; what happens on a connection, in `serving`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

from pwgserve.problems import OwnerError
from pwgserve.settings import Listen

BACKLOG = 1024
"""Connections that wait until a process takes them; the kernel's own limit may be lower."""

RECEIVED = 32_768
"""Bytes of a connection that the kernel keeps until they are read, twice that with its own. No request needs as much at
once, and whatever is there is read together, before anybody has looked how long its head is."""


class ListenError(OwnerError):
    """The address cannot be listened on; the message says why and what to do."""


def listeners(address: str) -> Sequence[socket.socket]:
    """Sockets that listen on `server.listen`: one, or one for each address of a name. Raises ListenError. Blocks."""
    listen = Listen.parse(address)
    with contextlib.ExitStack() as stack:
        try:
            found = [_unix(Path(listen.path), stack)] if listen.path else _tcp(listen.host, listen.port, stack)
        except (OSError, ValueError) as error:  # a name that no host can have is a ValueError
            number = error.errno if isinstance(error, OSError) else None
            reason = os.strerror(number) if number and number > 0 else str(error)
            raise ListenError(f"server.listen: cannot listen on {address}: {reason}; choose another address") from error
        stack.pop_all()
        return found


def _tcp(host: str, port: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found = []
    for family, kind, protocol, _, address in dict.fromkeys(addresses):
        listener = stack.enter_context(socket.socket(family, kind, protocol))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
        if family == socket.AF_INET6:
            # As its own address only: 0.0.0.0 may be another program's.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        found.append(_listening(listener))
    return found


def _unix(path: Path, stack: contextlib.ExitStack) -> socket.socket:
    _remove_dead(path)
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(path))
    # Its folder says who may reach it: whoever can, is a proxy whose word counts.
    path.chmod(0o660)
    return _listening(listener)


def _listening(listener: socket.socket) -> socket.socket:
    listener.setblocking(False)
    listener.listen(BACKLOG)
    return listener


def _remove_dead(path: Path) -> None:
    """Remove a socket at which nobody listens any more; one that is alive stays, and makes `bind` fail."""
    with contextlib.suppress(OSError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
        with socket.socket(socket.AF_UNIX) as visitor:
            try:
                visitor.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
