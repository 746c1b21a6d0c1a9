import os
import signal
import subprocess
import sys
import time

import pytest

from pwgserve.cache import Cache, CacheError

KEY = b"k" * 32


@pytest.fixture
def cache(tmp_path):
    made = Cache(tmp_path / "cache", KEY, 100_000)
    made.open()
    return made


def put(cache, name, content=b"picture"):
    with cache.draft() as draft:
        os.write(draft.descriptor, content)
        cache.publish(draft, name)


def content_of(cache, name):
    entry = cache.get(name)
    if entry is None:
        return None
    try:
        return os.read(entry.descriptor, entry.size + 1)
    finally:
        os.close(entry.descriptor)


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_was_published_is_found(cache):
    name = cache.name("a", "b")
    assert cache.get(name) is None
    put(cache, name, b"x" * 1000)
    assert content_of(cache, name) == b"x" * 1000


def test_names_depend_on_every_fact_and_on_the_key(cache, tmp_path):
    names = {cache.name("a", "b"), cache.name("ab"), cache.name("a", "b", ""), cache.name("b", "a")}
    assert len(names) == 4
    assert Cache(tmp_path, b"l" * 32, 1).name("a", "b") not in names
    assert cache.name("a", "b") == Cache(tmp_path / "elsewhere", KEY, 1).name("a", "b")
    assert "upload" not in cache.name("upload/2026/x.jpg")


def test_files_are_for_the_daemon_only(cache, tmp_path):
    name = cache.name("a")
    put(cache, name)
    assert cache.path(name).stat().st_mode & 0o077 == 0
    assert cache.path(name).parent.stat().st_mode & 0o077 == 0


def test_a_draft_that_is_not_published_vanishes(cache, tmp_path):
    with pytest.raises(ZeroDivisionError), cache.draft() as draft:
        os.write(draft.descriptor, b"half")
        raise ZeroDivisionError
    assert files_in(tmp_path) == []


def test_an_empty_file_is_no_derivative(cache):
    name = cache.name("a")
    put(cache, name)
    os.truncate(cache.path(name), 0)
    assert cache.get(name) is None


def test_a_planted_link_is_not_followed(cache, tmp_path):
    name = cache.name("a")
    put(cache, name)
    secret = tmp_path / "secret"
    secret.write_text("keys")
    cache.path(name).unlink()
    cache.path(name).symlink_to(secret)
    assert cache.get(name) is None


def test_the_least_recently_used_go_when_it_is_full(cache):
    names = [cache.name(str(number)) for number in range(12)]
    for age, name in enumerate(names[:10]):
        put(cache, name, b"x" * 9_000)
        then = time.time() - 10_000 + age
        os.utime(cache.path(name), (then, then))
    content_of(cache, names[0])  # used now
    put(cache, names[10], b"x" * 9_000)
    put(cache, names[11], b"x" * 9_000)
    kept = [name for name in names if content_of(cache, name)]
    assert names[0] in kept
    assert names[11] in kept
    assert names[1] not in kept
    assert 8 <= len(kept) <= 10


def test_reading_does_not_write_each_time(cache):
    name = cache.name("a")
    put(cache, name)
    content_of(cache, name)
    before = cache.path(name).stat().st_atime_ns
    cache.get(name)
    assert cache.path(name).stat().st_atime_ns == before


def test_opening_removes_what_was_abandoned_and_keeps_what_is_being_made(cache, tmp_path):
    old, new = tmp_path / "cache/tmp/old", tmp_path / "cache/tmp/new"
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    cache.open()
    assert files_in(tmp_path) == [new]


def test_a_file_in_place_of_the_folder_is_an_error_that_names_it(tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(CacheError, match=r"cache\.dir: cannot write to .*cache: .*; make the folder"):
        Cache(tmp_path / "cache", KEY, 1).open()


WRITER = """
import os, sys
from pathlib import Path
from pwgserve.cache import Cache
cache = Cache(Path(sys.argv[1]), b"k" * 32, 10**9)
cache.open()
number = 0
print("ready", flush=True)
while True:
    number += 1
    with cache.draft() as draft:
        for _ in range(20):
            os.write(draft.descriptor, b"%06d" % number * 1000)
        cache.publish(draft, cache.name(str(number)))
"""


def test_a_daemon_killed_at_any_moment_leaves_only_whole_derivatives(tmp_path):
    for moment in (0.02, 0.05, 0.11, 0.17):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    derivatives = [file for file in files_in(tmp_path) if file.parent.name != "tmp"]
    assert derivatives
    for file in derivatives:
        content = file.read_bytes()
        assert len(content) == 120_000
        assert content == content[:6] * 20_000


FULL = """
import os, resource, signal, sys
from pathlib import Path
from pwgserve.cache import Cache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
cache = Cache(Path(sys.argv[1]), b"k" * 32, 10**9)
cache.open()
try:
    with cache.draft() as draft:
        for _ in range(10):
            os.write(draft.descriptor, b"x" * 1000)
        cache.publish(draft, cache.name("a"))
except OSError as error:
    print(error.strerror)
"""


def test_a_disk_that_takes_no_more_leaves_no_trace(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.strip() == "File too large"
    assert files_in(tmp_path) == []
