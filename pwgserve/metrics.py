"""What the daemon counts, for Prometheus. Every name is described in docs/metrics.md; none holds a path or a person."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

RENDER_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The numbers of one daemon."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.responses = Counter(
            "pwgserve_responses_total",
            "Responses by kind of address (legacy, signed, ops, other) and outcome",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self.render_seconds = Histogram(
            "pwgserve_render_seconds",
            "Seconds that renderings took, from opening the source to publishing the derivative",
            buckets=RENDER_SECONDS,
            registry=self._registry,
        )
        self.render_jobs = Gauge("pwgserve_render_jobs", "Renderings under way or waiting now", registry=self._registry)

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self._registry)
