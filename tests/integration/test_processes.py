"""Several server processes behind one address: one rendering for all, one truth for all, and a parent that minds them."""

import contextlib
import fcntl
import itertools
import os
import pty
import resource
import signal
import socket
import stat
import subprocess
import tempfile
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import family
import pytest
from daemon import Daemon
from waiting import is_alive, until

from pwgserve.finished import PATIENCE_SECONDS

pytestmark = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")

sees_files = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees the open files of who hides its memory")

THREE = {"server": {"processes": 3}, "render": {"workers": 3}}


@pytest.fixture(scope="module")
def several(gallery, tmp_path_factory):
    daemon = Daemon(gallery, tmp_path_factory.mktemp("several"), THREE).start()
    daemon.wait_for_processes(3)
    yield daemon
    daemon.stop()
    assert "unexpected-error" not in daemon.log


@pytest.fixture
def running(gallery, tmp_path):
    daemon = Daemon(gallery, tmp_path, {"server": {"processes": 2}}).start()
    daemon.wait_for_processes(2)
    yield daemon
    daemon.kill()


def test_a_cold_derivative_is_rendered_once_however_many_processes_are_asked(several, gallery):
    for photo in (family.LAKE, family.BELOW, family.SHARED, family.SMALL):
        address = f"/i.php?/{gallery.paths[photo].replace('.jpg', '-sq.jpg')}"
        before = several.metric("pwgserve_render_seconds_count")
        started = time.monotonic()
        with ThreadPoolExecutor(12) as visitors:
            answers = list(visitors.map(lambda _, at=address: several.visitor().follow(at), range(24)))
        seconds = time.monotonic() - started
        assert {answer.status for answer in answers} == {200}
        # Each process tells its numbers once a second.
        until(lambda before=before: several.metric("pwgserve_render_seconds_count") > before)
        time.sleep(2)
        rendered = several.metric("pwgserve_render_seconds_count") - before
        if seconds < PATIENCE_SECONDS:
            assert len({answer.body for answer in answers}) == 1
            assert rendered == 1
            break
        assert rendered <= 3, "each process may lose its patience once, on a machine that is too busy"


def test_a_permission_that_is_taken_away_counts_in_every_process(several, gallery, settled):
    link = several.visitor(family.cookie("anna")).link("/action.php?id=3&part=e")
    for pid in several.processes():
        with several.only(pid):
            assert several.visitor().get(link).status == 200
    gallery.delete("user_access", user_id=family.USERS["anna"], cat_id=family.ANNAS)
    try:
        settled()
        for pid in several.processes():
            with several.only(pid):
                assert several.visitor().get(link).status == 404
    finally:
        gallery.insert("user_access", user_id=family.USERS["anna"], cat_id=family.ANNAS)


def test_each_process_has_its_part_of_the_workers(several):
    for pid in several.processes():
        with several.only(pid):
            several.visitor().follow(f"/action.php?id=1&part=e&{pid}")
    assert several.metric("pwgserve_processes") == 3
    assert several.metric("pwgserve_workers") <= 3


@sees_files
def test_connections_that_stay_are_shared_out_however_they_come(several):
    # On a busy machine, who should be first may not get the processor in time; were they not shared out, one process
    # would have nearly all of them each time.
    until(lambda: spread(several) <= 4)


def spread(several):
    """By how many of thirty connections the shares of the processes differ."""
    connections = [socket.create_connection(("127.0.0.1", several.port)) for _ in range(15)]  # all at once
    for _ in range(15):
        connections.append(socket.create_connection(("127.0.0.1", several.port)))
        time.sleep(0.02)  # one by one: the process that is quickest would have them all
    ports = {connection.getsockname()[1] for connection in connections}
    until(lambda: sum(held(several, pid, ports) for pid in several.processes()) == len(ports))
    shares = [held(several, pid, ports) for pid in several.processes()]
    for connection in connections:
        connection.close()
    until(lambda: sum(held(several, pid, ports) for pid in several.processes()) == 0)
    return max(shares) - min(shares)


def held(daemon, pid, ports):
    """How many of the connections from these ports a process holds."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {
        f"socket:[{line[9]}]"
        for line in lines
        if int(line[1].split(":")[1], 16) == daemon.port and int(line[2].split(":")[1], 16) in ports
    }
    found = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found += str(file.readlink()) in ours
    return found


def test_a_process_that_dies_is_replaced_and_the_others_go_on(running):
    victim, other = running.processes()
    os.kill(victim, signal.SIGKILL)
    assert running.visitor().get("/-/health").status == 200
    until(lambda: len(running.processes()) == 2 and victim not in running.processes())
    assert other in running.processes()
    until(lambda: '"process-ended"' in running.log and "SIGKILL" in running.log)


@contextlib.contextmanager
def short_of_files(pid, room):
    """Lets a process open only so many more files."""
    held = {int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir()}
    free = (number for number in itertools.count() if number not in held)
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(itertools.islice(free, room, None)), limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


@sees_files
def test_a_process_is_replaced_once_files_can_be_opened_again(running):
    victim, _ = running.processes()
    with short_of_files(running.pid, 0):
        os.kill(victim, signal.SIGKILL)
        until(lambda: '"process-not-started"' in running.log)
    until(lambda: len(running.processes()) == 2)
    assert victim not in running.processes()


@sees_files
def test_after_a_reload_that_failed_for_want_of_files_the_next_one_leaves_nobody_behind(running):
    before = running.processes()
    with short_of_files(running.pid, 1):  # for the configuration
        running.signal(signal.SIGHUP)
        until(lambda: '"reload-failed"' in running.log)
    running.signal(signal.SIGHUP)
    until(lambda: running.log.count('"serving"') == 2)
    until(lambda: len(running.processes()) == 2 and not set(before) & set(running.processes()))


def test_all_end_with_a_parent_that_is_killed(running):
    children = running.processes()
    workers = running.workers()
    assert workers
    running.kill()
    until(lambda: not any(is_alive(pid) for pid in [*children, *workers]))
    with pytest.raises(ConnectionError):
        running.visitor().get("/-/health")


def test_ctrl_c_ends_all(running):
    children = running.processes()
    running.signal(signal.SIGINT)
    assert running.wait(120) == 0
    until(lambda: not any(is_alive(pid) for pid in children))
    assert "Traceback" not in running.log


@pytest.fixture
def in_terminal(gallery, tmp_path):
    """A daemon that was started from a terminal that stops whoever writes to it in the background, and the terminal."""
    ours, theirs = pty.openpty()
    flags = termios.tcgetattr(theirs)
    flags[3] |= termios.TOSTOP
    termios.tcsetattr(theirs, termios.TCSANOW, flags)

    def enter():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    daemon = Daemon(gallery, tmp_path, {"server": {"processes": 2}}, preexec=enter).start()
    daemon.wait_for_processes(2)
    yield daemon, ours
    daemon.kill()
    os.close(ours)
    os.close(theirs)


def session_and_terminal(pid):
    """A process' session, and the number of its controlling terminal (0: it has none)."""
    _state, _parent, _group, session, terminal = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:5]
    return int(session), int(terminal)


def test_who_serves_and_who_decodes_has_no_terminal_even_if_the_service_has(in_terminal):
    """A picture that takes a worker over must find no terminal to type commands into."""
    daemon, _ = in_terminal
    session, terminal = session_and_terminal(daemon.pid)
    assert terminal
    assert daemon.workers()
    # One session for all: the kernel weighs sessions before it looks at how nice processes are.
    assert {session_and_terminal(pid) for pid in [*daemon.processes(), *daemon.workers()]} == {(session, 0)}
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in daemon.processes()} == {niceness}
    threads = [int(thread.name) for pid in daemon.workers() for thread in Path(f"/proc/{pid}/task").iterdir()]
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {min(niceness + 10, 19)}


def test_ctrl_c_in_a_terminal_lets_pictures_be_finished(in_terminal, gallery):
    daemon, terminal = in_terminal
    children = [*daemon.processes(), *daemon.workers()]
    link = daemon.visitor().link(f"/i.php?/{gallery.paths[family.LAKE].replace('.jpg', '-me.jpg')}")
    stopped = daemon.workers()
    for worker in stopped:
        os.kill(worker, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as browser:
        asked = browser.submit(lambda: daemon.visitor().get(link))
        until(lambda: daemon.metric("pwgserve_render_jobs") == 1)
        os.write(terminal, b"\x03")
        until(lambda: '"stopping"' in daemon.log)
        for worker in stopped:
            with contextlib.suppress(ProcessLookupError):  # it had nothing to do
                os.kill(worker, signal.SIGCONT)
        assert asked.result().status == 200
    assert daemon.wait(120) == 0
    until(lambda: not any(is_alive(pid) for pid in children))
    assert "Traceback" not in daemon.log


def test_no_process_of_ours_but_the_servers_holds_the_listening_socket(running):
    inode = next(
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()
        if line.split()[1].endswith(f":{running.port:04X}") and line.split()[3] == "0A"
    )
    assert running.workers()
    for worker in running.workers():
        held = [os.fspath(file.readlink()) for file in Path(f"/proc/{worker}/fd").iterdir()]
        assert f"socket:[{inode}]" not in held


def test_a_neighbour_on_the_machine_cannot_speak_to_a_unix_socket(gallery, tmp_path):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the socket itself must keep them out
        path = Path(folder, "s")
        daemon = Daemon(gallery, tmp_path, {"server": {"listen": f"unix:{path}", "processes": 1}}).start()
        try:
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            ask = ["curl", "--silent", "--unix-socket", str(path), "http://a/-/health"]
            assert subprocess.run(ask, capture_output=True).stdout == b"alive\n"
            if os.geteuid() == 0:
                as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
                refused = subprocess.run([*as_nobody, *ask], capture_output=True)
                assert (refused.returncode, refused.stdout) == (7, b"")  # curl's "failed to connect"
        finally:
            daemon.stop()


def test_a_second_daemon_on_the_same_unix_socket_is_told_so_and_the_first_stays(gallery, tmp_path):
    path = tmp_path / "s"
    changes = {"server": {"listen": f"unix:{path}", "processes": 1}}
    first = Daemon(gallery, tmp_path, changes)
    first.begin()
    try:
        until(lambda: '"serving"' in first.log)
        code, error = first.another(tmp_path)
        assert code == 2
        assert "Address already in use" in error
        assert len(error.splitlines()) == 1
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(60)
            visitor.connect(str(path))
            visitor.sendall(b"GET /-/health HTTP/1.0\r\n\r\n")
            assert b"200 OK" in visitor.recv(1000)
    finally:
        first.kill()
    second = Daemon(gallery, tmp_path, changes)
    second.begin()
    try:
        until(lambda: '"serving"' in second.log)  # over the dead socket of the first
    finally:
        second.kill()
