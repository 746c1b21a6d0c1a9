"""How the daemon's numbers were in the last hours: a bounded memory of them, and what happened between two moments.

For the status page; `pwgserve status` reads the present ones by the same functions. Prometheus remembers longer and is
the place for alarms.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from itertools import pairwise

from pwgserve.numbers.shared import Samples

EVERY = 15.0
"""Seconds between two moments that are remembered."""

KEPT = 2880
"""Moments that are remembered: half a day."""

GUESSES = frozenset(
    {"forged", "forbidden", "unknown-photo", "unknown-address", "ops-through-proxy", "malformed", "method"}
)
TROUBLES = frozenset(
    {"busy", "rendering-failed", "machine-short", "changed-meanwhile", "database-away", "unexpected-error"}
)
"""Reasons of refusals that are nobody's fault but ours or our machine's."""

PICTURES = ("hit", "render", "original")


@dataclass(frozen=True)
class Moment:
    """The numbers at a time (seconds since 1970). Those of counters are totals; `guesses` … are refused requests."""

    at: float = 0.0
    hit: float = 0.0
    render: float = 0.0
    original: float = 0.0
    guesses: float = 0.0
    mishaps: float = 0.0
    troubles: float = 0.0
    sent_bytes: float = 0.0
    render_seconds: float = 0.0
    renderings: float = 0.0
    queue: float = 0.0
    cache_bytes: float = 0.0

    @classmethod
    def of(cls, samples: Samples, at: float) -> Moment:
        """The moment at which the daemon's numbers are these."""
        responses = by_outcome(samples)
        refused = {name: number for name, number in responses.items() if _is_reason(name)}
        return cls(
            at=at,
            **{name: responses.get(name, 0.0) for name in PICTURES},
            guesses=sum(number for name, number in refused.items() if name in GUESSES),
            troubles=sum(number for name, number in refused.items() if name in TROUBLES),
            mishaps=sum(number for name, number in refused.items() if name not in GUESSES | TROUBLES),
            sent_bytes=total(samples, "pwgserve_sent_bytes_total"),
            render_seconds=total(samples, "pwgserve_render_seconds_sum"),
            renderings=total(samples, "pwgserve_render_seconds_count"),
            queue=total(samples, "pwgserve_render_queue"),
            cache_bytes=total(samples, "pwgserve_cache_bytes"),
        )


_GAUGES = frozenset({"at", "queue", "cache_bytes"})


class Trend:
    """The moments of the last hours, the oldest first."""

    def __init__(self) -> None:
        self.moments: deque[Moment] = deque(maxlen=KEPT)

    def note(self, samples: Samples, at: float) -> None:
        """Remember the daemon's numbers at a time (seconds since 1970)."""
        self.moments.append(Moment.of(samples, at))

    def until(self, samples: Samples, at: float) -> Trend:
        """The same with the present at its end, which is not remembered."""
        trend = Trend()
        trend.moments.extend((*self.moments, Moment.of(samples, at)))
        return trend

    def since(self, seconds: float) -> tuple[Moment, float]:
        """What happened in the last seconds (gauges: as they are now), and in how many seconds exactly."""
        moments = list(self.moments)
        if len(moments) < 2:
            return Moment(), 0.0
        last = moments[-1]
        first = next(moment for moment in moments if moment.at >= last.at - seconds or moment is last)
        first = first if first is not last else moments[-2]
        return difference(first, last), last.at - first.at

    def spans(self, number: int) -> list[tuple[Moment, float]]:
        """All that is remembered in at most `number` spans of equal length: what happened in each, and its seconds."""
        moments = list(self.moments)
        step = max(1, -(-(len(moments) - 1) // number))
        edges = moments[::-1][::step][::-1]
        return [(difference(a, b), b.at - a.at) for a, b in pairwise(edges)]


async def keep(trend: Trend, read: Callable[[], Awaitable[Samples]]) -> None:
    """Note the numbers now and then, until cancelled. read: the daemon's numbers."""
    while True:
        trend.note(await read(), time.time())
        await asyncio.sleep(EVERY)


def difference(first: Moment, last: Moment) -> Moment:
    """What happened between two moments; gauges are those of the last."""
    values = {}
    for field in fields(Moment):
        now = getattr(last, field.name)
        # A total that went down began anew.
        values[field.name] = now if field.name in _GAUGES else max(0.0, now - getattr(first, field.name))
    return Moment(**values)


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of all samples of a name that have these labels; 0 when there is none."""
    asked = set(labels.items())
    return sum(value for (found, has), value in samples.items() if found == name and asked <= set(has))


def by(samples: Samples, name: str, label: str) -> dict[str, float]:
    """The sums of a name's samples by the values of a label, those that are not 0."""
    values = {dict(has).get(label, "") for (found, has), number in samples.items() if found == name and number}
    return {value: total(samples, name, **{label: value}) for value in sorted(values - {""})}


def by_outcome(samples: Samples) -> dict[str, float]:
    """How many responses had which outcome, without those to operators."""
    of_visitors = {key: value for key, value in samples.items() if ("kind", "ops") not in key[1]}
    return by(of_visitors, "pwgserve_responses_total", "outcome")


def reasons(samples: Samples) -> list[tuple[str, float]]:
    """The reasons of refusals and how often each was given, the most frequent first."""
    found = [(name, number) for name, number in by_outcome(samples).items() if _is_reason(name)]
    return sorted(found, key=lambda pair: -pair[1])


def ratio(part: float, whole: float) -> float | None:
    """A part of a whole; None of nothing."""
    return part / whole if whole else None


def _is_reason(outcome: str) -> bool:
    return outcome not in PICTURES and not outcome.isdigit()
