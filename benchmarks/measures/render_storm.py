"""How long visitors of finished pictures wait while everything renders: time to the first byte, idle and in a storm."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from statistics import median

from daemon import Daemon
from waiting import until

from benchmarks import populating
from benchmarks.issuing import issuing
from benchmarks.lab import Lab, photograph
from benchmarks.load import percentile, replay, visits
from benchmarks.populating import Scale
from benchmarks.results import Bar, Row, Table

SIZES = ("2s", "xs", "sm", "me", "la", "xl")
LARGE = (4000, 3000)
"""Pixels of the photos that are rendered meanwhile."""


def measure(lab: Lab) -> Iterator[Table]:
    """Milliseconds for one hit at a time, on a connection that stays."""
    gallery = lab.gallery()
    scale = Scale(100 if lab.quick else 1200, 10, 10, 2, 10)
    populating.populate(gallery, scale)
    populating.files(
        gallery,
        range(1, scale.photos + 1),
        populating.SIZE if lab.quick else LARGE,
        pool=populating.QUICK_POOL if lab.quick else populating.POOL,
    )
    daemon = lab.daemon(gallery, server={"processes": lab.processes})
    hits, links = asyncio.run(_links(daemon, scale))
    with contextlib.closing(visits(daemon.port, hits, 0.002)) as visit:
        storms = []
        for number in range(lab.rounds):
            until(lambda: daemon.metric("pwgserve_render_jobs") == 0)
            list(islice(visit, len(hits) * 3))  # the first ones tell the process about these pictures
            storms.append(_storm(lab, daemon, links[number :: lab.rounds], visit))

    def row(what: str, share: float, bar: Bar | None) -> list[Row]:
        calm = [percentile(storm.idle, share) for storm in storms]
        stormy = [percentile(storm.busy, share) for storm in storms]
        ratio = median(one / other for one, other in zip(stormy, calm, strict=True))
        return [Row(f"{what}, idle", median(calm)), Row(f"{what}, in the storm", median(stormy), ratio, bar)]

    answered, made = sum(len(storm.busy) for storm in storms), sum(storm.made for storm in storms)
    yield Table(
        "render-storm",
        "Hits while everything renders",
        "milliseconds to the first byte",
        "idle",
        [*row("p50", 0.5, None), *row("p99", 0.99, Bar(at_most=3))],
        f"{answered:,} hits during {made:,.0f} renderings from photos of 12 megapixels, in {len(storms)} storms; the "
        "client had to share the processor with them, too.",
    )


@dataclass(frozen=True)
class _Storm:
    """Milliseconds of hits before and during a storm, in order of size, and how many renderings were made in it."""

    idle: list[float]
    busy: list[float]
    made: float


def _storm(lab: Lab, daemon: Daemon, links: Sequence[str], visit: Iterator[float]) -> _Storm:
    requests = lab.folder() / "storm.txt"
    requests.write_text("".join(f"{link}\t\n" for link in links))
    idle = list(islice(visit, 100 if lab.quick else 1500))
    before = rendered(daemon)

    def rage() -> None:
        # A machine that is too busy to finish one picture in a second may do so in more.
        for seconds in (1, 2, 4, 8, 16, 32) if lab.quick else (8,):
            replay(daemon.port, requests, seconds, lab.folder(), connections=4 if lab.quick else 16)
            if rendered(daemon) > before:
                break

    raging = threading.Thread(target=rage)
    raging.start()
    busy = list(takewhile(lambda _: raging.is_alive(), visit))
    raging.join()
    made = rendered(daemon) - before
    if not made:
        raise RuntimeError("nothing was rendered in the storm")
    return _Storm(sorted(idle), sorted(busy), made)


async def _links(daemon: Daemon, scale: Scale) -> tuple[list[str], list[str]]:
    """Links to thumbnails that are put into the cache, and to sizes that are not."""
    content = photograph(144, 108).jpegsave_buffer(Q=90)
    hits, storm = [], []
    async with issuing(daemon) as parts:
        photos = await parts.photos(range(1, scale.photos + 1))
        for number, photo in photos.items():
            if number % 2 or number % 50 == 0:
                continue
            found, version = await parts.picture(photo, "th")
            parts.store(version, content)
            hits.append(parts.link(found, version))
            storm += [parts.link(*await parts.picture(photo, size)) for size in SIZES]
    return hits[:50], storm


def rendered(daemon: Daemon) -> float:
    """How many renderings the daemon has finished."""
    text = daemon.visitor().get("/-/metrics").body.decode()
    return float(text.partition("\npwgserve_render_seconds_count ")[2].split()[0])
