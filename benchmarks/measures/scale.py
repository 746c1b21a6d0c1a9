"""A gallery of a million photos against one of a thousand: what a picture takes to come, and to be made.

Each request is for another photo, so that nothing is answered from what was known already. Peer: the small gallery.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from daemon import Daemon

from benchmarks import populating
from benchmarks.issuing import issuing
from benchmarks.lab import Lab, photograph
from benchmarks.load import first_bytes
from benchmarks.populating import LARGE, SMALL, Scale
from benchmarks.results import Bar, Row, Table

QUICK = Scale(5_000, 100, 100, 10, 1_000)
BAR = Bar(at_most=1.2)
READY = Bar(at_most=1.0)
PAUSE = 0.002


@dataclass
class Side:
    """One of the two galleries, and what was measured with it: milliseconds."""

    daemon: Daemon
    hits: list[str]
    misses: list[str]
    ready: list[float] = field(default_factory=list)
    of_hits: list[float] = field(default_factory=list)
    of_misses: list[float] = field(default_factory=list)


def measure(lab: Lab) -> Iterator[Table]:
    """Milliseconds to the first byte, and until a started daemon is ready."""
    scales = {"small": SMALL, "large": QUICK if lab.quick else LARGE}
    count = 40 if lab.quick else 200
    sides = {name: _side(lab, scale, count) for name, scale in scales.items()}
    small, large = sides.values()
    for part in range(8):
        for side in sides.values():
            side.of_hits += first_bytes(side.daemon.port, side.hits[part::8], len(side.hits) // 8, PAUSE)
            side.of_misses += first_bytes(side.daemon.port, side.misses[part::8], len(side.misses) // 8, PAUSE)
    for _ in range(lab.rounds):
        for side in sides.values():
            side.daemon.stop()
            started = time.perf_counter()
            side.daemon.start()
            side.ready.append((time.perf_counter() - started) * 1000)

    def rows(what: str, one: list[float], other: list[float], bar: Bar | None) -> list[Row]:
        ratio = median(other) / median(one)
        return [
            Row(f"{what}, {scales['small'].photos:,} photos", median(one)),
            Row(f"{what}, {scales['large'].photos:,} photos", median(other), ratio, bar),
        ]

    yield Table(
        "scale",
        f"A gallery of {scales['large'].photos:,} photos",
        "milliseconds (median)",
        "the small gallery",
        [
            *rows("hit, to the first byte", small.of_hits, large.of_hits, BAR),
            *rows("miss, to the first byte", small.of_misses, large.of_misses, BAR),
            *rows("from start to ready", small.ready, large.ready, None),
            Row("the same, to what is promised", median(large.ready), median(large.ready) / 1000, READY, "1 second"),
        ],
        f"{scales['large'].albums:,} albums, {scales['large'].users:,} users, {scales['large'].groups} groups. "
        "Each request is for a photo that nobody has asked for yet.",
    )
    resident = [memory(pid) for pid in processes(large.daemon.pid)]
    yield Table(
        "memory",
        "Memory of the server process after that",
        "MB",
        "what is allowed",
        [Row("resident", max(resident), max(resident) / 150, Bar(at_most=1.0))],
    )


def _side(lab: Lab, scale: Scale, count: int) -> Side:
    gallery = lab.gallery()
    populating.populate(gallery, scale)
    # Spread over the whole table; only in open albums and of level 0.
    open_ones = [number for number in range(2, scale.photos, 2) if number % 50]
    numbers = open_ones[:: len(open_ones) // (2 * count)][: 2 * count]
    populating.files(gallery, numbers, pool=populating.QUICK_POOL if lab.quick else populating.POOL)
    daemon = lab.daemon(gallery, server={"processes": 1})
    hits, misses = asyncio.run(_links(daemon, numbers[0::2], numbers[1::2]))
    return Side(daemon, hits, misses[: max(16, count // 2)])


async def _links(daemon: Daemon, hits: list[int], misses: list[int]) -> tuple[list[str], list[str]]:
    content = photograph(144, 108).jpegsave_buffer(Q=90)
    links = []
    async with issuing(daemon) as parts:
        photos = await parts.photos([*hits, *misses])
        for number in [*hits, *misses]:
            found, version = await parts.picture(photos[number], "th")
            links.append(parts.link(found, version))
            if number in hits:
                parts.store(version, content)
    return links[: len(hits)], links[len(hits) :]


def processes(pid: int) -> list[int]:
    """The server processes of a daemon; its workers that render are not among them."""
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"render" not in Path(f"/proc/{child}/cmdline").read_bytes():
            found.append(int(child))
    return found


def memory(pid: int) -> float:
    """Megabytes that a process has to itself and shares, resident."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
