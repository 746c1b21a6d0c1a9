"""Keeps worker processes and gives them jobs: a fair, bounded queue, a time limit, and a new worker for one that dies.

The daemon's side of rendering. Whose turn it is says `turns`; what happens inside a worker is in `worker`, `engine` and
`sandbox`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from pwgserve.problems import OwnerError
from pwgserve.render.alone import Alone
from pwgserve.render.limits import MEGABYTE, Limits
from pwgserve.render.plan import RenderPlan
from pwgserve.render.turns import Client, Turns
from pwgserve.render.worker import MAX_MESSAGE

START_SECONDS = 30.0
GATHER_SECONDS = 0.005
"""For how long a free worker waits for further sizes of the same picture: a page asks for several in one moment."""

MAX_TOGETHER = 16
"""How many sizes of one picture are made in one go, before others have their turn."""

MAX_REASON = 200
"""Characters of a reason that a worker gives: it may be a hostile picture's worker, and its word goes into the log."""

GROWTH = 64 * MEGABYTE
"""A worker that has this much more memory than after its first picture is replaced."""

COMMAND = ("-P", "-m", "pwgserve.render.worker")
"""What Python is started with to be a worker."""

_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
"""Signals that somebody sent (the kernel, when memory is short). A process that dies of others did so itself."""

ENDINGS = ("timeout", "crash", "killed", "age", "growth")
"""Why workers end, see `RenderPool.ended`."""

_log = structlog.get_logger("render")


class BusyError(Exception):
    """The queue is full: the visitor should come again in a moment."""


class UnrenderableError(Exception):
    """The picture cannot be rendered; the message says why, for the log."""


class RenderFailedError(OwnerError):
    """The rendering failed for a reason that may pass: a worker was killed, or cannot be started."""


@dataclass(frozen=True)
class PoolSettings:
    """How many and which workers.

    timeout: seconds for one picture. sandbox: as in `sandbox.enter`. jobs_of_a_worker: after so many pictures one is
    replaced: what its libraries leak, or an attacker left in it, ends with it. alone: as in `alone.Alone`.
    """

    workers: int
    queue: int
    timeout: float
    limits: Limits
    sandbox: str = "best-effort"
    jobs_of_a_worker: int = 1000
    alone: Path | None = None


@dataclass
class _Worker:
    """A running worker process and our end of its socket."""

    process: asyncio.subprocess.Process
    jobs: socket.socket
    protections: str = ""
    encodings: frozenset[str] = frozenset()
    done: int = 0
    first_memory: int = 0


@dataclass
class _Job:
    """A rendering that somebody waits for. file: what the sizes of one picture have in common, None for nothing."""

    name: str
    plan: RenderPlan
    source: int
    output: int
    watermark: int | None
    file: Hashable
    done: asyncio.Future[None]
    group: asyncio.Task[None] | None = None
    together: Sequence[_Job] = ()

    @property
    def descriptors(self) -> list[int]:
        return [self.source, self.output] + ([] if self.watermark is None else [self.watermark])


class RenderPool:
    """Up to `settings.workers` processes, and one more for a second client, started when first needed.

    workers: how many there are. ended: how many have ended, by reason: a picture that took too long (`timeout`), a
    decoder that crashed (`crash`), somebody who killed it (`killed`), its age (`age`), its memory (`growth`).
    """

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._idle: list[_Worker] = []
        self._turns = Turns(settings.workers, settings.queue)
        self._jobs: dict[str, _Job] = {}
        # A job that is tried again has its name while the group of its first attempt may still be at work.
        self._attempts: dict[str, str] = {}
        self._calling: asyncio.TimerHandle | None = None
        self._groups = itertools.count(1)
        # Pictures that need much memory are rendered one at a time, whatever the number of workers and processes.
        self._large = Alone(settings.alone)
        self.protections = ""
        self.encodings: frozenset[str] = frozenset()
        self.workers = 0
        self.ended: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """How many renderings wait for their turn."""
        return self._turns.waiting

    @property
    def jobs(self) -> int:
        """How many renderings are under way or waiting."""
        return len(self._turns)

    async def start(self) -> None:
        """Start one worker, so that a broken installation is found now and not at the first picture.

        Raises RenderFailedError.
        """
        worker = await self._started()
        self.protections, self.encodings = worker.protections, worker.encodings
        self._idle.append(worker)

    async def close(self) -> None:
        """End all idle workers; none is busy once all requests have ended."""
        while self._idle:
            await self._end(self._idle.pop())
        self._large.close()

    def join(self, job: str, client: Client) -> None:
        """Another client wants a rendering that is under way or waiting, too."""
        self._turns.join(self._attempts.get(job, job), client)

    async def render(
        self,
        job: str,
        client: Client,
        plan: RenderPlan,
        source: int,
        output: int,
        watermark: int | None,
        file: Hashable = None,
    ) -> None:
        """Render the picture in descriptor `source` into descriptor `output`; the caller closes them.

        job: names the rendering; one with this name at a time. file: the same for renderings of the same version of the
        same file, of which those that wait together are made together. Raises BusyError, UnrenderableError and
        RenderFailedError.
        """
        if os.fstat(source).st_size > self._settings.limits.max_source:
            raise UnrenderableError("its file is larger than render.max_source allows")
        attempt = f"{job} {next(self._groups)}"
        if not self._turns.add(attempt, client):
            raise BusyError
        loop = asyncio.get_running_loop()
        waiting = self._jobs[attempt] = _Job(attempt, plan, source, output, watermark, file, loop.create_future())
        self._attempts[job] = attempt
        try:
            if file is None:
                self._call()
            elif self._calling is None:
                self._calling = loop.call_later(GATHER_SECONDS, self._call)
            await waiting.done
        finally:
            del self._jobs[attempt]
            if self._attempts.get(job) == attempt:
                del self._attempts[job]
            if waiting.group is None:
                self._turns.end(attempt)
            elif all(one.done.done() for one in waiting.together):
                # Nobody waits for the rest of it.
                waiting.group.cancel()
                await asyncio.wait([waiting.group])
                self._end_together(waiting.together)

    def _call(self) -> None:
        """Begin with those whose turn it is, and take along what is made of the same file."""
        if self._calling is not None:
            self._calling.cancel()
            self._calling = None
        while (name := self._turns.take()) is not None:
            leader = self._jobs[name]
            together = [leader]
            if leader.file is not None:
                others = [job for job in self._jobs.values() if job.file == leader.file and job.group is None]
                for job in others:
                    if len(together) < MAX_TOGETHER and job is not leader and self._turns.take_along(job.name, name):
                        together.append(job)
            group = asyncio.create_task(self._render_together(together))
            for job in together:
                job.group, job.together = group, together

    async def _render_together(self, together: Sequence[_Job]) -> None:
        """Render all of them with one worker after the other's end, small ones first; the first has the turn."""
        plans = sorted((job.plan for job in together), key=_area)
        largest = plans[-1].to_json() if len(plans) > 1 else None
        # Whatever becomes of single jobs, a worker never takes what it keeps of one file for another's.
        group = next(self._groups)
        try:
            for number, job in enumerate(sorted(together, key=lambda job: _area(job.plan))):
                told = {"plan": job.plan.to_json(), "largest": largest, "group": group}
                await self._finish(job, told | {"is_last": number == len(together) - 1})
        finally:
            self._end_together(together)

    def _end_together(self, together: Sequence[_Job]) -> None:
        for job in together:
            if not job.done.done():
                job.done.set_exception(RenderFailedError("the work was ended"))
            self._turns.end(job.name)
        self._call()

    async def _finish(self, job: _Job, told: Mapping[str, object]) -> None:
        """Render one job and tell who waits for it how it went."""
        try:
            await self._render(job, json.dumps(told).encode())
        except (UnrenderableError, RenderFailedError) as error:
            if not job.done.done():
                job.done.set_exception(error)
        else:
            if not job.done.done():
                job.done.set_result(None)

    async def _render(self, job: _Job, message: bytes) -> None:
        worker = await self._free()
        if job.done.done():
            # Who waited has left, and closed the files.
            self._idle.append(worker)
            return
        timeout = self._settings.timeout
        try:
            answer = await self._asked(worker, message, job.descriptors)
            memory = int(answer.get("memory", 0))
        except TimeoutError as error:
            self.ended["timeout"] += 1
            await self._end(worker)
            raise UnrenderableError(f"takes longer than {timeout:g} s (render.timeout)") from error
        except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
            # Its socket closed, or it speaks in a way that no worker of ours does.
            code = await self._end(worker, is_dead=True)
            is_crash = code is not None and code < 0 and -code not in _FROM_OUTSIDE
            self.ended["crash" if is_crash else "killed"] += 1
            if code is not None and is_crash:
                raise UnrenderableError(f"crashed its decoder ({signal.Signals(-code).name})") from error
            raise RenderFailedError("the worker process ended in the middle of the picture") from error
        except asyncio.CancelledError:
            await self._end(worker)
            raise
        worker.done += 1
        worker.first_memory = worker.first_memory or memory
        has_grown = memory > worker.first_memory + GROWTH
        if worker.done >= self._settings.jobs_of_a_worker or has_grown:
            self.ended["growth" if has_grown else "age"] += 1
            await self._end(worker)
        else:
            self._idle.append(worker)
        if "unrenderable" in answer:
            raise UnrenderableError(_reason(answer["unrenderable"]))
        if "failed" in answer:
            raise RenderFailedError(_reason(answer["failed"]))

    async def _free(self) -> _Worker:
        """A worker that waits for a job. One that died meanwhile, or says what nobody asked for, is none."""
        while self._idle:
            worker = self._idle.pop()
            try:
                worker.jobs.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return worker
            except OSError:
                pass
            self.ended["killed"] += 1
            await self._end(worker)
        return await self._started()

    async def _asked(self, worker: _Worker, message: bytes, descriptors: Sequence[int]) -> dict[str, Any]:
        """The worker's answer to a job. Time spent waiting for other large pictures does not count."""
        async with asyncio.timeout(self._settings.timeout):
            socket.send_fds(worker.jobs, [message], descriptors)
            answer = await _answer(worker)
        if "needs" not in answer:
            return answer
        async with self._large, asyncio.timeout(self._settings.timeout):
            await asyncio.get_running_loop().sock_sendall(worker.jobs, b"go")
            return await _answer(worker)

    async def _started(self) -> _Worker:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        given = {
            "socket": theirs.fileno(),
            "parent": os.getpid(),
            "sandbox": self._settings.sandbox,
            "limits": self._settings.limits.to_dict(),
        }
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *COMMAND,
                json.dumps(given),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=_environment(),
                # A Ctrl-C in the daemon's terminal is for the daemon, which ends its workers when their work is done.
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise RenderFailedError(f"a worker process cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        worker = _Worker(process, ours)
        self.workers += 1
        try:
            async with asyncio.timeout(START_SECONDS):
                answer = await _answer(worker)
        except (OSError, ValueError, TimeoutError) as error:
            await self._end(worker)
            raise RenderFailedError("a worker process did not start; is pyvips-binary installed?") from error
        except asyncio.CancelledError:
            await self._end(worker)
            raise
        if "failed" in answer:
            await self._end(worker)
            raise RenderFailedError(str(answer["failed"]))
        worker.protections = str(answer.get("ready", ""))
        worker.encodings = frozenset(answer.get("encodings") or ())
        return worker

    async def _end(self, worker: _Worker, is_dead: bool = False) -> int | None:
        """End a worker; returns how it ended. is_dead: its socket closed, so it ends by itself, with its own reason."""
        worker.jobs.close()
        self.workers -= 1
        if is_dead:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    return await worker.process.wait()
        if worker.process.returncode is None:
            worker.process.kill()
        return await worker.process.wait()


def _area(plan: RenderPlan) -> int:
    return plan.ideal[0] * plan.ideal[1]


def _reason(said: object) -> str:
    """What a worker says of a failure, as it may stand in a log."""
    return "".join(character if character.isprintable() else "?" for character in str(said)[:MAX_REASON])


async def _answer(worker: _Worker) -> dict[str, Any]:
    received = await asyncio.get_running_loop().sock_recv(worker.jobs, MAX_MESSAGE)
    return dict(json.loads(received))


def _environment() -> dict[str, str]:
    """What a worker inherits: enough to find Python and its libraries, and nothing of the daemon's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
    # Several workers share the cores; threads inside of each would only compete. Arenas are memory never given back.
    # Whole pictures stay in memory, whose limit we know, and never go to a temporary file, which a worker cannot open.
    of_libraries = {"VIPS_CONCURRENCY": "1", "VIPS_DISC_THRESHOLD": "1000g", "MALLOC_ARENA_MAX": "2"}
    return kept | of_libraries | {"PYTHONDONTWRITEBYTECODE": "1"}
