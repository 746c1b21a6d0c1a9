"""A cache of a million derivatives: what its upkeep takes, and whether visitors notice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path

from daemon import Daemon

from benchmarks import populating
from benchmarks.issuing import issuing
from benchmarks.lab import Lab, photograph
from benchmarks.load import percentile, visits
from benchmarks.populating import Scale
from benchmarks.results import Row, Table

CONTENT = b"x" * 64


def measure(lab: Lab) -> Iterator[Table]:
    """Milliseconds of hits, alone and while the cache is counted; and what the counting takes."""
    count = 3_000 if lab.quick else 1_000_000
    gallery = lab.gallery()
    populating.populate(gallery, Scale(200, 10, 10, 2, 10))
    populating.files(gallery, range(1, 201), pool=populating.QUICK_POOL if lab.quick else populating.POOL)
    daemon = lab.daemon(gallery, server={"processes": lab.processes})
    hits = asyncio.run(_hits(daemon))
    fill(Path(daemon.tables["cache"]["dir"]), count)
    command = [sys.executable, "-m", "pwgserve", "cache", "gc", "--config", str(daemon.directory / "pwgserve.toml")]
    told: list[tuple[float, float]] = []
    with contextlib.closing(visits(daemon.port, hits, 0.002)) as visit:
        list(islice(visit, 300))  # the first ones tell the process about these pictures
        calm = sorted(islice(visit, 500))
        counting = threading.Thread(target=lambda: told.append(_resources_of(command)))
        counting.start()
        busy = sorted(takewhile(lambda _: counting.is_alive(), visit))
        counting.join()
    seconds, megabytes = told[0]
    rows = [
        Row("hit, p50, idle", percentile(calm, 0.5)),
        Row("hit, p50, during cache gc", percentile(busy, 0.5), percentile(busy, 0.5) / percentile(calm, 0.5)),
        Row("hit, p99, idle", percentile(calm, 0.99)),
        Row("hit, p99, during cache gc", percentile(busy, 0.99), percentile(busy, 0.99) / percentile(calm, 0.99)),
    ]
    note = f"`pwgserve cache gc` looked at {count:,} files in {seconds:.0f} s with {megabytes:.0f} MB of memory."
    yield Table("many-files", f"A cache of {count:,} files", "milliseconds to the first byte", "idle", rows, note)


async def _hits(daemon: Daemon) -> list[str]:
    content = photograph(144, 108).jpegsave_buffer(Q=90)
    links = []
    async with issuing(daemon) as parts:
        for photo in (await parts.photos(range(2, 101, 2))).values():
            if photo.photo_id % 50:
                found, version = await parts.picture(photo, "th")
                parts.store(version, content)
                links.append(parts.link(found, version))
    return links


def fill(cache: Path, count: int) -> None:
    """Put many small files where derivatives lie."""
    for number in range(count):
        folder = cache / f"{number % 256:02x}/{number // 256 % 256:02x}"
        if number < 65_536:
            folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / f"{number:060x}", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, CONTENT)
        os.close(descriptor)


def _resources_of(command: list[str]) -> tuple[float, float]:
    """Seconds that a command takes, and the most megabytes that it had."""
    script = (
        "import json, resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(json.dumps(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    return time.perf_counter() - started, json.loads(done.stdout) * 1024 / 1e6
