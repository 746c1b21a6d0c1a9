"""What systemd hands to a service and wants to hear from it: sockets; readiness and signs of life.

Without systemd all of it is absent, and nothing is said.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence

FIRST_DESCRIPTOR = 3
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""Those of the environment that are meant for the service's first process only."""


def sockets() -> Sequence[socket.socket]:
    """The listening sockets that systemd opened for this process (socket activation), none without it."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    found = []
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count):
        os.set_inheritable(descriptor, False)
        found.append(socket.socket(fileno=descriptor))
        found[-1].setblocking(False)
    return found


def watchdog_seconds() -> float | None:
    """How long systemd waits for a sign of life before it kills the service; None when it does not."""
    wanted = os.environ.get("WATCHDOG_USEC")
    if wanted is None or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(wanted) / 1_000_000


def runtime_folder() -> str | None:
    """The service's private folder in memory, None without systemd."""
    return os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or None


def notify(*assignments: str) -> None:
    """Tell systemd something: "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1", "STATUS=…"."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.setblocking(False)
        out.sendto("\n".join(assignments).encode(), address)
