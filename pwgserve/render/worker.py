"""The process that renders: takes jobs from a socket, one at a time, and ends when the socket closes.

It is started afresh (no memory of the daemon is inherited), holds no key and no connection, and gets every file as an
open descriptor. The daemon's side of the conversation is in `pool`.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import sys

from pwgserve.render import engine
from pwgserve.render.plan import RenderPlan

MAX_MESSAGE = 65_536
MAX_DESCRIPTORS = 3


MAX_OPEN_FILES = 64
_PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Serve jobs on the socket whose descriptor is the only argument."""
    _give_up_rights()
    engine.confine()
    with socket.socket(fileno=int(sys.argv[1])) as jobs:
        jobs.send(b'{"ready":true}')
        while True:
            message, descriptors, _, _ = socket.recv_fds(jobs, MAX_MESSAGE, MAX_DESCRIPTORS)
            if not message:
                return
            try:
                answer = _rendered(json.loads(message), descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            jobs.send(json.dumps(answer).encode())


def _give_up_rights() -> None:
    """What a decoder never needs: core dumps (of private photos), many files, programs with more rights than ours."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _rendered(job: dict[str, object], descriptors: list[int]) -> dict[str, object]:
    source, output = descriptors[:2]
    watermark = descriptors[2] if len(descriptors) > 2 else None
    try:
        plan = RenderPlan.from_json(str(job["plan"]))
        done = engine.render(plan, source, output, watermark, int(str(job["max_pixels"])))
    except engine.UnrenderableError as error:
        return {"unrenderable": str(error)}
    except OSError as error:
        return {"failed": error.strerror or type(error).__name__}
    return {"size": done.size}


if __name__ == "__main__":
    main()
