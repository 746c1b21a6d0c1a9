"""An album that nobody has opened yet: how long its thumbnails take, from photos of 12 megapixels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from visitor import Visitor

from benchmarks import populating, thumbor
from benchmarks.issuing import issuing
from benchmarks.lab import Lab
from benchmarks.populating import Scale
from benchmarks.results import Row, Table, interleaved

CONNECTIONS = 6
"""As many as a browser opens."""

OURS, THUMBOR = "pwgserve", "thumbor"
LARGE = (4000, 3000)


def measure(lab: Lab) -> Iterator[Table]:
    """Seconds until the last thumbnail of an album is there; each round opens an album of its own."""
    count = 10 if lab.quick else 100
    rounds = min(3, lab.rounds)
    gallery = lab.gallery()
    populating.populate(gallery, Scale(2 * count * (rounds + 1), 10, 10, 2, 10))
    photos = [number for number in range(2, 2 * count * (rounds + 1), 2) if number % 50][: count * rounds]
    populating.files(
        gallery,
        photos,
        populating.SIZE if lab.quick else LARGE,
        pool=populating.QUICK_POOL if lab.quick else populating.POOL,
    )
    daemon = lab.daemon(gallery, server={"processes": lab.processes})
    links = asyncio.run(_links(daemon, photos))
    count = len(photos) // rounds

    def opened(port: int, targets: list[str]) -> Callable[[], float]:
        pages = iter([targets[start : start + count] for start in range(0, count * rounds, count)])

        def seconds() -> float:
            started = time.perf_counter()
            with ThreadPoolExecutor(CONNECTIONS) as browser:
                statuses = list(browser.map(lambda target: Visitor(port).get(target).status, next(pages)))
            if set(statuses) != {200}:
                raise RuntimeError(f"not all pictures came: {set(statuses)}")
            return time.perf_counter() - started

        return seconds

    contenders = {OURS: opened(daemon.port, links)}
    if lab.thumbor:
        port = lab.enter(thumbor.running(lab.thumbor, gallery.root, lab.folder(), lab.processes))
        paths = [f"{populating.FOLDER}/{populating.name(photo)}" for photo in photos]
        contenders[THUMBOR] = opened(port, [thumbor.address(path, 144, 108) for path in paths])
    found = interleaved(contenders, rounds)
    rows = [Row(name, found.median(name), found.ratio(name, OURS) if name != OURS else None) for name in contenders]
    yield Table("cold-album", f"A cold album of {count} thumbnails", "seconds", "pwgserve", rows)


async def _links(daemon: object, photos: list[int]) -> list[str]:
    async with issuing(daemon) as parts:  # type: ignore[arg-type]
        rows = await parts.photos(photos)
        return [parts.link(*await parts.picture(rows[photo], "th")) for photo in photos]
