import errno
import fcntl
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pwgserve.at_hand import NotAtHandError
from pwgserve.cache import store
from pwgserve.cache.store import SMALL, Cache, CacheError
from pwgserve.shortage import ShortageError

KEY = b"k" * 32


@pytest.fixture
def cache(tmp_path):
    made = Cache(tmp_path / "cache", KEY, 10_000_000)
    made.open()
    return made


def put(cache, name, content=b"picture"):
    cache.put(name, content)


def content_of(cache, name):
    entry = cache.get(name)
    if entry is None:
        return None
    try:
        return os.read(entry.descriptor, entry.size + 1)
    finally:
        os.close(entry.descriptor)


def used(path, moment):
    """Let a file look as if it had been put there, and last used, at a moment."""
    seal = path.stat().st_mtime_ns % 10**9
    os.utime(path, ns=(int(moment) * 10**9, int(moment) * 10**9 + seal))


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_symbolic_link_is_no_derivative(cache, tmp_path):
    name = cache.name("a")
    put(cache, name)
    inside = Path(cache.location(name))
    inside.rename(tmp_path / "elsewhere")
    inside.symlink_to(tmp_path / "elsewhere")
    assert cache.get(name) is None
    with pytest.raises(NotAtHandError):
        cache.at_hand(name)


def test_what_was_published_is_found(cache):
    name = cache.name("a", "b")
    assert cache.get(name) is None
    put(cache, name, b"x" * 1000)
    assert content_of(cache, name) == b"x" * 1000


def test_only_its_owner_reads_the_store_unless_a_web_server_of_its_group_sends_the_files(tmp_path):
    def modes(group_reads):
        folder = tmp_path / f"group{group_reads}"
        made = Cache(folder, KEY, 10_000_000, group_reads)
        before = os.umask(0o077)
        try:
            made.open()
            put(made, made.name("a"))
        finally:
            os.umask(before)
        found = [folder, *folder.rglob("*")]
        return {path.stat().st_mode & 0o7777 for path in found if path.is_dir()}, {
            path.stat().st_mode & 0o7777 for path in found if path.is_file() and path.stat().st_size == 7
        }

    assert modes(False) == ({0o700}, {0o600})
    assert modes(True) == ({0o750}, {0o640})


SHARING = """
import os, sys
from pathlib import Path
from pwgserve.cache.store import Cache

os.umask(0o027)
cache = Cache(Path(sys.argv[1]), b"k" * 32, 10**9, True)
cache.open()
cache.put(cache.name("a"), b"picture")
"""


def test_the_web_servers_group_reads_derivatives_of_a_daemon_that_is_not_in_it(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    group, command = os.getgid(), [sys.executable, "-c", SHARING, str(store)]
    if os.getuid() == 0:
        # Without this right, root is like any owner of a folder of another's group.
        group, command = 33, ["setpriv", "--bounding-set", "-fsetid", *command]
        os.chown(store, -1, group)
    store.chmod(0o2750)
    subprocess.run(command, check=True, timeout=60)
    (picture,) = [path for path in store.rglob("*") if path.is_file() and path.stat().st_size == 7]
    for path in (picture, *picture.relative_to(store).parents):
        status = (store / path).stat()
        assert status.st_gid == group
        assert status.st_mode & 0o050, path


def test_names_depend_on_every_fact_and_on_the_key(cache, tmp_path):
    names = {cache.name("a", "b"), cache.name("ab"), cache.name("a", "b", ""), cache.name("b", "a")}
    assert len(names) == 4
    assert Cache(tmp_path, b"l" * 32, 1).name("a", "b") not in names
    assert cache.name("a", "b") == Cache(tmp_path / "elsewhere", KEY, 1).name("a", "b")
    assert "upload" not in cache.name("upload/2026/x.jpg")


def test_files_are_for_the_daemon_only(cache, tmp_path):
    name = cache.name("a")
    put(cache, name)
    assert Path(cache.location(name)).stat().st_mode & 0o077 == 0
    assert Path(cache.location(name)).parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("size", [7, 5_000, SMALL, SMALL + 1, 3 * SMALL])
@pytest.mark.parametrize("damage", ["empty", "shorter", "longer", "zeros", "one bit", "another's"])
def test_a_damaged_file_is_no_derivative_and_is_removed(cache, size, damage):
    name = cache.name("a")
    content = os.urandom(size)
    put(cache, name, content)
    assert content_of(cache, name) == content
    path = Path(cache.location(name))
    match damage:
        case "empty":
            os.truncate(path, 0)
        case "shorter":
            os.truncate(path, size - 1)
        case "longer":
            path.write_bytes(content + b"x")
        case "zeros":
            path.write_bytes(content[: size // 2] + bytes(size - size // 2))
        case "one bit":
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "another's":
            path.write_bytes(os.urandom(size))
    before = open_descriptors()
    assert cache.get(name) is None
    assert open_descriptors() == before
    assert not path.exists()
    put(cache, name, content)
    assert content_of(cache, name) == content


def test_a_power_cut_that_keeps_the_times_but_not_the_bytes_is_noticed(cache, tmp_path):
    """What a disk may hold after one: the file's length and times, and zeros."""
    name = cache.name("a")
    put(cache, name, b"picture" * 1000)
    path = Path(cache.location(name))
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(bytes(7000))
    os.utime(path, ns=times)
    afresh = Cache(tmp_path / "cache", KEY, 100_000)
    afresh.open()
    assert afresh.get(name) is None


def test_out_of_descriptors_is_not_a_missing_file(cache):
    name = cache.name("a")
    put(cache, name)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(ShortageError):
            cache.get(name)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


CLAIMER = """
import sys
from pathlib import Path
from pwgserve.cache.store import Cache
cache = Cache(Path(sys.argv[1]), b"k" * 32, 10**9)
cache.open()
print(cache.claim(sys.argv[2]), flush=True)
sys.stdin.read()
"""


def claimer(tmp_path, name):
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIMER, str(tmp_path / "cache"), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, process.stdout.readline().strip()


def test_one_process_at_a_time_makes_a_derivative_and_a_killed_one_gives_its_claim_back(cache, tmp_path):
    name, other = cache.name("a"), cache.name("b")
    first, answer = claimer(tmp_path, name)
    assert answer == "True"
    assert not cache.claim(name)
    assert cache.claim(other)
    second, answer = claimer(tmp_path, other)
    assert answer == "False"
    first.kill()
    first.wait()
    assert cache.claim(name)
    cache.release(other)
    second.communicate("")
    third, answer = claimer(tmp_path, other)
    assert answer == "True"
    third.communicate("")


def test_who_is_about_to_be_stopped_gives_all_claims_back(cache, tmp_path):
    names = [cache.name(str(number)) for number in range(2)]
    assert all(cache.claim(name) for name in names)
    cache.let_go()
    for name in names:
        other, has_claim = claimer(tmp_path, name)
        other.communicate("")
        assert has_claim == "True"


def test_where_nothing_can_be_locked_everybody_makes_what_they_need(cache, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", no_locks)
    assert cache.claim(cache.name("a"))
    cache.release(cache.name("a"))


def test_a_file_system_that_keeps_whole_seconds_keeps_derivatives_all_the_same(tmp_path, monkeypatch):
    def whole_seconds(file, ns, set_times=os.utime):
        set_times(file, ns=tuple(time - time % 10**9 for time in ns))

    monkeypatch.setattr(os, "utime", whole_seconds)
    made = Cache(tmp_path / "cache", KEY, 10_000_000)
    made.open()
    name = made.name("a")
    for content in (b"x" * 1000, b"y" * (SMALL + 1)):
        put(made, name, content)
        assert content_of(made, name) == content
    os.truncate(made.location(name), 0)  # as after a power cut, where files are written before they have a name
    assert made.get(name) is None


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def emptied(folder):
    """As `rm -rf folder/*` does."""
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def test_a_folder_that_was_emptied_by_hand_is_used_as_before(cache, tmp_path):
    names = [cache.name(str(number)) for number in range(3)]
    put(cache, names[0])
    assert cache.claim(names[1])
    emptied(tmp_path / "cache")
    put(cache, names[1], b"x" * 1000)
    assert content_of(cache, names[1]) == b"x" * 1000
    assert (cache.upkeep.tally.get().files, cache.upkeep.tally.get().size) == (1, 1000)
    cache.release(names[1])
    assert cache.claim(names[2])
    other, has_claim = claimer(tmp_path, names[2])
    other.communicate("")
    assert has_claim == "False", "both lock the file that has the name now"


def test_claims_are_kept_while_the_folder_is_emptied(cache, tmp_path):
    names = [cache.name(str(number)) for number in range(3)]
    first, _ = claimer(tmp_path, names[0])
    assert cache.claim(names[1])
    emptied(tmp_path / "cache")
    put(cache, names[1])
    assert not cache.claim(names[0])
    second, _ = claimer(tmp_path, names[2])
    cache.release(names[1])
    assert not cache.claim(names[2])
    for process in (first, second):
        process.communicate("")


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_what_the_disk_has_lost_is_made_again(cache, monkeypatch, code):
    name = cache.name("a")
    put(cache, name)

    def lost(*_):
        raise OSError(code, os.strerror(code))

    before = open_descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", lost)
        assert cache.get(name) is None
    assert open_descriptors() == before
    assert not Path(cache.location(name)).exists()
    put(cache, name, b"again")
    assert content_of(cache, name) == b"again"


def test_whatever_fails_while_reading_leaves_no_descriptor_open(cache, monkeypatch):
    name = cache.name("a")
    put(cache, name)

    def failing(*_):
        raise RuntimeError

    before = open_descriptors()
    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(RuntimeError):
        cache.get(name)
    assert open_descriptors() == before


def test_threads_that_remember_what_they_verified_do_not_hamper_one_another(cache, monkeypatch):
    monkeypatch.setattr(store, "VERIFIED_KEPT", 20)
    names = [cache.name(str(number)) for number in range(200)]
    for name in names:
        put(cache, name)
    problems = []

    def read(seed):
        chosen = random.Random(seed)
        try:
            for _ in range(3000):
                os.close(cache.get(chosen.choice(names)).descriptor)
        except Exception as problem:
            problems.append(problem)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert problems == []
    assert len(cache._verified) <= 20


def test_the_tally_knows_what_was_removed(cache):
    names = [cache.name(str(number)) for number in range(3)]
    for name in names:
        put(cache, name, b"x" * 100)
    assert cache.remove(names[0]) == 100
    assert cache.remove(names[0]) is None
    Path(cache.location(names[1])).write_bytes(b"y" * 100)
    assert cache.get(names[1]) is None, "damaged"
    assert (cache.upkeep.tally.get().files, cache.upkeep.tally.get().size) == (1, 100)


def test_a_planted_link_is_not_followed(cache, tmp_path):
    name = cache.name("a")
    put(cache, name)
    secret = tmp_path / "secret"
    secret.write_text("keys")
    Path(cache.location(name)).unlink()
    Path(cache.location(name)).symlink_to(secret)
    assert cache.get(name) is None


def test_reading_does_not_write_each_time(cache, monkeypatch):
    name = cache.name("a")
    put(cache, name)
    content_of(cache, name)
    before = Path(cache.location(name)).stat().st_atime_ns
    noted = []
    monkeypatch.setattr(os, "utime", lambda *use, **times: noted.append(use))
    cache.get(name)
    assert noted == []
    # Some systems mount /tmp so that the kernel itself notes every use (strictatime), where nobody is to blame.
    if os.statvfs(Path(cache.location(name))).f_flag & (os.ST_RELATIME | os.ST_NOATIME):
        assert Path(cache.location(name)).stat().st_atime_ns == before


def test_opening_removes_what_was_abandoned_and_keeps_what_is_being_made(cache, tmp_path):
    old, new = tmp_path / "cache/tmp/old", tmp_path / "cache/tmp/new"
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    cache.open()
    assert new in files_in(tmp_path)
    assert old not in files_in(tmp_path)


def test_a_file_in_place_of_the_folder_is_an_error_that_names_it(tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(CacheError, match=r"cache\.dir: cannot write to .*cache: .*; make the folder"):
        Cache(tmp_path / "cache", KEY, 1).open()


WRITER = """
import os, sys
from pathlib import Path
from pwgserve.cache.store import Cache
cache = Cache(Path(sys.argv[1]), b"k" * 32, 10**9)
cache.open()
number = 0
while True:
    number += 1
    cache.put(cache.name(str(number)), b"%06d" % number * 20_000)
    print(number, flush=True)
"""


def test_a_daemon_killed_at_any_moment_leaves_only_whole_derivatives(tmp_path):
    for moment in (0.02, 0.05, 0.11, 0.17):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    derivatives = [file for file in files_in(tmp_path) if file.parent.parent.parent == tmp_path]
    assert derivatives
    for file in derivatives:
        content = file.read_bytes()
        assert len(content) == 120_000
        assert content == content[:6] * 20_000


FULL = """
import os, resource, signal, sys
from pathlib import Path
from pwgserve.cache.store import Cache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
cache = Cache(Path(sys.argv[1]), b"k" * 32, 10**9)
cache.open()
try:
    cache.put(cache.name("a"), b"x" * 10_000)
except OSError as error:
    print(error.strerror)
"""


def test_a_disk_that_takes_no_more_leaves_no_trace(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.strip() == "File too large"
    assert files_in(tmp_path) == []


def content_at_hand(cache, name):
    entry = cache.at_hand(name)
    os.close(entry.descriptor)
    return entry.content


def test_what_is_at_hand_is_what_would_be_got(cache):
    name = cache.name("a")
    with pytest.raises(NotAtHandError):
        cache.at_hand(name)
    put(cache, name, b"x" * 1000)
    assert content_of(cache, name) == b"x" * 1000
    try:
        assert content_at_hand(cache, name) == b"x" * 1000
    except NotAtHandError:
        pytest.skip("this kernel or file system cannot say what it has in memory; then threads read everything")
    used(Path(cache.location(name)), time.time() - 7200)
    with pytest.raises(NotAtHandError):
        cache.at_hand(name)
    assert content_of(cache, name) == b"x" * 1000, "which notes the use"
    assert content_at_hand(cache, name) == b"x" * 1000


@pytest.mark.parametrize("harm", [b"", b"x" * 500, b"y" * 1000])
def test_what_is_damaged_or_gone_is_not_at_hand(cache, harm):
    name = cache.name("a")
    put(cache, name, b"x" * 1000)
    content_of(cache, name)
    Path(cache.location(name)).write_bytes(harm)
    with pytest.raises(NotAtHandError):
        cache.at_hand(name)
    Path(cache.location(name)).unlink()
    with pytest.raises(NotAtHandError):
        cache.at_hand(name)


def test_a_large_derivative_is_not_at_hand(cache):
    name = cache.name("a")
    put(cache, name, b"x" * (SMALL + 1))
    content_of(cache, name)
    with pytest.raises(NotAtHandError):
        cache.at_hand(name)
