"""Keeps answers of the database for a moment, so that its load does not grow with traffic.

The one place that bounds how old a permission may be. A picture that leaves now was permitted by answers that were
asked for no longer ago than MAX_AGE before the decision, which counts for DECISION_AGE, and then for PROXY_AGE more in
a proxy that keeps public pictures; tests/answers/test_freshness.py adds them up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from pwgserve.answers.together import Questions, Together
from pwgserve.at_hand import NotAtHandError
from pwgserve.piwigo.gallery import GalleryUnavailableError

PROMISED_AGE = 2.0
"""Seconds within which what is taken away in Piwigo is refused: the promise to owners."""

MAX_AGE = 0.5
"""Seconds that an answer is kept, counted from before the question was asked."""

DECISION_AGE = 0.25
"""Seconds that a decision is kept, counted from before the first of its questions was asked."""

RENEWED_AT = 0.6
"""At which share of its age a decision is made anew by one asker, while it still serves the others: when what many ask
for becomes too old, they need not all wait."""

ASKED_ANEW_AT = 0.4
"""At which share of its age an answer is asked for anew, while it still serves. A decision that is made anew all the
time asks every DECISION_AGE at the latest: the next one, too, must find an answer that serves."""

PROXY_AGE = 1.0
"""Seconds that nginx in front may keep a public picture, if its owner wants it to; see `http.signed`."""

LONGEST_DECISION = 1.0
"""Seconds that the questions of one decision may take, which are asked one after the other, and the opening of the file
with them: what the first of them said is older by so much in the end."""

AGE_FOR_PROXIES = 0.25
"""Seconds since the first question of a decision within which proxies may keep what it permits."""

K = TypeVar("K")
V = TypeVar("V")


async def in_time(decide: Callable[[], Awaitable[V]]) -> V:
    """A decision, made anew, once, when its questions took too long: the answers are known then, and most are newer.

    Raises GalleryUnavailableError when they take too long again, and what deciding raises.
    """
    loop = asyncio.get_running_loop()
    for _ in range(2):
        began = loop.time()
        decision = await decide()
        if loop.time() - began <= LONGEST_DECISION:
            return decision
    raise GalleryUnavailableError("its answers take too long")


class Fresh(Generic[K, V]):
    """Answers to one kind of question, at most MAX_AGE old, the newest `capacity` of them.

    Many tasks that ask the same at once share one question. An error is told to all who wait and is not kept.
    renew: asks, too, and may take these seconds until it does; for what nobody waits for yet. at_hand: the answer, if
    having it takes no waiting; raises NotAtHandError otherwise.
    """

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        capacity: int,
        max_age: float = MAX_AGE,
        renew: Callable[[K, float], Awaitable[V]] | None = None,
        at_hand: Callable[[K], V] | None = None,
    ) -> None:
        self._ask = ask
        self._renew = renew or (lambda key, patience: ask(key))
        self._at_hand = at_hand
        self._capacity = capacity
        self._max_age = max_age
        self._answers: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._asking: dict[K, tuple[float, asyncio.Future[V]]] = {}

    async def get(self, key: K) -> V:
        """The answer for a key. Raises what asking raises."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        kept = self._answers.get(key)
        if kept is not None and now - kept[0] <= self._max_age * ASKED_ANEW_AT:
            return kept[1]
        if self._at_hand is not None:
            with contextlib.suppress(NotAtHandError):
                found = self._at_hand(key)
                self.note(key, now, found)
                return found
        if kept is not None and now - kept[0] <= self._max_age:
            if key not in self._asking:
                # Half of the time that is left gathers questions; in the other half the answer can come.
                self._begin(key, now, self._renew(key, (self._max_age - (now - kept[0])) / 2))
            return kept[1]
        while True:
            # A question that has been under way for long may answer with a state from before its asker's time.
            asked_at, question = self._asking.get(key) or self._begin(key, loop.time(), self._ask(key))
            # One asker's disappearance must not take the answer from the others.
            answer = await asyncio.shield(question)
            if asked_at >= now - self._max_age:
                return answer

    def kept(self, key: K) -> tuple[float, V] | None:
        """The answer for a key that is kept, however old, and when (the loop's time) it was asked for."""
        return self._answers.get(key)

    def note(self, key: K, asked_at: float, answer: V) -> None:
        """Keep an answer, also one that another question gave, unless a newer one is known."""
        known = self._answers.get(key)
        if known is None or known[0] <= asked_at:
            self._answers[key] = (asked_at, answer)
            self._answers.move_to_end(key)
            self._forget(asked_at)

    def _begin(self, key: K, asked_at: float, asked: Awaitable[V]) -> tuple[float, asyncio.Future[V]]:
        """Have a question under way, whose answer is kept whether anybody waits for it or not."""
        question = asyncio.ensure_future(asked)

        def end(answered: asyncio.Future[V]) -> None:
            del self._asking[key]
            # An error is for those who wait; a renewal's is for nobody, and whoever asks next asks anew.
            if not answered.cancelled() and answered.exception() is None:
                self.note(key, asked_at, answered.result())

        self._asking[key] = (asked_at, question)
        # Added first, so that it is called before anybody hears the answer.
        question.add_done_callback(end)
        return self._asking[key]

    def _forget(self, now: float) -> None:
        """Let go of what is too old for anybody, or too much."""
        while self._answers:
            key, (asked_at, _) = next(iter(self._answers.items()))
            if len(self._answers) <= self._capacity and now - asked_at <= self._max_age:
                break
            del self._answers[key]


def fresh(
    questions: Questions, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], missing: V, capacity: int
) -> Fresh[K, V]:
    """Answers that are kept, of questions that are asked for many keys at once, and end with `questions`.

    missing: the answer for what is not found.
    """
    kind = questions.add(Together(ask, missing))
    return Fresh(kind.ask, capacity, renew=kind.ask)
