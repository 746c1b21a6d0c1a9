"""Keeps answers of the database for a moment, so that its load does not grow with traffic.

The one place that bounds how old a permission may be: MAX_AGE, counted from before the question was asked.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

MAX_AGE = 1.0
"""Seconds. The promise to owners is 2; the difference is for slow answers and for the request that uses them."""

K = TypeVar("K")
V = TypeVar("V")


class Fresh(Generic[K, V]):
    """Answers to one kind of question, at most MAX_AGE old, the newest `capacity` of them.

    Many tasks that ask the same at once share one question. An error is told to all who wait and is not kept.
    """

    def __init__(self, ask: Callable[[K], Awaitable[V]], capacity: int, max_age: float = MAX_AGE) -> None:
        self._ask = ask
        self._capacity = capacity
        self._max_age = max_age
        self._answers: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._asking: dict[K, asyncio.Task[tuple[float, V]]] = {}

    async def get(self, key: K) -> V:
        """The answer for a key. Raises what asking raises."""
        now = asyncio.get_running_loop().time()
        kept = self._answers.get(key)
        if kept is not None and now - kept[0] <= self._max_age:
            return kept[1]
        while True:
            # A question that has been under way for long may answer with a state from before its asker's time.
            task = self._asking.get(key)
            if task is None:
                task = self._asking[key] = asyncio.create_task(self._fetch(key))
            # One asker's disappearance must not take the answer from the others.
            asked_at, answer = await asyncio.shield(task)
            if asked_at >= now - self._max_age:
                return answer

    async def _fetch(self, key: K) -> tuple[float, V]:
        asked_at = asyncio.get_running_loop().time()
        try:
            answer = await self._ask(key)
        finally:
            del self._asking[key]
        self._answers[key] = (asked_at, answer)
        self._answers.move_to_end(key)
        while len(self._answers) > self._capacity:
            self._answers.popitem(last=False)
        return asked_at, answer
