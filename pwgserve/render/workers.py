"""The worker processes of one server process: starts them, gives one a job and hears its answer, ends and counts them.

Which job is next says `pool`; what happens inside of a worker is in `worker`, `engine` and `sandbox`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pwgserve.problems import OwnerError
from pwgserve.render.alone import Alone, Turn
from pwgserve.render.limits import GO, LATER, MAX_MESSAGE, MEGABYTE, Limits

START_SECONDS = 30.0
MAX_REASON = 200
"""Characters of a reason that a worker gives: it may be a hostile picture's worker, and its word goes into the log."""

IDLE_SECONDS = 10
"""More than somebody looks at one picture who goes through an album, where each next one may have to be made."""

GROWTH = 64 * MEGABYTE
"""A worker that has this much more memory than after its first picture is replaced."""

COMMAND = ("-P", "-m", "pwgserve.render.worker")
"""What Python is started with to be a worker."""

NICENESS = 10
"""How much nicer than its daemon a worker is. Visitors whose pictures are finished go first."""

NICEST = 19
"""As nice as the kernel lets a process be."""

STOPPED_SECONDS = 1.0
"""A process that notices so late that time is up was stopped, or its machine was."""

TRIES, PAUSE_SECONDS = 20, 0.1
"""How often it is tried to give a worker its place among all sessions: the kernel does so for one in each pause."""

_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
"""Signals that somebody sent (the kernel, when memory is short). A process that dies of others did so itself."""

_ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * MEGABYTE),
    "MALLOC_TRIM_THRESHOLD_": str(128 * MEGABYTE),
}
"""For glibc: what one picture's pixels took is kept for the next one's until the worker itself gives it back. To get it
anew from the kernel, page by page, takes up to an eighth of a rendering. A second arena would give nothing back."""

FILES_TO_START = 16
"""More open files than starting a process takes: other threads may take some at the same moment."""

ENDINGS = ("timeout", "crash", "killed", "age", "growth")
"""Why workers end, see `Workers.ended`."""


class UnrenderableError(Exception):
    """The picture cannot be rendered; the message says why, for the log."""


class RenderFailedError(OwnerError):
    """The rendering failed for a reason that may pass: a worker was killed, or cannot be started."""


class LaterError(Exception):
    """The picture needs much memory, which others have: it is tried again when it has its turn."""


@dataclass(frozen=True)
class PoolSettings:
    """How many and which workers.

    timeout: seconds for one picture. sandbox: as in `sandbox.enter`. renderings_per_worker: after so many one is
    replaced: what its libraries leak, or an attacker left in it, ends with it. alone: as in `alone.Alone`. idle:
    seconds without another picture after which a worker gives back memory that it kept for one. apart: whether workers
    have sessions of their own, as those of a program in a terminal must; else who starts them has left the terminal.
    patience: seconds that a large picture waits for others at the most, None for any time.
    """

    workers: int
    queue: int
    timeout: float
    limits: Limits
    sandbox: str = "best-effort"
    renderings_per_worker: int = 1000
    alone: Path | None = None
    idle: int = IDLE_SECONDS
    apart: bool = True
    patience: float | None = 60.0


@dataclass
class Worker:
    """A running worker process and our end of its socket."""

    process: asyncio.subprocess.Process
    jobs: socket.socket
    protections: str = ""
    encodings: frozenset[str] = frozenset()
    done: int = 0
    first_memory: int = 0


class Workers:
    """Worker processes, as many as are asked for at once; those that have nothing to do wait for the next job.

    count: how many there are. ended: how many have ended, by reason: a picture that took too long (`timeout`), a
    decoder that crashed (`crash`), somebody who killed it (`killed`), its age (`age`), its memory (`growth`).
    protections, encodings: what the first one said of itself. idle: those that wait.
    """

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self.idle: list[Worker] = []
        # Pictures that need much memory are rendered one at a time, whatever the number of workers and processes.
        self._large = Alone(settings.alone)
        self._with_large: Worker | None = None
        self.protections = ""
        self.encodings: frozenset[str] = frozenset()
        self.count = 0
        self.ended: Counter[str] = Counter()

    async def start(self) -> None:
        """Start one, so that a broken installation is found now and not at the first picture.

        Raises RenderFailedError.
        """
        worker = await self._started(in_haste=True)
        self.protections, self.encodings = worker.protections, worker.encodings
        self.give_back(worker)

    async def close(self) -> None:
        """End all that wait; none is busy once all requests have ended."""
        while self.idle:
            await self._end(self.idle.pop())
        self._large.close()

    async def free(self) -> Worker:
        """A worker that waits for a job. One that died meanwhile, or says what nobody asked for, is none."""
        while self.idle:
            worker = self.idle.pop()
            try:
                worker.jobs.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return worker
            except OSError:
                pass
            self.ended["killed"] += 1
            await self._end(worker)
        return await self._started()

    def give_back(self, worker: Worker) -> None:
        """Let a worker wait for its next job."""
        self.idle.append(worker)

    def turn(self) -> Turn:
        """The turn of one group of jobs, should they need much memory."""
        return Turn(self._large)

    def let_go(self) -> None:
        """Leave large pictures to other processes: this one is about to be stopped. What is made of one is lost."""
        if self._with_large is not None:
            # Its memory is what the turn is about. It is made anew when this process goes on.
            with contextlib.suppress(ProcessLookupError):
                self._with_large.process.kill()
        self._large.let_go()

    async def work(self, worker: Worker, message: bytes, descriptors: Sequence[int], turn: Turn) -> None:
        """Let a worker do a job and wait again, or end it.

        Raises LaterError when the job must wait for its turn, UnrenderableError and RenderFailedError.
        """
        timeout = self._settings.timeout
        try:
            answer = await self._asked(worker, message, descriptors, turn)
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
        if worker.done >= self._settings.renderings_per_worker or has_grown:
            self.ended["growth" if has_grown else "age"] += 1
            await self._end(worker)
        else:
            self.give_back(worker)
        if "later" in answer:
            raise LaterError
        if "unrenderable" in answer:
            raise UnrenderableError(_reason(answer["unrenderable"]))
        if "failed" in answer:
            raise RenderFailedError(_reason(answer["failed"]))

    async def _asked(self, worker: Worker, message: bytes, descriptors: Sequence[int], turn: Turn) -> dict[str, Any]:
        """The worker's answer to a job."""
        socket.send_fds(worker.jobs, [message], descriptors)
        answer = await self._answer(worker)
        if "needs" not in answer:
            return answer
        if not turn.taken_now():
            worker.jobs.send(LATER)
            return await self._answer(worker)
        self._with_large = worker
        try:
            worker.jobs.send(GO)
            return await self._answer(worker)
        finally:
            self._with_large = None

    async def _answer(self, worker: Worker) -> dict[str, Any]:
        """What a worker says next. Raises TimeoutError, but not for time in which this process itself was stopped."""
        clock = asyncio.get_running_loop().time
        while True:
            deadline = clock() + self._settings.timeout
            try:
                async with asyncio.timeout_at(deadline):
                    return await _answer(worker)
            except TimeoutError:
                if clock() < deadline + STOPPED_SECONDS:
                    raise

    async def _started(self, in_haste: bool = False) -> Worker:
        """A worker that waits for its first job. in_haste: all wait for this one, it goes last only from then on."""
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise RenderFailedError(f"a worker process cannot be started: {error.strerror}") from error
        ours.setblocking(False)
        given = {
            "socket": theirs.fileno(),
            "parent": os.getpid(),
            "sandbox": self._settings.sandbox,
            "limits": self._settings.limits.to_dict(),
            "idle": self._settings.idle,
        }
        try:
            _expect_room(theirs.fileno())
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *COMMAND,
                json.dumps(given),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=_environment(),
                # A Ctrl-C in a terminal is for who started the workers, and ends them when their work is done.
                start_new_session=self._settings.apart,
            )
        except OSError as error:
            ours.close()
            raise RenderFailedError(f"a worker process cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        worker = Worker(process, ours)
        self.count += 1
        try:
            async with asyncio.timeout(START_SECONDS):
                if not in_haste:
                    await _put_last(process.pid, self._settings.apart)
                answer = await _answer(worker)
                if in_haste:
                    await _put_last(process.pid, self._settings.apart)
        except (OSError, ValueError, TimeoutError) as error:
            await self._end(worker)
            in_time, why = "", "is pyvips-binary installed"
            if isinstance(error, TimeoutError):
                in_time, why = f" within {START_SECONDS:g} s", "is the machine too busy"
            raise RenderFailedError(f"a worker process did not start{in_time}; {why}?") from error
        except asyncio.CancelledError:
            await self._end(worker)
            raise
        if "failed" in answer:
            await self._end(worker)
            raise RenderFailedError(str(answer["failed"]))
        worker.protections = str(answer.get("ready", ""))
        worker.encodings = frozenset(answer.get("encodings") or ())
        return worker

    async def _end(self, worker: Worker, is_dead: bool = False) -> int | None:
        """End a worker; returns how it ended. is_dead: its socket closed, so it ends by itself, with its own reason."""
        worker.jobs.close()
        self.count -= 1
        if is_dead:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    return await worker.process.wait()
        if worker.process.returncode is None:
            worker.process.kill()
        return await worker.process.wait()


def _reason(said: object) -> str:
    """What a worker says of a failure, as it may stand in a log."""
    return "".join(character if character.isprintable() else "?" for character in str(said)[:MAX_REASON])


async def _answer(worker: Worker) -> dict[str, Any]:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(worker.jobs, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(worker.jobs)
    # Read only now: whoever gave up waiting in the same moment may ask again.
    return dict(json.loads(worker.jobs.recv(MAX_MESSAGE)))


async def _put_last(pid: int, apart: bool) -> None:
    """Let all others have the processor before this process, with all its threads. apart: as in PoolSettings."""
    # Nobody but root may make it less nice than it is: work in bulk is nice itself.
    niceness = min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, NICEST)
    _make_nice(pid, niceness)
    if apart:
        for _ in range(TRIES):
            if _is_session_put_last(pid, niceness):
                break
            await asyncio.sleep(PAUSE_SECONDS)


def _make_nice(pid: int, niceness: int) -> None:
    """Give a process this niceness. Linux has it for each thread; later ones take it from those that start them."""
    with contextlib.suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), niceness)


def _is_session_put_last(pid: int, niceness: int) -> bool:
    """Put a process' own session last; False when it may be tried again.

    Where no service manager makes groups of processes, Linux shares the processor among sessions (man 7 sched,
    "autogroup"): niceness alone would count for nothing but within the session.
    """
    try:
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))
    except BlockingIOError:
        return False
    except OSError:
        pass  # the kernel has no such groups, or the process has ended
    return True


def _expect_room(descriptor: int) -> None:
    """Raise OSError when there are too few open files to start a process.

    Where they run out in the midst of that, uvloop writes a traceback that nobody can catch.
    """
    with contextlib.ExitStack() as stack:
        for _ in range(FILES_TO_START):
            stack.callback(os.close, os.dup(descriptor))


def _environment() -> dict[str, str]:
    """What a worker inherits: enough to find Python and its libraries, and nothing of the daemon's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
    # Several workers share the cores; threads inside of each would only compete.
    # Whole pictures stay in memory, whose limit we know, and never go to a temporary file, which a worker cannot open.
    of_libvips = {"VIPS_CONCURRENCY": "1", "VIPS_DISC_THRESHOLD": "1000g"}
    return kept | of_libvips | _ALLOCATOR | {"PYTHONDONTWRITEBYTECODE": "1"}
