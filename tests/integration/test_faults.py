"""What goes wrong on real machines, made to happen: never a torn picture, never a wrong one, never another viewer's."""

import contextlib
import fcntl
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fuse
import pytest
import storm
from daemon import Daemon
from storm import COOKIE, Storm, all_is_well
from waiting import is_alive, until

from pwgserve.finished import PATIENCE_SECONDS
from pwgserve.service.serving import THREADS

EVEN, ODD = 2, 1
FILM_SIZE = 20_000_000


@pytest.fixture(scope="module", params=["sqlite"])
def stormy(request, databases, tmp_path_factory):
    made = databases.gallery(request.param, tmp_path_factory.mktemp("gallery"))
    made.paths = storm.build(made, photos=10)
    yield made
    made.engine.dispose()


def address(gallery, number, code="sm"):
    return "/i.php?/" + gallery.paths[number].replace(".jpg", f"-{code}.jpg")


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_workers_that_are_killed_at_any_moment(stormy, start):
    daemon = start(stormy)
    killed = 0
    with Storm(daemon.port, stormy.paths).raging() as raging:
        started = time.monotonic()
        deadline, least = started + 240, started + 6
        # Some are let live for longer than others, and all for longer on a machine that is too busy to start them sooner.
        while time.monotonic() < least or (
            (killed <= 10 or raging.statuses[200] <= 50) and time.monotonic() < deadline
        ):
            time.sleep(0.15 * (1 + killed % 7) * (1 + (time.monotonic() - started) / 10))
            for pid in daemon.workers():
                kill(pid)
                killed += 1
    assert raging.problems == []
    assert killed > 10
    assert raging.statuses[200] > 50
    all_is_well(daemon.port, stormy.paths)


def test_a_daemon_that_is_killed_at_any_moment(stormy, tmp_path):
    daemon = Daemon(stormy, tmp_path)
    problems, seen = [], 0
    for round_ in range(4):
        daemon.start()
        before = daemon.workers()
        with Storm(daemon.port, stormy.paths, seed=round_).raging() as raging:
            until(lambda raging=raging: raging.statuses[200] >= 3)
            time.sleep(0.2 * round_)
            daemon.kill()
        problems += raging.problems
        seen += raging.statuses[200]
        until(lambda before=before: not any(is_alive(pid) for pid in before))
    assert problems == []
    assert seen > 10
    daemon.start()
    all_is_well(daemon.port, stormy.paths)
    daemon.stop()


def namespaces():
    """How to start a process that has mounts of its own; None where the kernel does not let us."""
    for command in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    return None


def test_a_full_disk_keeps_nobody_from_a_picture(stormy, tmp_path):
    command = namespaces()
    if command is None:
        pytest.skip("this kernel lets us mount no small disk; the next test fills one in another way")
    (tmp_path / "cache").mkdir()
    mount = f'mount -t tmpfs -o size=120k none {tmp_path / "cache"} && exec "$@"'
    daemon = Daemon(stormy, tmp_path, prefix=[*command, "sh", "-c", mount, "sh"]).start()
    try:
        all_is_well(daemon.port, stormy.paths)
        outcomes = [
            daemon.visitor(COOKIE).follow(address(stormy, number, code)).headers["x-pwgserve"]
            for number in stormy.paths
            for code in storm.CODES
        ]
        assert outcomes.count("hit") > 5, "what fitted is there"
        assert outcomes.count("render") > 5, "what did not is made again"
        until(lambda: "No space left on device" in daemon.log)
        assert daemon.log.count("cache-not-written") == 1
    finally:
        daemon.stop()
    assert "unexpected-error" not in daemon.log


def test_a_disk_that_takes_nothing_keeps_nobody_from_a_picture(stormy, tmp_path):
    daemon = Daemon(stormy, tmp_path).start()
    # From now on every write fails, as on a disk that became read-only; logs go to a file, too.
    (process,) = daemon.processes()
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        all_is_well(daemon.port, stormy.paths)
        assert daemon.visitor().follow(address(stormy, EVEN)).headers["x-pwgserve"] == "render"
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, unlimited)
        daemon.visitor().follow(address(stormy, EVEN))
        assert daemon.visitor().follow(address(stormy, EVEN)).headers["x-pwgserve"] == "hit"
    finally:
        daemon.stop()


def test_damaged_files_in_the_cache_are_made_again(stormy, tmp_path):
    # What is made ahead for the gallery's own server would be one more file of some photos in each further encoding.
    daemon = Daemon(stormy, tmp_path, {"render": {"formats": []}}).start()
    try:
        all_is_well(daemon.port, stormy.paths)
        files = [file for file in (tmp_path / "cache").glob("??/??/*") if file.is_file()]
        assert len(files) == len(stormy.paths) * len(storm.CODES)
        for number, file in enumerate(files):
            content = file.read_bytes()
            damaged = (
                b"",
                content[: len(content) // 2],
                bytes(len(content)),
                content[:-9] + b"\0" * 9,
                files[0].read_bytes(),
            )
            file.write_bytes(damaged[number % 5])
        all_is_well(daemon.port, stormy.paths)
        until(lambda: "damaged-derivative" in daemon.log)
    finally:
        daemon.stop()


@contextlib.contextmanager
def restored(file):
    content, times = file.read_bytes(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    try:
        yield content
    finally:
        file.write_bytes(content)
        os.utime(file, ns=times)


def test_an_original_that_is_overwritten_while_it_is_rendered(stormy, start):
    daemon = start(stormy, render={"workers": 1})
    file = stormy.root / stormy.paths[EVEN]
    other = (stormy.root / stormy.paths[EVEN + 2]).read_bytes()
    worker = daemon.workers()[0]
    with restored(file):
        os.kill(worker, signal.SIGSTOP)
        asked = _ask(daemon.port, daemon.visitor().link(address(stormy, EVEN)))
        _until_rendering(daemon)
        file.write_bytes(other)  # in place: the worker's descriptor sees it
        os.kill(worker, signal.SIGCONT)
        assert _status(asked) == 503
        time.sleep(1.2)
        answer = daemon.visitor().follow(address(stormy, EVEN))
        assert storm.problem_of(answer.body, EVEN + 2, storm.CODES["sm"]) is None, "the new picture"
    time.sleep(1.2)
    assert storm.problem_of(daemon.visitor().follow(address(stormy, EVEN)).body, EVEN, storm.CODES["sm"]) is None


@pytest.mark.parametrize("harm", ["shorter", "overwritten"])
def test_an_original_that_changes_while_it_is_sent_breaks_off(stormy, start, harm):
    path = "upload/2026/05/14/film.mp4"
    file = stormy.root / path
    file.write_bytes(os.urandom(30_000_000))
    stormy.insert("images", id=900, path=f"./{path}", file="film.mp4", rotation=0, level=0)
    stormy.insert("image_category", image_id=900, category_id=storm.PUBLIC)
    try:
        daemon = start(stormy)
        connection = _ask(daemon.port, daemon.visitor().link(f"/{path}"))
        received = len(connection.recv(100_000))
        with file.open("rb+") as writer:
            if harm == "shorter":
                writer.truncate(5_000_000)
            else:
                writer.seek(29_000_000)
                writer.write(b"x" * 1000)
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(1_000_000):
                received += len(chunk)
        assert received < 30_000_000
    finally:
        stormy.delete("image_category", image_id=900)
        stormy.delete("images", id=900)
        file.unlink()


def _ask(port, target):
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    # Small, so that not all is on its way at once; some segments of loopback's size, or the kernel stalls for minutes.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200_000)
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return connection


def _until_rendering(daemon):
    """Until what was asked has its picture open, and waits for a worker or is with one."""
    until(lambda: daemon.metric("pwgserve_render_jobs") > 0)


def _status(connection):
    with connection:
        return int(connection.recv(100_000).split()[1])


def test_out_of_file_descriptors(stormy, tmp_path):
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))

    daemon = Daemon(stormy, tmp_path, {"server": {"max_connections": 1000}}, preexec=few_files).start()
    try:
        idle = []
        with contextlib.suppress(OSError):
            for _ in range(200):
                idle.append(socket.create_connection(("127.0.0.1", daemon.port), timeout=2))
        time.sleep(1)
        for connection in idle:
            connection.close()
        with Storm(daemon.port, stormy.paths, threads=30).raging() as raging:
            time.sleep(3)
            until(lambda: raging.statuses[200] > 0)
        assert raging.problems == [], "short of files is never 'there is no such picture'"
        all_is_well(daemon.port, stormy.paths)
    finally:
        daemon.stop()


def test_a_clock_that_jumps(stormy, tmp_path, clock):
    daemon = Daemon(stormy, tmp_path, {"links": {"ttl": "10m"}}, environment=clock.environment).start()
    try:
        anna = daemon.visitor(COOKIE)
        link = anna.link(address(stormy, ODD))
        assert daemon.visitor().get(link).status == 200
        clock.jump(40 * 60)
        assert daemon.visitor().get(link).status == 404, "expired"
        later = anna.link(address(stormy, ODD))
        assert daemon.visitor().get(later).status == 200
        clock.jump(-86_400)
        assert daemon.visitor().get(later).status == 200, "not yet expired, by this clock"
        stormy.delete("user_access", user_id=storm.ANNA, cat_id=storm.PRIVATE)
        time.sleep(2)
        assert daemon.visitor().get(later).status == 404, "permission is asked on a clock that never jumps"
        assert anna.get(address(stormy, ODD)).status == 404
        stormy.insert("user_access", user_id=storm.ANNA, cat_id=storm.PRIVATE)
        time.sleep(2)
        clock.jump(0)
        all_is_well(daemon.port, stormy.paths)
    finally:
        daemon.stop()


def test_two_daemons_with_one_cache_make_a_picture_once(stormy, tmp_path):
    directories = [tmp_path / "a", tmp_path / "b"]
    shared = {"cache": {"dir": str(tmp_path / "cache")}, "links": {"keys_file": str(tmp_path / "keys")}}
    daemons = []
    for directory in directories:
        directory.mkdir()
        daemons.append(Daemon(stormy, directory, shared).start())
    try:
        link = daemons[0].visitor(COOKIE).link(address(stormy, ODD, "la"))
        for pid in daemons[0].workers():
            os.kill(pid, signal.SIGSTOP)
        first = _ask(daemons[0].port, link)
        _until_rendering(daemons[0])
        until(lambda: _claims(daemons[0]) == 1)
        asked = time.monotonic()
        second = _ask(daemons[1].port, link)
        time.sleep(0.5)
        has_waited = _rendered(daemons[1]) == 0
        is_patient = time.monotonic() - asked < PATIENCE_SECONDS
        for pid in daemons[0].workers():
            os.kill(pid, signal.SIGCONT)
        assert [_status(first), _status(second)] == [200, 200]
        assert has_waited or not is_patient
        if time.monotonic() - asked < PATIENCE_SECONDS:
            assert [_rendered(daemon) for daemon in daemons] == [1, 0]

        link = daemons[0].visitor(COOKIE).link(address(stormy, ODD, "me"))
        for pid in daemons[0].workers():
            os.kill(pid, signal.SIGSTOP)
        first = _ask(daemons[0].port, link)
        _until_rendering(daemons[0])
        until(lambda: _claims(daemons[0]) == 1)
        second = _ask(daemons[1].port, link)
        time.sleep(0.5)
        daemons[0].kill()
        first.close()
        assert _status(second) == 200, "the claim of a killed daemon is nobody's"
    finally:
        for daemon in daemons:
            daemon.kill()


def test_a_process_that_is_stopped_while_it_makes_pictures_keeps_nobody_from_them(stormy, start):
    """As `warm` is by Ctrl-Z in a terminal: its claims are still its own."""
    daemon = start(stormy)
    claims = os.open(daemon.directory / "cache/claims", os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.lockf(claims, fcntl.LOCK_EX)
        assert daemon.visitor().follow(address(stormy, EVEN, "me")).status == 200
    finally:
        os.close(claims)


def test_a_process_that_is_stopped_while_it_counts_the_cache_keeps_nobody_waiting(stormy, start):
    daemon = start(stormy)
    assert daemon.visitor().follow(address(stormy, EVEN)).status == 200
    tally = os.open(daemon.directory / "cache/tally", os.O_RDWR)
    try:
        fcntl.flock(tally, fcntl.LOCK_EX)
        time.sleep(1.5)  # longer than numbers are kept
        for path in ("/-/health", "/-/metrics", address(stormy, EVEN)):
            assert daemon.visitor().follow(path).status == 200
    finally:
        os.close(tally)


def test_a_cache_that_is_emptied_by_hand_is_filled_again(stormy, start):
    daemon = start(stormy)
    cache = daemon.directory / "cache"
    assert daemon.visitor().follow(address(stormy, EVEN)).status == 200
    for entry in cache.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    time.sleep(1.2)  # longer than an answer is given again
    assert daemon.visitor().follow(address(stormy, EVEN)).headers["x-pwgserve"] == "render"
    time.sleep(1.2)
    assert daemon.visitor().follow(address(stormy, EVEN)).headers["x-pwgserve"] == "hit"
    assert daemon.metric("pwgserve_cache_files") == 1
    assert "cache-not-written" not in daemon.log


def _claims(daemon):
    """How many pictures a daemon's processes have claimed."""
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines() if " POSIX " in line]
    return sum(int(pid) in daemon.processes() for *_, pid, _inode, _start, _end in locks)


def _rendered(daemon):
    text = daemon.visitor().get("/-/metrics").body.decode()
    return int(float(text.partition("pwgserve_render_seconds_count ")[2].split()[0]))


def test_a_cache_that_becomes_read_only_keeps_nobody_from_a_picture(stormy, tmp_path):
    """As when the kernel remounts a disk that has errors: what is there is served, the rest is rendered each time."""
    command = namespaces()
    if command is None:
        pytest.skip("this kernel lets us mount nothing; other tests make writing fail in other ways")
    cache, switch = tmp_path / "cache", tmp_path / "switch"
    cache.mkdir()
    wait = f"for _ in $(seq 600); do [ -e {switch} ] && break; sleep 0.1; done"
    # A mount of the same folder above it: the daemon has a file open for writing, so that the first one cannot change.
    change = f"mount --bind {cache} {cache} && mount -o remount,bind,ro {cache} && touch {switch}.done"
    mount = f'mount -t tmpfs -o size=50m none {cache} || exit 1; ({wait}; {change}) & exec "$@"'
    daemon = Daemon(stormy, tmp_path, prefix=[*command, "sh", "-c", mount, "sh"]).start()
    try:
        before, after = address(stormy, EVEN), address(stormy, EVEN + 2)
        assert daemon.visitor().follow(before).headers["x-pwgserve"] == "render"
        switch.touch()
        until(Path(f"{switch}.done").exists)
        time.sleep(1.1)
        assert daemon.visitor().follow(before).headers["x-pwgserve"] == "hit"
        for _ in range(2):
            time.sleep(1.1)  # longer than an answer is given again
            assert daemon.visitor().follow(after).headers["x-pwgserve"] == "render"
        all_is_well(daemon.port, stormy.paths)
        until(lambda: "Read-only file system" in daemon.log)
    finally:
        daemon.stop()
    assert "unexpected-error" not in daemon.log


def others_are_served(gallery, daemon):
    """One picture from the cache and one that is to be made, of photos that lie on another disk."""
    for photo, outcome in ((EVEN, "hit"), (EVEN + 2, "render")):
        assert daemon.visitor().follow(address(gallery, photo)).headers["x-pwgserve"] == outcome


@pytest.mark.parametrize(("disk", "albums"), [("galleries/nas", 1), ("galleries", 12)])
def test_a_disk_that_never_answers_keeps_nobody_from_pictures_on_another(stormy, start, disk, albums):
    folder = stormy.root / disk
    folder.mkdir(parents=True, exist_ok=True)
    away = {number: f"{disk}/{number % albums}/{number}" for number in range(1000, 1060)}
    with stormy.restored():
        for number, stem in away.items():
            row = {"file": "x.jpg", "rotation": 0, "level": 0, "width": 900, "height": 600}
            stormy.insert("images", id=number, path=f"./{stem}.jpg", **row)
            stormy.insert("image_category", image_id=number, category_id=storm.PUBLIC)
        daemon = start(stormy)
        assert daemon.visitor().follow(address(stormy, EVEN)).headers["x-pwgserve"] == "render"
        with ThreadPoolExecutor(len(away)) as pool:
            with fuse.mounted(folder, {}) as mounted:
                mounted.go_away()
                waiting = [pool.submit(daemon.visitor().get, f"/i.php?/{stem}-me.jpg") for stem in away.values()]
                time.sleep(1.2)  # longer than an answer is given again
                assert not any(one.done() for one in waiting)
                others_are_served(stormy, daemon)
            assert {one.result().status for one in waiting} <= {404, 503}


def test_a_disk_that_stops_answering_while_its_films_are_sent_keeps_nobody_from_pictures_on_another(stormy, start):
    folder = stormy.root / "galleries/far"
    folder.mkdir(parents=True)
    with stormy.restored(), contextlib.ExitStack() as readers:
        row = {"file": "film.mp4", "rotation": 0, "level": 0, "width": 900, "height": 600}
        stormy.insert("images", id=1000, path="./galleries/far/film.mp4", **row)
        stormy.insert("image_category", image_id=1000, category_id=storm.PUBLIC)
        daemon = start(stormy)
        assert daemon.visitor().follow(address(stormy, EVEN)).headers["x-pwgserve"] == "render"
        with fuse.mounted(folder, {"film.mp4": bytes(FILM_SIZE)}) as disk:
            link = daemon.visitor().link("/action.php?id=1000&part=e")
            films = [readers.enter_context(_ask(daemon.port, link)) for _ in range(THREADS + 8)]
            for film in films:
                assert film.recv(1000).startswith(b"HTTP/1.1 200")
            paused = films.pop()
            disk.go_away()
            received = 0
            while readable := select.select(films, [], [], 2)[0]:
                received += sum(len(film.recv(1 << 20)) for film in readable)
            assert received < len(films) * FILM_SIZE
            paused.close()  # so that the daemon closes the film, of which nothing is being read
            others_are_served(stormy, daemon)


def test_an_original_that_is_cut_short_while_it_is_rendered(stormy, start):
    daemon = start(stormy, render={"workers": 1})
    file = stormy.root / stormy.paths[EVEN]
    with restored(file) as content:
        (worker,) = daemon.workers()
        os.kill(worker, signal.SIGSTOP)
        asked = _ask(daemon.port, daemon.visitor().link(address(stormy, EVEN)))
        _until_rendering(daemon)
        with file.open("rb+") as writer:
            writer.truncate(len(content) // 2)
        os.kill(worker, signal.SIGCONT)
        assert _status(asked) in (422, 503), "never the half that is left"
        time.sleep(1.2)
        assert daemon.visitor().follow(address(stormy, EVEN)).status == 422
    time.sleep(1.2)
    assert storm.problem_of(daemon.visitor().follow(address(stormy, EVEN)).body, EVEN, storm.CODES["sm"]) is None
