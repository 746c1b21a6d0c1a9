"""What the daemon counts, for Prometheus. Every name is described in docs/metrics.md; none holds a path or a person.

Most numbers are kept where they arise and read when somebody asks. Those of several server processes are put together
by `shared`; what the numbers of the last hours were, `trend` knows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from pwgserve import __version__
from pwgserve.numbers.shared import Samples, SharedNumbers

RENDER_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

Number: TypeAlias = float | Mapping[str, float]
"""A number, or numbers by the value of a label."""


@dataclass(frozen=True)
class Reading:
    """A number that is kept elsewhere. label: what its values are told apart by.

    is_same: every process knows all of it; others are parts that add up.
    """

    kind: str
    text: str
    label: str = ""
    is_same: bool = False


READINGS: Mapping[str, Reading] = {
    "pwgserve_build_info": Reading("gauge", "1, with the version", "version", is_same=True),
    "pwgserve_uptime_seconds": Reading("gauge", "Seconds since the oldest server process started", is_same=True),
    "pwgserve_processes": Reading("gauge", "Server processes"),
    "pwgserve_connections": Reading("gauge", "Connections that are open now"),
    "pwgserve_render_jobs": Reading("gauge", "Renderings under way or waiting now"),
    "pwgserve_render_queue": Reading("gauge", "Renderings that wait for a worker now"),
    "pwgserve_workers": Reading("gauge", "Worker processes that render"),
    "pwgserve_workers_ended": Reading("counter", "Workers that ended or were replaced, by reason", "reason"),
    "pwgserve_workers_confined_info": Reading("gauge", "1, with how workers are confined", "by", is_same=True),
    "pwgserve_cache_bytes": Reading("gauge", "Bytes of derivatives in the cache", is_same=True),
    "pwgserve_cache_files": Reading("gauge", "Derivatives in the cache", is_same=True),
    "pwgserve_cache_limit_bytes": Reading("gauge", "cache.max_size", is_same=True),
    "pwgserve_database_questions": Reading("counter", "Questions that the gallery's database was asked"),
    "pwgserve_database_failures": Reading("counter", "Questions that it did not answer, or not in time"),
    "pwgserve_audit_lost": Reading("counter", "Lines that could not be written into the audit log"),
}
"""Name (a counter's without `_total`) → what it is."""


class Metrics:
    """The numbers of one daemon, together with those of its other processes, if it has any."""

    def __init__(self, shared: SharedNumbers | None = None) -> None:
        self._registry = CollectorRegistry()
        self._readings: dict[str, Callable[[], Number]] = {}
        self._shared = shared
        self._started = time.monotonic()
        self._counted: dict[tuple[str, str], int] = {}
        self._sent = 0
        self.responses = Counter(
            "pwgserve_responses_total",
            "Responses by kind of address (legacy, signed, ops, other) and outcome",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self.sent_bytes = Counter(
            "pwgserve_sent_bytes_total",
            "Bytes of pictures and other bodies that were sent, without those that a proxy sends for us",
            registry=self._registry,
        )
        self.render_seconds = Histogram(
            "pwgserve_render_seconds",
            "Seconds that renderings took, from opening the source to publishing the derivative",
            buckets=RENDER_SECONDS,
            registry=self._registry,
        )
        self.read("pwgserve_build_info", lambda: {__version__: 1.0})
        self.read("pwgserve_uptime_seconds", lambda: time.monotonic() - self._started)
        self.read("pwgserve_processes", lambda: 1.0)
        self._registry.register(_Readings(self._readings))

    def read(self, name: str, number: Callable[[], Number]) -> None:
        """Say where a number of READINGS is to be read."""
        if name not in READINGS:
            raise ValueError(f"{name} is not described in READINGS")
        self._readings[name] = number

    async def samples(self) -> Samples:
        """The daemon's numbers, of all its processes together."""
        own = self._own()
        return await asyncio.to_thread(self._shared.together, own, _IS_SAME) if self._shared else own

    async def publish(self) -> None:
        """Tell the daemon's other processes the numbers of this one."""
        if self._shared:
            await asyncio.to_thread(self._shared.publish, self._own())

    def outcomes(self) -> dict[str, int]:
        """How many responses there were of each outcome, whatever the address."""
        self._add_counted()
        found: dict[str, int] = {}
        for family in self.responses.collect():
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    outcome = sample.labels["outcome"]
                    found[outcome] = found.get(outcome, 0) + int(sample.value)
        return found

    def renderings(self) -> dict[str, float]:
        """How many renderings there were, and how many seconds they took together."""
        samples = {sample.name: sample.value for family in self.render_seconds.collect() for sample in family.samples}
        return {"count": samples["pwgserve_render_seconds_count"], "seconds": samples["pwgserve_render_seconds_sum"]}

    def count(self, kind: str, outcome: str, sent: int = 0) -> None:
        """Count one response, and so many bytes of its body."""
        # The library's counters look labels up and take a lock, which costs as much as many an answer.
        self._counted[kind, outcome] = self._counted.get((kind, outcome), 0) + 1
        self._sent += sent

    def _add_counted(self) -> None:
        """Put what was counted since the last time into the library's counters."""
        for (kind, outcome), count in self._counted.items():
            self.responses.labels(kind, outcome).inc(count)
        self.sent_bytes.inc(self._sent)
        self._counted, self._sent = {}, 0

    def text(self, samples: Samples | None = None) -> bytes:
        """Numbers in Prometheus' text format; this process's own, if none are given."""
        return in_text_format(self._families(), self._own() if samples is None else samples)

    def _own(self) -> Samples:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self._families()
            for sample in family.samples
            if not sample.name.endswith("_created")
        }

    def _families(self) -> list[Metric]:
        self._add_counted()
        return list(self._registry.collect())


class _Readings(Collector):
    """Gives the library the numbers that are kept elsewhere."""

    def __init__(self, readings: Mapping[str, Callable[[], Number]]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        for name, about in READINGS.items():
            family = Metric(name, about.text, about.kind)
            number = self._readings[name]() if name in self._readings else 0.0
            suffix = "_total" if about.kind == "counter" else ""
            values = number if isinstance(number, Mapping) else {"": number}
            for value, amount in values.items():
                family.add_sample(name + suffix, {about.label: value} if value else {}, amount)
            yield family


class _Merged(Collector):
    def __init__(self, families: Sequence[Metric], samples: Samples) -> None:
        self._families = families
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        names = {sample.name: family.name for family in self._families for sample in family.samples}
        merged = {family.name: Metric(family.name, family.documentation, family.type) for family in self._families}
        for (name, labels), value in self._samples.items():
            # What only another process has counted so far has a family here, too, but for its samples' names.
            family = names.get(name, name.removesuffix("_total"))
            if family in merged:
                merged[family].add_sample(name, dict(labels), value)
        yield from merged.values()


def in_text_format(families: Sequence[Metric], samples: Samples) -> bytes:
    """The samples as Prometheus reads them, under the names and descriptions of the families."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Merged(families, samples))
    return generate_latest(registry)


_IS_SAME = frozenset(name for name, about in READINGS.items() if about.is_same)
