import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from pwgserve.cache import upkeep as cache_upkeep
from pwgserve.cache.store import Cache
from pwgserve.cache.tally import SharedTally
from pwgserve.cache.upkeep import EndedError, Upkeep

KEY = b"k" * 32


def store(folder, limit):
    made = Cache(folder / "cache", KEY, limit)
    made.open()
    return made


def used(path, moment):
    """Let a file look as if it had been put there, and last used, at a moment."""
    seal = path.stat().st_mtime_ns % 10**9
    os.utime(path, ns=(int(moment) * 10**9, int(moment) * 10**9 + seal))


def filled(cache, number, size=9_000, age=10_000):
    """Puts so many files; the first is the one that was used longest ago."""
    names = [cache.name(str(index)) for index in range(number)]
    for index, name in enumerate(names):
        cache.put(name, b"x" * size)
        used(Path(cache.location(name)), time.time() - age + index)
    return names


def there(cache, names):
    return [name for name in names if Path(cache.location(name)).exists()]


def eventually(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_least_recently_used_go_when_it_is_full(tmp_path):
    cache = store(tmp_path, 100_000)
    names = filled(cache, 10)
    used(Path(cache.location(names[0])), time.time())
    names += [cache.name("another"), cache.name("and another")]
    cache.put(names[10], b"x" * 9_000)
    cache.put(names[11], b"x" * 9_000)
    eventually(lambda: len(there(cache, names)) <= 10)
    kept = there(cache, names)
    assert names[0] in kept, "it was used just now"
    assert names[11] in kept
    assert names[1] not in kept
    eventually(lambda: cache.upkeep.tally.get().files == len(there(cache, names)))
    assert cache.upkeep.tally.get().size == 9_000 * len(there(cache, names))


@pytest.mark.parametrize("at_once", [1, 3, 50_000])
def test_exactly_the_oldest_go_however_few_are_sorted_at_once(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(cache_upkeep, "SORTED_AT_ONCE", at_once)
    cache = store(tmp_path, 10**9)
    names = []
    for days in range(30):
        name = cache.name(f"day {days}")
        cache.put(name, b"x" * 1000)
        used(Path(cache.location(name)), time.time() - 86_400 * (30 - days) - 50)
        names.append(name)
    done = cache.upkeep.collect(max_size=20_000)
    assert (done.removed, done.removed_size, done.left, done.left_size) == (12, 12_000, 18, 18_000)
    assert there(cache, names) == names[12:]


@pytest.mark.parametrize("at_once", [1, 3, 50_000])
def test_of_files_of_about_the_same_age_no_more_go_than_must(tmp_path, monkeypatch, at_once):
    """As those that were warmed in one night."""
    monkeypatch.setattr(cache_upkeep, "SORTED_AT_ONCE", at_once)
    cache = store(tmp_path, 10**9)
    names = filled(cache, 30, size=1000, age=10**6)
    done = cache.upkeep.collect(max_size=20_000)
    assert (done.removed, done.removed_size, done.left) == (12, 12_000, 18)
    assert len(there(cache, names)) == 18
    if at_once > 30:
        assert there(cache, names) == names[12:]


def test_what_is_looked_at_is_used_however_long_ago_it_was_made(tmp_path):
    cache = store(tmp_path, 10**9)
    names = filled(cache, 10, size=1000)
    os.close(cache.get(names[0]).descriptor)
    cache.upkeep.collect(max_size=5000)
    assert there(cache, names) == [names[0], *names[7:]]


def test_a_store_below_its_limit_is_left_alone(tmp_path):
    cache = store(tmp_path, 10**6)
    names = filled(cache, 5)
    assert cache.upkeep.collect().removed == 0
    assert there(cache, names) == names


PEAK = """
import sys, tracemalloc
from pathlib import Path
from pwgserve.cache import upkeep as cache_upkeep
from pwgserve.cache.store import Cache
cache_upkeep.SORTED_AT_ONCE, cache_upkeep.REST_SECONDS = 500, 0
peaks = []
for number in (200, 1000, 5000):
    cache = Cache(Path(sys.argv[1]) / str(number), b"k" * 32, 10**9)
    cache.open()
    for index in range(number):
        cache.put(cache.name(str(index)), b"x" * 10)
    tracemalloc.start()
    done = cache.upkeep.collect(max_size=number * 5)
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert done.left_size <= number * 5, done
print(*peaks)
"""


def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    # In a process of its own: what else is allocated meanwhile would count.
    done = subprocess.run([sys.executable, "-c", PEAK, str(tmp_path)], capture_output=True, text=True, check=True)
    _, few, many = map(int, done.stdout.split())
    assert many < few + 300_000, "a list of the files would be a million bytes longer"


def test_one_process_at_a_time_collects(tmp_path):
    cache = store(tmp_path, 10**6)
    filled(cache, 3)
    with cache.upkeep._alone() as is_alone:
        assert is_alone
        assert Upkeep(tmp_path / "cache", 1).collect().is_busy
    assert not Upkeep(tmp_path / "cache", 1).collect().is_busy


def test_all_processes_keep_one_tally(tmp_path):
    tallies = [SharedTally(tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=lambda one=one: [one.add(10, 1) for _ in range(200)]) for one in tallies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tallies[0].get().size, tallies[1].get().files) == (8_000, 800)


def test_a_tally_that_cannot_be_kept_stops_nothing(tmp_path):
    assert SharedTally(tmp_path / "missing").add(1, 1).files == 0


HOLDING = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_process_that_is_stopped_while_it_changes_the_tally_keeps_nobody_from_reading_or_changing_it(tmp_path):
    tally = SharedTally(tmp_path)
    tally.add(100, 1)
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "tally")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert tally.get().size == 100
        assert tally.add(10, 1).size == 110
        holder.stdin.close()
    assert tally.get().files == 2


UNREADABLE = """
import json, os, sys
from dataclasses import asdict
from pathlib import Path
from pwgserve.cache.store import Cache
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
cache = Cache(Path(sys.argv[1]), b"k" * 32, 10**6)
cache.open()
done = getattr(cache.upkeep, sys.argv[2])()
print(json.dumps({"skipped": done.skipped, "removed": getattr(done, "removed", 0), "files": done.files if sys.argv[2] == "measure" else done.left}))
"""


def upkeep_of_a_user(folder, work):
    done = subprocess.run(
        [sys.executable, "-c", UNREADABLE, str(folder), work], capture_output=True, text=True, timeout=200
    )
    assert "Traceback" not in done.stderr, done.stderr
    *log, told = done.stdout.splitlines()
    return json.loads(told), log


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make files of other users")
def test_what_belongs_to_somebody_else_is_skipped_and_told_in_one_line(open_folder):
    folder = open_folder / "cache"
    cache = Cache(folder, KEY, 10**9)
    cache.open()
    names = [cache.name(str(index)) for index in range(200)]
    for index, name in enumerate(names):
        cache.put(name, b"x" * 10_000)
        used(Path(cache.location(name)), time.time() - 10_000 + index)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 65534, 65534)
    # The oldest lies in a folder that nobody else enters, the next in one where nobody else removes anything.
    closed, fixed = Path(cache.location(names[0])).parent.parent, Path(cache.location(names[1])).parent
    assert closed not in fixed.parents
    for path, mode in ((closed, 0o700), (fixed, 0o755)):
        os.chown(path, 0, 0)
        path.chmod(mode)
    hidden = sum(1 for path in closed.rglob("*") if path.is_file())
    assert upkeep_of_a_user(folder, "measure") == ({"skipped": 1, "removed": 0, "files": 200 - hidden}, [])
    told, log = upkeep_of_a_user(folder, "collect")
    assert told["skipped"] == 2
    assert told["removed"] >= 100
    assert len(log) == 1
    assert "2 files or folders cannot be read or removed" in log[0]
    told, log = upkeep_of_a_user(folder, "purge")
    assert told["skipped"] >= 2
    assert sum(1 for path in folder.glob("??/??/*")) == hidden + len(list(fixed.iterdir()))


@pytest.fixture
def open_folder():
    """A folder whose path every user may enter; pytest's own are its user's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_store_that_stays_too_full_is_not_walked_through_at_each_picture(tmp_path, monkeypatch):
    cache = store(tmp_path, 20_000)
    walks = []
    monkeypatch.setattr(cache.upkeep, "_removed", lambda path: False)
    monkeypatch.setattr(cache.upkeep, "measure", lambda on_walk: walks.append(1) or Upkeep.measure(cache.upkeep))
    for number in range(10):
        cache.put(cache.name(str(number)), b"x" * 9_000)
        if cache.upkeep._thread:
            cache.upkeep._thread.join()
    assert len(walks) == 1


def test_a_walk_is_ended_when_the_daemon_stops(tmp_path):
    cache = store(tmp_path, 10**9)
    filled(cache, 300)
    seen = []

    def end(files):
        seen.append(files)
        cache.upkeep.end()

    with pytest.raises(EndedError):
        cache.upkeep.measure(end)
    assert len(seen) == 1
    assert seen[0] < 300
    cache.upkeep.collect_if_due()
    assert cache.upkeep.tally.get().measured == 0


def test_abandoned_work_goes_and_present_work_stays(tmp_path):
    cache = store(tmp_path, 10**6)
    old, new = tmp_path / "cache/tmp/old", tmp_path / "cache/tmp/new"
    for file in (old, new):
        file.touch()
    os.utime(old, (1, 1))
    cache.upkeep.collect()
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("way", ["purge", "collect"])
def test_nothing_goes_but_derivatives_wherever_links_lead(tmp_path, way):
    """As where somebody has put a link to their photos, or a folder of theirs, into the cache's."""
    cache = store(tmp_path, 10**6)
    name = filled(cache, 1)[0]
    first, second, _ = name.split("/")
    folder, photos = tmp_path / "cache", tmp_path / "photos"
    kept = [photos / "ab/photo.jpg", photos / "photo.jpg", folder / "their photos/ab/photo.jpg", folder / "ab.jpg"]
    for photo in kept:
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(b"x" * 1000)
    links = [folder / "zz", folder / first / "zz", folder / first / second / "zz"]
    for link, target in zip(links, (photos, photos, photos / "photo.jpg"), strict=True):
        link.symlink_to(target)
    done = cache.upkeep.purge() if way == "purge" else cache.upkeep.collect(max_size=0)
    assert (done.removed, there(cache, [name]), cache.upkeep.tally.get().files) == (1, [], 0)
    assert [path for path in (*kept, *links) if not path.exists()] == []


def test_what_was_counted_today_is_not_counted_again(tmp_path, monkeypatch):
    cache = store(tmp_path, 10**6)
    filled(cache, 2)
    cache.upkeep.collect_if_due()
    assert cache.upkeep.tally.get().files == 2
    Path(cache.location(cache.name("0"))).unlink()
    cache.upkeep.collect_if_due()
    assert cache.upkeep.tally.get().files == 2
    monkeypatch.setattr(cache_upkeep, "COUNT_EVERY", -1)
    cache.upkeep.collect_if_due()
    assert cache.upkeep.tally.get().files == 1


def test_ages_are_told_by_time(tmp_path):
    cache = store(tmp_path, 10**6)
    for days in (0.01, 3, 40):
        name = cache.name(str(days))
        cache.put(name, b"x" * 100)
        used(Path(cache.location(name)), time.time() - days * 86_400)
    contents = cache.upkeep.measure()
    assert (contents.size, contents.files) == (300, 3)
    assert contents.used_within(86_400) == (100, 1)
    assert contents.used_within(7 * 86_400) == (200, 2)
    assert contents.oldest == pytest.approx(40 * 86_400, rel=0.02)
