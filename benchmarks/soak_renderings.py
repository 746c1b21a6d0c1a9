"""Whether rendering leaks: the memory of the process that asks and of the workers, over thousands of renderings.

    nice python -m benchmarks.soak_renderings [--renderings 10000] [--per-worker 1000]

Pictures of all formats, some of them broken, through a real pool with confined workers; half of the time four sizes of
one picture are asked for together. Prints a table in Markdown with
a row for every tenth part. Exit code 1 when a process of ours has grown by more than MAX_GROWTH since the first row, or
when a descriptor was left open. Linux only.
"""

import argparse
import asyncio
import contextlib
import os
import random
import tempfile
import time
from pathlib import Path

import pyvips

from pwgserve.render.limits import MEGABYTE, Limits
from pwgserve.render.plan import RenderPlan
from pwgserve.render.pool import RenderPool
from pwgserve.render.turns import Client
from pwgserve.render.workers import PoolSettings, UnrenderableError

LIMITS = Limits(max_pixels=10**8, max_frames=100, max_source=10**8, max_memory=500 * MEGABYTE)
MAX_GROWTH = 32 * MEGABYTE
FORMATS = {"jpg": "jpeg", "png": "png", "gif": "gif", "webp": "webp"}


def pictures(folder: Path) -> list[Path]:
    """Pictures of every format in several sizes; every eighth is cut off in its middle."""
    made = []
    for number in range(32):
        extension = list(FORMATS)[number % 4]
        image = pyvips.Image.perlin(500 + 40 * number, 400 + 30 * number, cell_size=64, uchar=True, seed=number)
        file = folder / f"{number}.{extension}"
        image.bandjoin([image.invert(), image]).copy(interpretation="srgb").write_to_file(str(file))
        if number % 8 == 7:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        made.append(file)
    return made


def resident(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def render(pool: RenderPool, file: Path, number: int, together: int | None) -> bool:
    """Render one picture; False when it is a broken one. together: the same for sizes that are asked for together."""
    side = 100 + number % 300
    plan = RenderPlan((side, side), number % 2, None, None, number % 4, 30, 90, FORMATS[file.suffix[1:]], None)
    output = os.memfd_create("output")
    try:
        with file.open("rb") as source:
            await pool.render(str(number), Client(f"c{number % 3}"), plan, source.fileno(), output, None, together)
        assert os.fstat(output).st_size > 0
        return True
    except UnrenderableError:
        return False
    finally:
        os.close(output)


async def soak(renderings: int, per_worker: int) -> bool:
    """Whether nothing has leaked."""
    dice = random.Random(1)
    seen: set[int] = set()
    rows: list[tuple[int, int, int]] = []
    good = broken = 0
    started = time.monotonic()
    pool = RenderPool(PoolSettings(2, 1000, 60.0, LIMITS, renderings_per_worker=per_worker))
    await pool.start()
    print("| renderings | daemon's side | largest worker | descriptors | workers so far | refused | minutes |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        files = pictures(Path(folder))
        batch = 4
        for first in range(0, renderings, batch):
            numbers = range(first, min(first + batch, renderings))
            together = first if dice.random() < 0.5 else None
            chosen = [dice.choice(files)] * batch if together is not None else dice.choices(files, k=batch)
            done = await asyncio.gather(
                *(render(pool, file, number, together) for file, number in zip(chosen, numbers, strict=False))
            )
            good += sum(done)
            broken += len(done) - sum(done)
            seen |= {worker.process.pid for worker in pool.workers.idle}
            if (first + batch) % max(batch, renderings // 10) < batch:
                with contextlib.suppress(FileNotFoundError):
                    workers = [resident(worker.process.pid) for worker in pool.workers.idle]
                rows.append((resident("self"), max(workers, default=0), descriptors()))
                own, worker, count = rows[-1]
                minutes = (time.monotonic() - started) / 60
                figures = f"{own / MEGABYTE:.1f} MB | {worker / MEGABYTE:.1f} MB | {count} | {len(seen)} | {broken}"
                print(f"| {good + broken} | {figures} | {minutes:.1f} |", flush=True)
    await pool.close()
    first, last = rows[0], rows[-1]
    return last[0] - first[0] < MAX_GROWTH and last[1] - first[1] < MAX_GROWTH and last[2] <= first[2] + 8


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--renderings", type=int, default=10_000)
    arguments.add_argument("--per-worker", type=int, default=1000, help="after how many a worker is replaced")
    given = arguments.parse_args()
    return 0 if asyncio.run(soak(given.renderings, given.per_worker)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
