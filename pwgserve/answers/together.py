"""Puts questions together: what many ask of the database one by one goes out as few statements for many keys.

So its load has a bound that no traffic moves: of each kind one statement every PAUSE seconds, and BURST after a
silence. For how long answers are kept is in `freshness`.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

PAUSE = 0.005
"""Seconds between the starts of two questions of one kind, when many follow one another: 200 a second."""

BURST = 4
"""Questions that need not keep that distance when none went out for a while: for few who ask, nothing gathers."""

MOST = 500
"""Keys in one question, at the most."""

UNDER_WAY = 2
"""Questions of one kind at a time: one that is slow to be answered does not hold up all others."""

K = TypeVar("K")
V = TypeVar("V")


class Together(Generic[K, V]):
    """Questions of one kind, which `ask` answers for many keys at once. missing: the answer for what is not found.

    An error is told to all whose keys were in the question.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        missing: V,
        pause: float = PAUSE,
        under_way: int = UNDER_WAY,
        burst: int = BURST,
    ) -> None:
        self._ask = ask
        self._missing = missing
        self._pause = pause
        self._may_start = under_way
        self._ahead = (burst - 1) * pause
        self._next_start = 0.0
        self._waiting: OrderedDict[K, asyncio.Future[V]] = OrderedDict()
        self._due = math.inf
        self._starter: asyncio.Handle | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def close(self) -> None:
        """Ask nothing more: what waits is cancelled, what is under way as well, and waited for."""
        self._is_closed = True
        self._cancel_waiting()
        for question in self._asking:
            question.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def get(self, key: K, patience: float = 0.0) -> V:
        """The answer for one key, asked for after this call. Raises what asking raises.

        patience: seconds for which the question may wait for others to go out with.
        """
        return await asyncio.shield(self.ask(key, patience))

    def ask(self, key: K, patience: float = 0.0) -> asyncio.Future[V]:
        """The same as it will be, shared by all who ask for this key now: nobody may cancel it."""
        loop = asyncio.get_running_loop()
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = loop.create_future()
        self._start_by(loop.time() + patience)
        return answer

    def _start_by(self, due: float) -> None:
        """See to it that a question goes out then, or as soon after as one may.

        The next start that the pauses lead to is kept; a question may be ahead of it, by the pauses of a burst.
        """
        if due < self._due:
            self._due = due
            if self._starter is not None:
                self._starter.cancel()
            self._starter = asyncio.get_running_loop().call_at(max(due, self._next_start - self._ahead), self._start)

    def _start(self) -> None:
        """Send a question with all keys that wait, the patient ones, too."""
        self._starter = None
        if self._is_closed:
            self._cancel_waiting()
            return
        if len(self._asking) >= self._may_start:
            return  # the next one that ends makes room; until then nothing is due that is not overdue
        self._due = math.inf
        now = asyncio.get_running_loop().time()
        self._next_start = max(self._next_start, now) + self._pause
        count = min(len(self._waiting), MOST)
        keys = dict(self._waiting.popitem(last=False) for _ in range(count))
        self._asking.add(question := asyncio.create_task(self._ask_for(keys)))
        question.add_done_callback(self._note_end)
        if self._waiting:
            self._start_by(now)

    def _note_end(self, question: asyncio.Task[None]) -> None:
        self._asking.discard(question)
        if self._waiting and self._starter is None:
            self._due = math.inf
            self._start_by(asyncio.get_running_loop().time())

    def _cancel_waiting(self) -> None:
        while self._waiting:
            self._waiting.popitem()[1].cancel()

    async def _ask_for(self, waiting: Mapping[K, asyncio.Future[V]]) -> None:
        try:
            found = await self._ask(list(waiting))
        except asyncio.CancelledError:
            for answer in waiting.values():
                answer.cancel()
            raise
        except Exception as error:
            for answer in waiting.values():
                answer.set_exception(error)
                # Whoever asked may have left; nobody is to complain about an error that nobody waits for.
                answer.exception()
            return
        for key, answer in waiting.items():
            answer.set_result(found.get(key, self._missing))


class Questions:
    """The kinds of questions that one database is asked, so that it can be left: after `close` none goes out."""

    def __init__(self) -> None:
        self._kinds: list[Together[Any, Any]] = []

    def add(self, kind: Together[K, V]) -> Together[K, V]:
        """Let one more kind end with the others."""
        self._kinds.append(kind)
        return kind

    async def close(self) -> None:
        """End all that wait and all that are under way. A renewal may be due long after its asker has left."""
        for kind in self._kinds:
            await kind.close()
