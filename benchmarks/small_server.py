"""Whether a small server renders what it promises: a real daemon, with the defaults of such a machine, in its memory.

    python -m benchmarks.small_server [--machine 1000] [--others 350] [--photos 60]

--machine: megabytes of the machine; --others: what its system, database and PHP have of them. The daemon gets the rest
and not a byte more (a control group's limit; nothing can be swapped), where this kernel lets us make a group; otherwise
its memory is only measured. Prints a table in Markdown: seconds, and the peak of what the daemon and all its workers
have together, without the page cache. Exit code 1 when a picture did not come out or the kernel had to kill a process.
"""

import argparse
import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyvips

from benchmarks.lab import Daemon, Databases
from benchmarks.render_memory import photograph
from pwgserve.render.limits import MEGABYTE, memory_for_one, workers_for
from pwgserve.service.share import processes_for

CORES = 2
BROWSER = 6
"""Connections of one browser."""

LARGE = {
    1: ("100-megapixel JPEG, baseline", 100, "jpg", {"Q": 90}),
    2: ("100-megapixel JPEG, progressive", 100, "jpg", {"Q": 90, "interlace": True, "subsample_mode": "on"}),
    3: ("50-megapixel PNG", 50, "png", {"compression": 1}),
}
FIRST_OF_ALBUM = 100


class Group:
    """A control group of our own for the daemon, below the one that we are in, so that nobody's limits are left."""

    def __init__(self, limit: int) -> None:
        own = {line.split(":", 2)[1]: line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().split()}
        root = Path("/sys/fs/cgroup")
        self.is_old = "memory" in own
        parent = root / "memory" / own["memory"].lstrip("/") if self.is_old else root / own[""].lstrip("/")
        self.folder = parent / f"pwgserve-{os.getpid()}"
        self.folder.mkdir()
        (self.folder / ("memory.limit_in_bytes" if self.is_old else "memory.max")).write_text(str(limit))

    def prefix(self) -> list[str]:
        """A command that starts another inside of the group."""
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh"]

    def used(self) -> int:
        """Bytes that its processes have, without the page cache."""
        stat = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        return int(stat["rss"]) + int(stat.get("mapped_file", 0)) if self.is_old else int(stat["anon"])

    def kills(self) -> int:
        """How many processes the kernel has killed for want of memory."""
        file = self.folder / ("memory.oom_control" if self.is_old else "memory.events")
        return int(dict(line.split() for line in file.read_text().splitlines()).get("oom_kill", 0))

    def remove(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.1)


def group(limit: int) -> Group | None:
    """A group with a limit in bytes, None where we may not make one."""
    try:
        return Group(limit)
    except (OSError, KeyError):
        return None


def proportional(daemon: Daemon) -> int:
    """What a daemon's processes have together, of what they share each its part."""
    found = 0
    for pid in (daemon.pid, *daemon.processes(), *daemon.workers()):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            found += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return found


class Watch:
    """The peak of memory while a block runs."""

    def __init__(self, daemon: Daemon, limited: Group | None) -> None:
        self.peak = 0
        self._ask = limited.used if limited else lambda: proportional(daemon)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            with contextlib.suppress(OSError, StopIteration):
                self.peak = max(self.peak, self._ask())

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextlib.contextmanager
def gallery(folder: Path, photos: int) -> Iterator[object]:
    made = Databases(folder / "unused").gallery("sqlite", folder)
    made.user(2, "guest", "guest")
    made.album(1)
    made.paths = {}
    for number, (_, megapixels, extension, options) in LARGE.items():
        path = f"upload/2026/05/14/large-{number}.{extension}"
        file = made.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        image = photograph(megapixels)
        image.write_to_file(str(file), **options)
        made.paths[number] = made.photo(number, (1,), (image.width, image.height), path=path)
    one = made.root / "upload/2026/05/14/one.jpg"
    image = photograph(24)
    image.write_to_file(str(one), Q=90)
    for number in range(FIRST_OF_ALBUM, FIRST_OF_ALBUM + photos):
        path = f"upload/2026/05/14/photo-{number}.jpg"
        os.link(one, made.root / path)
        made.paths[number] = made.photo(number, (1,), (image.width, image.height), path=path)
    yield made
    made.engine.dispose()


def look(daemon: Daemon, path: str, code: str) -> str | None:
    """What went wrong with a size of a photo, None when it came out. Comes back as browsers do when told to."""
    stem, _, extension = path.rpartition(".")
    for _ in range(100):
        answer = daemon.visitor().follow(f"/i.php?/{stem}-{code}.{extension}")
        if answer.status == 200:
            return None if pyvips.Image.new_from_buffer(answer.body, "").avg() > 0 else "an empty picture"
        if answer.status != 503:
            break
        time.sleep(int(answer.headers["retry-after"]))
    return f"{path} {code}: {answer.status}"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--machine", type=int, default=1000)
    arguments.add_argument("--others", type=int, default=350)
    arguments.add_argument("--photos", type=int, default=60)
    given = arguments.parse_args()
    machine, ours = given.machine * MEGABYTE, (given.machine - given.others) * MEGABYTE
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))
    limited = group(ours)
    # What the daemon would choose on such a machine; here it would see the larger one, or the group.
    render = {"workers": workers_for(CORES, machine), "max_memory": memory_for_one(machine), "timeout": "300s"}
    server = {"processes": processes_for(CORES, machine)}
    problems: list[str] = []
    try:
        with tempfile.TemporaryDirectory() as name, gallery(Path(name), given.photos) as made:
            changes = {"render": render, "server": server, "cache": {"max_size": "1GB"}}
            directory = Path(name) / "daemon"
            directory.mkdir()
            daemon = Daemon(made, directory, changes, prefix=limited.prefix() if limited else ()).start()
            try:
                problems = tried(daemon, made.paths, limited)
                print(f"\n{server['processes']} server processes, {render['workers']} workers, at most ", end="")
                print(f"{render['max_memory'] // MEGABYTE} MB for one picture, {ours // MEGABYTE} MB in all; ", end="")
                print("held to it by the kernel" if limited else "only measured: this kernel lets us make no group")
                problems += [f"{limited.kills()} processes were killed"] if limited and limited.kills() else []
            finally:
                daemon.stop()
    finally:
        if limited:
            limited.remove()
    print("\n".join(problems))
    return int(bool(problems))


def tried(daemon: Daemon, paths: dict[int, str], limited: Group | None) -> list[str]:
    """Every stage, one after the other; returns what went wrong."""
    album = [(path, "me") for number, path in paths.items() if number >= FIRST_OF_ALBUM]
    stages = [(LARGE[number][0], [(paths[number], "xx")]) for number in LARGE]
    stages.append((f"album of {len(album)} cold 24-megapixel photos", album))
    everything = [(paths[number], code) for number in LARGE for code in ("me", "xl")]
    stages.append(("all of them at once, in other sizes", everything + [(path, "th") for path, _ in album]))
    print("| | seconds | peak of daemon and workers |\n|---|---|---|", flush=True)
    problems: list[str] = []
    with Watch(daemon, limited) as idle:
        time.sleep(0.5)
    print(f"| nothing, after the start | | {idle.peak / MEGABYTE:.0f} MB |", flush=True)
    for name, pictures in stages:
        started = time.perf_counter()
        with Watch(daemon, limited) as watch, ThreadPoolExecutor(BROWSER) as pool:
            found = list(pool.map(lambda one: look(daemon, *one), pictures))
        problems += [problem for problem in found if problem]
        seconds = time.perf_counter() - started
        print(f"| {name} | {seconds:.1f} | {watch.peak / MEGABYTE:.0f} MB |", flush=True)
    return problems


if __name__ == "__main__":
    raise SystemExit(main())
