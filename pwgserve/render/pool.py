"""Keeps worker processes and gives them jobs: a bounded queue, a time limit, and a new worker for one that dies.

The daemon's side of rendering; what happens inside a worker is in `worker` and `engine`.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from dataclasses import dataclass

import structlog

from pwgserve.render.plan import RenderPlan
from pwgserve.render.worker import MAX_MESSAGE

START_SECONDS = 30.0
JOBS_OF_A_WORKER = 1000
"""After so many pictures a worker is replaced: what its libraries leak, or an attacker left in it, ends with it."""

_log = structlog.get_logger("render")


class BusyError(Exception):
    """The queue is full: the visitor should come again in a moment."""


class UnrenderableError(Exception):
    """The picture cannot be rendered; the message says why, for the log."""


class RenderFailedError(Exception):
    """The rendering failed for a reason that may pass: a worker died, or the disk is full."""


@dataclass
class _Worker:
    """A running worker process and our end of its socket."""

    process: asyncio.subprocess.Process
    jobs: socket.socket
    done: int = 0


class RenderPool:
    """Up to `workers` processes, started when first needed. `timeout`: seconds that one rendering may take."""

    def __init__(
        self, workers: int, queue: int, timeout: float, max_pixels: int, jobs_of_a_worker: int = JOBS_OF_A_WORKER
    ) -> None:
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[_Worker] = []
        self._limit = workers + queue
        self._timeout = timeout
        self._max_pixels = max_pixels
        self._jobs_of_a_worker = jobs_of_a_worker
        self._jobs = 0

    @property
    def jobs(self) -> int:
        """How many renderings are under way or waiting."""
        return self._jobs

    async def start(self) -> None:
        """Start one worker, so that a broken installation is found now and not at the first picture."""
        self._idle.append(await self._started())

    async def close(self) -> None:
        """End all idle workers; none is busy once all requests have ended."""
        while self._idle:
            await self._end(self._idle.pop())

    async def render(self, plan: RenderPlan, source: int, output: int, watermark: int | None) -> None:
        """Render the picture in descriptor `source` into descriptor `output`; the caller closes them.

        Raises BusyError, UnrenderableError and RenderFailedError.
        """
        if self._jobs >= self._limit:
            raise BusyError
        self._jobs += 1
        try:
            async with self._slots:
                await self._render(plan, [source, output] + ([] if watermark is None else [watermark]))
        finally:
            self._jobs -= 1

    async def _render(self, plan: RenderPlan, descriptors: list[int]) -> None:
        worker = self._idle.pop() if self._idle else await self._started()
        message = json.dumps({"plan": plan.to_json(), "max_pixels": self._max_pixels}).encode()
        try:
            async with asyncio.timeout(self._timeout):
                socket.send_fds(worker.jobs, [message], descriptors)
                answer = await _answer(worker)
        except TimeoutError as error:
            await self._end(worker)
            raise UnrenderableError(f"took longer than {self._timeout:g} s (render.timeout)") from error
        except (OSError, ValueError, TypeError) as error:
            await self._end(worker)
            raise RenderFailedError("the worker process ended in the middle of the picture") from error
        except asyncio.CancelledError:
            await self._end(worker)
            raise
        worker.done += 1
        if worker.done < self._jobs_of_a_worker:
            self._idle.append(worker)
        else:
            await self._end(worker)
        if "unrenderable" in answer:
            raise UnrenderableError(str(answer["unrenderable"]))
        if "failed" in answer:
            raise RenderFailedError(str(answer["failed"]))

    async def _started(self) -> _Worker:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "pwgserve.render.worker",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=_environment(),
                # A Ctrl-C in the daemon's terminal is for the daemon, which ends its workers when their work is done.
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        worker = _Worker(process, ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                await _answer(worker)
        except (OSError, ValueError, TimeoutError) as error:
            await self._end(worker)
            raise RenderFailedError("a worker process did not start; is pyvips-binary installed?") from error
        except asyncio.CancelledError:
            await self._end(worker)
            raise
        return worker

    async def _end(self, worker: _Worker) -> None:
        worker.jobs.close()
        if worker.process.returncode is None:
            worker.process.kill()
        await worker.process.wait()


async def _answer(worker: _Worker) -> dict[str, object]:
    received = await asyncio.get_running_loop().sock_recv(worker.jobs, MAX_MESSAGE)
    return dict(json.loads(received))


def _environment() -> dict[str, str]:
    """What a worker inherits: enough to find Python and its libraries, and nothing of the daemon's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
    # Several workers share the cores; threads inside of each would only compete. Arenas are memory never given back.
    return kept | {"VIPS_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}
