"""The process that renders: takes jobs from a socket, one at a time, and ends when the socket closes.

It is started afresh (no memory of the daemon is inherited), holds no key and no connection, gets every file as an open
descriptor, and confines itself before it sees the first one. The daemon's side of the conversation is in `workers`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from pwgserve.render import engine, sandbox
from pwgserve.render.limits import GO, MAX_MESSAGE, MEGABYTE, Limits
from pwgserve.render.plan import RenderPlan
from pwgserve.render.sharing import Shared

DESCRIPTORS = ("source", "output", "watermark", "larger")
"""What a job may come with, in this order; its `has` names those that there are."""

KEPT = 64 * MEGABYTE
"""Memory beyond what it started with that a worker keeps from one picture to the next: what most photos take again."""


class _LaterError(Exception):
    """Others are rendering large pictures: the daemon will ask again."""


def main() -> None:
    """Serve jobs on a socket. The only argument is JSON: `socket` (its descriptor), `parent`, and as in PoolSettings
    `sandbox`, `limits` and `idle`."""
    given = json.loads(sys.argv[1])
    limits = Limits(**given["limits"])
    sandbox.end_with_parent(given["parent"])
    engine.confine()
    with socket.socket(fileno=given["socket"]) as jobs, Path("/proc/self/statm").open("rb", buffering=0) as memory:
        # The kernel's own time limit: it needs no system call that a confined worker would have to be allowed.
        jobs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", given["idle"], 0))
        encodings: list[str] = []
        try:
            protections = sandbox.enter(given["sandbox"], limits.max_memory, lambda: encodings.extend(engine.warm_up()))
        except (sandbox.SandboxError, engine.UnrenderableError) as error:
            jobs.send(json.dumps({"failed": str(error)}).encode())
            return
        jobs.send(json.dumps({"ready": protections.told(), "encodings": encodings}).encode())
        at_start = _resident(memory.fileno())
        shared: Shared | None = None
        group = None
        for message, descriptors in _jobs(jobs):
            job = json.loads(message)
            files = dict(zip(job["has"], descriptors, strict=True))
            if group is None or job.get("group") != group:
                if shared:
                    shared.end()
                group = job.get("group")
                plans = [RenderPlan.from_json(plan) for plan in job.get("together", ())]
                shared = Shared(plans, threads=job["threads"]) if plans else None
            larger = Shared([RenderPlan.from_json(job["larger"])], files["larger"]) if "larger" in files else None
            try:
                answer = _rendered(job, files, limits, jobs, larger or shared)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            if job.get("is_last", True) or "later" in answer:
                # Only now does it tell what this process keeps for good.
                if shared:
                    shared.end()
                shared = group = None
                if _resident(memory.fileno()) > at_start + KEPT:
                    _give_back_memory()
                answer |= {"memory": _resident(memory.fileno())}
            jobs.send(json.dumps(answer).encode())


def _jobs(daemon: socket.socket) -> Iterator[tuple[bytes, list[int]]]:
    """Jobs as they come, with their descriptors, until the socket closes.

    Memory that was kept for the next picture is given back when none has come for a while.
    """
    has_kept = False
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(daemon, MAX_MESSAGE, len(DESCRIPTORS))
        except BlockingIOError:
            if has_kept:
                has_kept = False
                _give_back_memory()
            continue
        if not message:
            return
        yield message, descriptors
        has_kept = True


def _rendered(
    job: dict[str, object],
    files: dict[str, int],
    limits: Limits,
    jobs: socket.socket,
    shared: Shared | None,
) -> dict[str, object]:
    """The answer to a job: what became of it, empty when the picture was made."""

    def ask(needed: int) -> None:
        # The daemon knows what else is being rendered: a large picture waits until it says so.
        jobs.send(json.dumps({"needs": needed}).encode())
        while True:
            with contextlib.suppress(BlockingIOError):
                received = jobs.recv(MAX_MESSAGE)
                if not received:
                    raise SystemExit(0)
                if received != GO:
                    raise _LaterError
                return

    try:
        plan = RenderPlan.from_json(str(job["plan"]))
        engine.render(plan, files["source"], files["output"], files.get("watermark"), limits, ask, shared)
    except engine.UnrenderableError as error:
        return {"unrenderable": str(error)}
    except _LaterError:
        return {"later": True}
    except MemoryError:
        return {"unrenderable": "needs more memory than render.max_memory allows"}
    except OSError as error:
        return {"failed": error.strerror or type(error).__name__}
    return {}


def _give_back_memory() -> None:
    """Return what the allocator keeps for later: the next picture may be small, and other processes need it."""
    trim = getattr(_libc, "malloc_trim", None)  # only glibc has it
    if trim is not None:
        trim(0)


def _resident(statm: int) -> int:
    """Bytes of memory that this process has, from its open /proc/self/statm."""
    return int(os.pread(statm, 100, 0).split()[1]) * resource.getpagesize()


_libc = ctypes.CDLL(None)

if __name__ == "__main__":
    main()
