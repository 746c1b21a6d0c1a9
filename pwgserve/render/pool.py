"""Gives renderings to workers: a fair, bounded queue, and sizes of one picture that wait together made together.

Whose turn it is says `turns`; the processes and their time limit are in `workers`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pwgserve.render.alone import Turn
from pwgserve.render.plan import RenderPlan
from pwgserve.render.turns import Client, Turns
from pwgserve.render.workers import LaterError, PoolSettings, RenderFailedError, UnrenderableError, Workers

GATHER_SECONDS = 0.005
"""For how long at the most a free worker waits for further sizes of the same picture that are on their way."""

MAX_TOGETHER = 16
"""How many sizes of one picture are made in one go, before others have their turn."""

DECODING_THREADS = 2
"""For a decoding that several sizes wait for while nothing else is to be rendered: one scales what the other reads."""

Begin: TypeAlias = Callable[[], Awaitable[bool]]
"""Is asked when a rendering's turn has come, whether it is still to be made; of a large picture, again at its turn."""


class BusyError(Exception):
    """The queue is full: the visitor should come again in a moment."""


class ElsewhereError(Exception):
    """When its turn came, somebody else was making it."""


@dataclass(frozen=True)
class Larger:
    """A finished derivative that a smaller one may be made from: an open descriptor, and the plan it was made by."""

    descriptor: int
    plan: RenderPlan


@dataclass
class _Job:
    """A rendering that somebody waits for. file: what the sizes of one picture have in common, None for nothing."""

    name: str
    plan: RenderPlan
    source: int
    output: int
    watermark: int | None
    larger: Larger | None
    file: Hashable
    begin: Begin | None
    done: asyncio.Future[None]
    group: asyncio.Task[None] | None = None
    together: Sequence[_Job] = ()

    @property
    def files(self) -> dict[str, int]:
        """The descriptors that a worker needs for it, as in `worker.DESCRIPTORS`."""
        larger = self.larger.descriptor if self.larger else None
        files = {"source": self.source, "output": self.output, "watermark": self.watermark, "larger": larger}
        return {name: descriptor for name, descriptor in files.items() if descriptor is not None}


class RenderPool:
    """Up to `settings.workers` processes, and one more for a second client, started when first needed.

    workers: the processes, as they are now.
    """

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self.workers = Workers(settings)
        self._turns = Turns(settings.workers, settings.queue)
        self._jobs: dict[str, _Job] = {}
        # A job that is tried again has its name while the group of its first attempt may still be at work.
        self._attempts: dict[str, str] = {}
        self._calling: asyncio.Handle | None = None
        self._due = 0.0
        self._on_their_way: Counter[Hashable] = Counter()
        self._groups = itertools.count(1)

    @property
    def waiting(self) -> int:
        """How many renderings wait for their turn."""
        return self._turns.waiting

    @property
    def jobs(self) -> int:
        """How many renderings are under way or waiting."""
        return len(self._turns)

    async def start(self) -> None:
        """Start the first worker. Raises RenderFailedError."""
        await self.workers.start()

    async def close(self) -> None:
        """End all workers; none is busy once all requests have ended."""
        await self.workers.close()

    def join(self, job: str, client: Client) -> None:
        """Another client wants a rendering that is under way or waiting, too."""
        self._turns.join(self._attempts.get(job, job), client)

    @contextlib.contextmanager
    def on_its_way(self, file: Hashable) -> Iterator[None]:
        """Around what leads to `render` of a file: sizes of it that are there already wait for this one, a moment.

        A page asks for several sizes of a picture at once; a picture that is asked for alone waits for nothing.
        """
        self._on_their_way[file] += 1
        try:
            yield
        finally:
            self._on_their_way[file] -= 1
            if not self._on_their_way[file]:
                del self._on_their_way[file]

    async def render(
        self,
        job: str,
        client: Client,
        plan: RenderPlan,
        source: int,
        output: int,
        watermark: int | None,
        file: Hashable = None,
        larger: Larger | None = None,
        begin: Begin | None = None,
    ) -> None:
        """Render the picture in descriptor `source` into descriptor `output`; the caller closes them.

        job: names the rendering; one with this name at a time. file: the same for renderings of the same version of the
        same file, of which those that wait together are made together. larger: what it is made from instead, if its
        size allows that. Raises BusyError, ElsewhereError if `begin` says no, UnrenderableError and RenderFailedError.
        """
        attempt = f"{job} {next(self._groups)}"
        if not self._turns.add(attempt, client):
            raise BusyError
        loop = asyncio.get_running_loop()
        waiting = self._jobs[attempt] = _Job(
            attempt, plan, source, output, watermark, larger, file, begin, loop.create_future()
        )
        self._attempts[job] = attempt
        try:
            if file is None:
                self._call()
            else:
                self._call_soon(GATHER_SECONDS if file in self._on_their_way else 0)
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

    def _call_soon(self, seconds: float) -> None:
        """Call within so many seconds; 0 is when all have come who ask in this moment."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._calling is not None and self._due <= due:
            return
        if self._calling is not None:
            self._calling.cancel()
        self._due = due
        self._calling = loop.call_later(seconds, self._call) if seconds else loop.call_soon(self._call)

    def _call(self) -> None:
        """Begin with those whose turn it is, and take along what is made of the same file."""
        if self._calling is not None:
            self._calling.cancel()
            self._calling = None
        while (name := self._turns.take()) is not None:
            leader = self._jobs[name]
            together = [leader]
            if leader.file is not None:
                for job in [job for job in self._jobs.values() if job.file == leader.file]:
                    if len(together) < MAX_TOGETHER and self._turns.take_along(job.name, name):
                        together.append(job)
            group = asyncio.create_task(self._render_together(together))
            for job in together:
                job.group, job.together = group, together

    async def _render_together(self, together: Sequence[_Job]) -> None:
        """Render them one after the other, small ones first. Together they have the turn of the one that was called."""
        # Whatever becomes of single jobs, a worker never takes what it keeps of one file for another's.
        group = next(self._groups)
        turn = self.workers.turn()
        try:
            in_order = sorted(await _begun(together), key=lambda job: job.plan.pixels)
            decoded = [job for job in in_order if job.larger is None]
            plans = [job.plan.to_json() for job in decoded] if len(decoded) > 1 else []
            of_group = {
                "group": group,
                "together": plans,
                "threads": DECODING_THREADS if self.jobs == len(together) else 1,
            }
            for number, job in enumerate(in_order):
                told = {"plan": job.plan.to_json(), "has": list(job.files), "is_last": number == len(in_order) - 1}
                larger = {"larger": job.larger.plan.to_json()} if job.larger else {}
                await self._finish(job, of_group | told | larger, turn)
        except BusyError:
            for job in together:
                if not job.done.done():
                    job.done.set_exception(BusyError())
        finally:
            turn.end()
            self._end_together(together)

    def _end_together(self, together: Sequence[_Job]) -> None:
        for job in together:
            if not job.done.done():
                job.done.set_exception(RenderFailedError("the work was ended"))
            self._turns.end(job.name)
        self._call()

    async def _finish(self, job: _Job, told: Mapping[str, object], turn: Turn) -> None:
        """Render one job and tell who waits for it how it went. Raises BusyError."""
        try:
            await self._render(job, json.dumps(told).encode(), turn)
        except (UnrenderableError, RenderFailedError) as error:
            if not job.done.done():
                job.done.set_exception(error)
        else:
            if not job.done.done():
                job.done.set_result(None)

    async def _render(self, job: _Job, message: bytes, turn: Turn) -> None:
        if await self._is_done(job, message, turn):
            return
        # It is large, and another large one is being rendered: what is smaller goes on meanwhile.
        leader = job.together[0].name
        client = self._turns.set_aside(leader)
        self._call()
        try:
            await turn.wait(client.key, self._settings.patience)
        except TimeoutError as error:
            raise BusyError from error
        finally:
            self._turns.resume(leader)
        # Whoever had the turn before may have made this very picture, or others of those that are made with it.
        left = await _begun([one for one in job.together if not one.done.done()])
        if job in left and not await self._is_done(job, message, turn):
            raise RenderFailedError("the worker process does not do what it was told")

    async def _is_done(self, job: _Job, message: bytes, turn: Turn) -> bool:
        """Let a worker do a job; False when it has to wait for its turn."""
        worker = await self.workers.free()
        if job.done.done():
            # Who waited has left, and closed the files.
            self.workers.give_back(worker)
            return True
        try:
            await self.workers.work(worker, message, list(job.files.values()), turn)
        except LaterError:
            return False
        return True


async def _begun(together: Sequence[_Job]) -> list[_Job]:
    """Those that are still to be made; who waits for the others is told."""
    answers = await asyncio.gather(*(job.begin() for job in together if job.begin))
    found = []
    for job in together:
        if job.begin is None or answers.pop(0):
            found.append(job)
        elif not job.done.done():
            job.done.set_exception(ElsewhereError())
    return found
