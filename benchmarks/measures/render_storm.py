"""How long visitors of finished pictures wait while everything renders: time to the first byte, idle and in a storm."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from itertools import islice, takewhile

from daemon import Daemon

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
    scale = Scale(100 if lab.quick else 400, 10, 10, 2, 10)
    populating.populate(gallery, scale)
    populating.files(
        gallery,
        range(1, scale.photos + 1),
        populating.SIZE if lab.quick else LARGE,
        pool=populating.QUICK_POOL if lab.quick else populating.POOL,
    )
    daemon = lab.daemon(gallery, server={"processes": lab.processes})
    hits, storm = asyncio.run(_links(daemon, scale))
    count = 100 if lab.quick else 1500
    requests = lab.folder() / "storm.txt"
    requests.write_text("".join(f"{link}\t\n" for link in storm))

    def rage() -> None:
        # A machine that is too busy to finish one picture in a second may do so in more.
        for seconds in (1, 2, 4, 8, 16, 32) if lab.quick else (8,):
            replay(daemon.port, requests, seconds, lab.folder(), connections=4 if lab.quick else 16)
            if rendered(daemon) > before:
                break

    with contextlib.closing(visits(daemon.port, hits, 0.002)) as visit:
        list(islice(visit, len(hits) * 3))  # the first ones tell the process about these pictures
        idle = list(islice(visit, count))
        before = rendered(daemon)
        raging = threading.Thread(target=rage)
        raging.start()
        busy = list(takewhile(lambda _: raging.is_alive(), visit))
        raging.join()
    made = rendered(daemon) - before
    if not made:
        raise RuntimeError("nothing was rendered in the storm")
    idle.sort()
    busy.sort()

    def row(what: str, share: float, bar: Bar | None) -> list[Row]:
        calm, stormy = percentile(idle, share), percentile(busy, share)
        return [Row(f"{what}, idle", calm), Row(f"{what}, in the storm", stormy, stormy / calm, bar)]

    yield Table(
        "render-storm",
        "Hits while everything renders",
        "milliseconds to the first byte",
        "idle",
        [*row("p50", 0.5, None), *row("p99", 0.99, Bar(at_most=3))],
        f"{len(busy):,} hits during {made:,.0f} renderings from photos of 12 megapixels; the client had to share the "
        "processor with them, too.",
    )


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
