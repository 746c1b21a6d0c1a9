"""Whether serving leaks: memory and descriptors of the server processes over millions of requests of all kinds.

    nice python -m benchmarks.soak_serving [--minutes 20] [--photos 100000]

A generated gallery; guests and people who are logged in, in turns: pictures that are in the cache, Piwigo's addresses
(a redirect), refusals, pictures that must be rendered, sessions that come and go. Prints a table in Markdown with a row
for every tenth part. Exit code 1 when the server processes have grown by more than MAX_GROWTH in the second half, when
one of them ended, or when descriptors were left open. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from pathlib import Path

from benchmarks.lab import PROCESSES, Daemon, Lab, TestGallery
from benchmarks.load import REFUSED, Load, hammer, replay
from benchmarks.measures.mixed_traffic import Look, prepared, visits
from benchmarks.populating import FIRST_USER, Scale, address, cookie, files, populate

MEGABYTE = 1_000_000
MAX_GROWTH = 0.1
"""Of all that the server processes have when half of the time is over. Before, their memories of answers fill up; how
far depends on how much is asked for in half a second, so that all of it should be on an equally busy machine."""

MAX_MORE_FILES = 20
SLICE = 5.0
"""Seconds of one kind of requests."""


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


class Soak:
    """The kinds of traffic on one daemon, a slice of each at a time."""

    def __init__(self, lab: Lab, gallery: TestGallery, daemon: Daemon, looks: list[Look]) -> None:
        self._folder = lab.folder()
        self._gallery = gallery
        self._daemon = daemon
        self._signed = asyncio.run(prepared(daemon, looks, lab.folder(), None))
        self._legacy = self._written("legacy", looks)
        self._looks = looks
        self.requests = 0

    def cycle(self, dice: random.Random) -> None:
        """A slice of every kind. Raises RuntimeError when something was answered as it must not be."""
        port = self._daemon.port
        self._count(replay(port, self._signed, SLICE, self._folder), "signed")
        self._count(replay(port, self._legacy, SLICE, self._folder), "redirects")
        refused = hammer(port, f"/i.php?/upload/2026/05/14/{dice.randrange(10**6):08x}-none-th.jpg", 1)
        answered = round(refused.per_second)
        self.requests += answered
        # None at all is no defect: the machine may have had no time for any in this second.
        if refused.errors.get(REFUSED, 0) < answered:
            raise RuntimeError("what does not exist was answered")
        for look in dice.sample(self._looks, min(20, len(self._looks))):
            visitor = self._daemon.visitor(cookie(look.user) if look.user else None)
            answer = visitor.follow(address(look.photo, "2s"))
            if answer.status != 200:
                raise RuntimeError(f"a picture that must be rendered: {answer.status}")
        self._gallery.session(FIRST_USER + dice.randrange(5), f"soak{dice.randrange(10**9)}")

    def _count(self, load: Load, kind: str) -> None:
        if load.errors:
            raise RuntimeError(f"{load.errors}: {kind}")
        self.requests += round(load.per_second * SLICE)

    def _written(self, name: str, looks: list[Look]) -> Path:
        file = self._folder / f"{name}.txt"
        lines = [f"{address(look.photo, look.code)}\t{cookie(look.user) if look.user else ''}\n" for look in looks]
        file.write_text("".join(lines))
        return file


def soak(minutes: float, photos: int) -> bool:
    """Whether nothing has leaked."""
    scale = Scale(photos, max(20, photos // 100), 50, 10, 1_000)
    dice = random.Random(1)
    print("| minutes | requests | server processes | descriptors |\n|---|---|---|---|", flush=True)
    rows: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory(prefix="pwgserve-soak-") as directory, Lab(Path(directory)) as lab:
        looks = visits(scale, pages=100, dice=random.Random(7))
        gallery = lab.gallery()
        populate(gallery, scale)
        files(gallery, {look.photo for look in looks})
        daemon = lab.daemon(gallery, server={"processes": PROCESSES})
        processes = daemon.processes()
        running = Soak(lab, gallery, daemon, looks)
        started = time.monotonic()
        for part in range(10):
            while True:
                running.cycle(dice)
                passed = (time.monotonic() - started) / 60
                if passed > minutes * (part + 1) / 10:
                    break
            time.sleep(1)
            rows.append((sum(map(resident, processes)), sum(map(descriptors, processes))))
            sizes = " + ".join(f"{resident(pid) / MEGABYTE:.1f}" for pid in processes)
            print(f"| {passed:.1f} | {running.requests:,} | {sizes} MB | {rows[-1][1]} |", flush=True)
        survived = daemon.processes() == processes
    half, last = rows[4], rows[-1]
    return survived and last[0] < half[0] * (1 + MAX_GROWTH) and last[1] <= half[1] + MAX_MORE_FILES


def main() -> int:
    """Soak as long as is asked for."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--minutes", type=float, default=20)
    arguments.add_argument("--photos", type=int, default=100_000)
    given = arguments.parse_args()
    return 0 if soak(given.minutes, given.photos) else 1


if __name__ == "__main__":
    raise SystemExit(main())
