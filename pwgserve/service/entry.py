"""The server process: what `python -m pwgserve.service.entry` does. Started by `recruit`, never by a person.

It ends with its supervisor, in whatever way that ends, so that no process ever serves that nobody watches.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import socket
import sys
import termios
from pathlib import Path

from pwgserve import loading
from pwgserve.render import sandbox

WRONG = 2


def main() -> None:
    """Load all code, wait for orders, and serve. The only argument is JSON, see `Recruit.begin`."""
    given = json.loads(sys.argv[1])
    sandbox.end_with_parent(given["parent"])
    _leave_terminal()
    # All that a server process needs, which takes a while; with its supervisor gone, it must not even start.
    with loading.for_serving():
        import uvloop

        from pwgserve import logs, settings_file
        from pwgserve.problems import OwnerError
        from pwgserve.service import recruit
        from pwgserve.service.reports import Reports
        from pwgserve.service.serving import serve
        from pwgserve.service.share import Share

    # To look for garbage after every 700 new objects, as is usual, takes 3 % of the time: there are many, and next to
    # none of them refers to itself.
    gc.set_threshold(10_000, 20, 50)
    # Nothing that it holds is inherited: a worker that takes pictures must not take visitors.
    told = recruit.orders(socket.socket(fileno=given["orders"]))
    if told is None:
        return
    orders, (reporting, configuration, *listening) = told
    reports = Reports(reporting)
    try:
        with os.fdopen(configuration, "rb") as file:
            found = settings_file.parse(os.pread(file.fileno(), 1 << 24, 0).decode(), orders["source"])
        logs.configure(found.log.level, found.log.format)
        share = Share(orders["number"], orders["processes"], Path(orders["folder"]))
        listeners = [socket.socket(fileno=descriptor) for descriptor in listening]
        uvloop.run(serve(found, listeners, share, reports))
    except OwnerError as error:
        reports.problem(str(error))
        sys.exit(WRONG)


def _leave_terminal() -> None:
    """Give up the terminal in which the service was started by hand, if it was.

    Workers are started without one, so that a hostile picture finds none to type into, and what this process logs never
    stops it (`stty tostop`).
    """
    with contextlib.suppress(OSError):  # there is none
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(terminal, termios.TIOCNOTTY)
        finally:
            os.close(terminal)


if __name__ == "__main__":
    main()
