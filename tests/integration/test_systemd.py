"""As a service of systemd: its socket, its signs, its rules, reloads. systemd itself is emulated: what it passes is real."""

import contextlib
import http.client
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import activated
import family
import pytest
import units
from daemon import Daemon
from ports import free_port
from waiting import until

from pwgserve.keys.keys_file import load_or_create

pytestmark = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")


def test_the_daemon_does_all_its_work_under_the_units_rules(gallery, tmp_path):
    rules = [sys.executable, units.__file__, str(units.FOLDER / "pwgserve.service")]
    daemon = Daemon(
        gallery,
        tmp_path,
        {"server": {"processes": 2}, "render": {"sandbox": "require"}, "cache": {"max_size": "1MB"}},
        prefix=rules,
    ).start()
    try:
        daemon.wait_for_processes(2)
        status = Path(f"/proc/{daemon.pid}/status").read_text()
        assert "Seccomp:\t2" in status
        assert "CapEff:\t0000000000000000" in status
        anna = daemon.visitor(family.cookie("anna"))
        for photo in (family.LAKE, family.PARTY, family.LETTER):
            path = gallery.paths[photo]
            for code in ("sq", "me", "xl"):
                assert anna.follow(f"/i.php?/{path.replace('.jpg', f'-{code}.jpg')}").status == 200
            assert anna.follow(f"/action.php?id={photo}&part=e").status == 200
        assert anna.follow(f"/action.php?id={family.FILM}&part=e", Range="bytes=5-9").body == bytes(range(5, 10))
        assert daemon.visitor().get(f"/{gallery.paths[family.PARTY]}").status == 404
        before = daemon.processes()
        daemon.signal(signal.SIGHUP)
        until(lambda: daemon.log.count('"serving"') == 2 and not set(before) & set(daemon.processes()))
        assert anna.follow("/action.php?id=3&part=e").status == 200
        for word in ("landlock", "seccomp"):
            assert word in daemon.log
        assert "missing" not in daemon.log
    finally:
        daemon.stop()
    for word in ("unexpected-error", "cache-not-written", "PermissionError", "Traceback"):
        assert word not in daemon.log


class Systemd:
    """Holds a service's address, and listens to what the service tells."""

    def __init__(self, folder):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.told = []
        self._inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._inbox.bind(str(folder / "notify"))
        self._environment = {"NOTIFY_SOCKET": str(folder / "notify")}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                self.told += self._inbox.recv(4096).decode().splitlines()

    def service(self, gallery, folder, changes=None, watchdog=0, has_socket=True):
        """The service, begun; it may not serve yet."""
        number = self.listener.fileno() if has_socket else -1
        prefix = [sys.executable, activated.__file__, str(number), str(watchdog)]
        daemon = Daemon(
            gallery, folder, changes, prefix=prefix, environment=self._environment, descriptors=[self.listener.fileno()]
        )
        daemon.begin()
        daemon.port = self.port if has_socket else daemon.port
        return daemon

    def close(self):
        self.listener.close()
        self._inbox.close()


@pytest.fixture
def systemd(tmp_path):
    made = Systemd(tmp_path)
    yield made
    made.close()


@pytest.fixture
def service(systemd, gallery, tmp_path):
    """Two processes behind systemd's socket, ready; on a machine that is busy, too, none is taken for one that hangs."""
    yield from begun(systemd, gallery, tmp_path, watchdog=60_000_000)


@pytest.fixture
def watched(systemd, gallery, tmp_path):
    """The same, where six seconds without a sign of life are too many."""
    yield from begun(systemd, gallery, tmp_path, watchdog=6_000_000)


def begun(systemd, gallery, folder, watchdog):
    running = systemd.service(gallery, folder, {"server": {"processes": 2}}, watchdog)
    until(lambda: "READY=1" in systemd.told or running.has_ended())
    assert "READY=1" in systemd.told, running.log
    yield running
    running.kill()


class Traffic:
    """Visitors who never stop asking, each along a connection of its own that it keeps as long as it may."""

    def __init__(self, port, target, visitors=4):
        self.answered = 0
        self.problems = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(port, target)) for _ in range(visitors)]

    def _visit(self, port, target):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not self._stop.wait(0.005):  # or they would take the processor from whoever is to begin
            try:
                connection.request("GET", target)
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.problems.append(response.status)
                self.answered += 1
                if response.will_close:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.problems.append(repr(error))
                connection.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_systemds_socket_wins_and_readiness_is_told_only_when_it_serves(systemd, gallery, tmp_path):
    listening = free_port()
    daemon = systemd.service(gallery, tmp_path, {"server": {"listen": f"127.0.0.1:{listening}"}})
    try:
        asked = http.client.HTTPConnection("127.0.0.1", systemd.port, timeout=60)
        asked.request("GET", "/-/ready")  # before there is anybody: it waits
        until(lambda: "READY=1" in systemd.told)
        until(lambda: '"serving"' in daemon.log)
        assert asked.getresponse().status == 200
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listening), timeout=5)
        until(lambda: '"listen": "systemd"' in daemon.log)  # a process may answer before that is told
    finally:
        daemon.stop()
    assert "STOPPING=1" in systemd.told


def test_a_service_that_cannot_begin_never_says_that_it_is_ready(systemd, gallery, tmp_path):
    daemon = systemd.service(gallery, tmp_path, {"piwigo": {"table_prefix": "wrong_"}})
    assert daemon.wait(120) == 2
    assert len(daemon.log.splitlines()) == 1
    assert "wrong_" in daemon.log
    assert "READY=1" not in systemd.told


def test_the_real_tool_of_systemd_hands_its_socket_over(gallery, tmp_path):
    port = free_port()
    daemon = Daemon(
        gallery, tmp_path, prefix=["systemd-socket-activate", "--listen", f"127.0.0.1:{port}", "-E", "PATH"]
    )
    daemon.begin()
    daemon.port = port
    try:
        until(lambda: "Listening on" in daemon.log)
        assert daemon.visitor().get("/-/ready").status == 200
        until(lambda: '"listen": "systemd"' in daemon.log)  # a process may answer before that is told
    finally:
        daemon.stop()


def test_what_a_killed_service_left_is_removed_by_the_next_one(gallery, tmp_path):
    runtime = tmp_path / "run"
    runtime.mkdir()
    daemon = Daemon(gallery, tmp_path, {"server": {"processes": 1}}, environment={"RUNTIME_DIRECTORY": str(runtime)})
    held = socket.socket(socket.AF_UNIX)
    held.bind(str(runtime / "pwgserve.sock"))
    try:
        daemon.start()
        (left,) = runtime.glob("pwgserve-*")
        daemon.kill()
        assert left.is_dir()
        daemon.start()
        assert daemon.visitor().get("/-/ready").status == 200
        (folder,) = runtime.glob("pwgserve-*")
        assert folder != left
        assert (runtime / "pwgserve.sock").exists(), "systemd may be listening there"
    finally:
        daemon.stop()
        held.close()
    assert not list(runtime.glob("pwgserve-*"))


def test_a_service_leaves_another_one_its_folder(gallery, tmp_path):
    """Whoever has two galleries may have copied the unit, with its folder."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    daemons = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        changes = {"server": {"processes": 1}}
        daemons.append(Daemon(gallery, tmp_path / name, changes, environment={"RUNTIME_DIRECTORY": str(runtime)}))
    try:
        daemons[0].start()
        (first,) = runtime.glob("pwgserve-*")
        daemons[1].start()
        assert first.is_dir()
        assert len(list(runtime.glob("pwgserve-*"))) == 2
    finally:
        for daemon in daemons:
            daemon.kill()


def test_a_supervisor_that_was_stopped_finds_the_signs_of_life_of_that_time(systemd, watched):
    """Ctrl-Z, or a machine that stood still: its processes are not to blame."""
    before = watched.processes()
    told = systemd.told.count("WATCHDOG=1")
    watched.signal(signal.SIGSTOP)
    time.sleep(8)
    watched.signal(signal.SIGCONT)
    until(lambda: systemd.told.count("WATCHDOG=1") > told + 2)
    assert watched.processes() == before


def test_a_process_that_hangs_is_killed_and_replaced_and_the_service_lives(systemd, watched):
    victim = watched.processes()[0]
    os.kill(victim, signal.SIGSTOP)
    until(lambda: victim not in watched.processes() and len(watched.processes()) == 2)
    until(lambda: "gave no sign of life" in watched.log)
    until(lambda: systemd.told.count("WATCHDOG=1") > 2)
    assert watched.visitor().get("/-/health").status == 200


def test_a_reload_replaces_all_processes_and_drops_no_request(systemd, service):
    link = service.visitor().link("/action.php?id=1&part=e")
    before = service.processes()
    with Traffic(systemd.port, link) as traffic:
        for _ in range(2):
            old = service.processes()
            told = systemd.told.count("READY=1")
            service.signal(signal.SIGHUP)
            until(lambda told=told: systemd.told.count("READY=1") > told)
            until(lambda old=old: not set(old) & set(service.processes()))
        seen = traffic.answered
        until(lambda: traffic.answered > seen + 20)
    assert traffic.problems == []
    assert not set(before) & set(service.processes())
    assert "RELOADING=1" in systemd.told


def test_a_reload_takes_new_settings(systemd, service):
    assert service.visitor().follow("/action.php?id=1&part=e").status == 200
    config = service.directory / "pwgserve.toml"
    config.write_text(config.read_text() + "\n[access]\nlockdown = true\n")
    service.signal(signal.SIGHUP)
    until(lambda: service.log.count('"serving"') == 2)
    until(lambda: service.visitor().get("/action.php?id=1&part=e").status == 404)


def test_no_process_serves_on_with_the_settings_of_before(systemd, service):
    """Also one that is started in the place of another one while those with the new settings begin."""
    config = service.directory / "pwgserve.toml"
    config.write_text(config.read_text() + "\n[access]\nlockdown = true\n")
    before, new = service.processes(), set()

    def beginning():
        """Processes that are programs of their own, besides these: before, the service itself waits for them."""
        others = set(service.processes()) - {*before, *new}
        return {pid for pid in others if b"service.entry" in Path(f"/proc/{pid}/cmdline").read_bytes()}

    def held():
        """The new ones, which come no further however quick the machine is."""
        for pid in beginning():
            os.kill(pid, signal.SIGSTOP)
            new.add(pid)
        return new

    service.signal(signal.SIGHUP)
    until(lambda: len(held()) == 2)
    victim = before[0]
    os.kill(victim, signal.SIGKILL)
    until(beginning)  # the one in its place
    for pid in new:
        os.kill(pid, signal.SIGCONT)
    until(lambda: service.log.count('"serving"') == 2)
    until(lambda: len(service.processes()) == 2 and victim not in service.processes())
    time.sleep(3)  # longer than a process takes to begin
    assert len(service.processes()) == 2
    assert {service.visitor().get("/action.php?id=1&part=e").status for _ in range(20)} == {404}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[server]", "[server]\nlisen = 1"), ["server.lisen", "no such setting"]),
        (('table_prefix = "piwigo_"', 'table_prefix = "wrong_"'), ["wrong_"]),  # only a new process can tell
    ],
)
def test_a_wrong_new_configuration_changes_nothing_and_is_told_in_one_line(systemd, service, change, words):
    config = service.directory / "pwgserve.toml"
    before, text = service.processes(), config.read_text()
    assert change[0] in text
    config.write_text(text.replace(*change))
    service.signal(signal.SIGHUP)
    until(lambda: '"reload-failed"' in service.log)
    (line,) = (line for line in service.log.splitlines() if '"reload-failed"' in line)
    for word in words:
        assert word in line
    until(lambda: before == service.processes())
    assert service.visitor().follow("/action.php?id=1&part=e").status == 200
    # A process that dies now is replaced with the configuration that worked.
    os.kill(before[0], signal.SIGKILL)
    until(lambda: before[0] not in service.processes() and len(service.processes()) == 2)
    assert service.visitor().follow("/action.php?id=1&part=e").status == 200


def test_a_restart_behind_systemds_socket_drops_no_request(systemd, service, gallery, tmp_path):
    link = service.visitor().link("/action.php?id=1&part=e")
    again = None
    try:
        with Traffic(systemd.port, link) as traffic:
            until(lambda: traffic.answered > 20)
            service.signal(signal.SIGTERM)
            assert service.wait(120) == 0
            again = systemd.service(gallery, tmp_path, {"server": {"processes": 2}})
            seen = traffic.answered
            until(lambda: traffic.answered > seen + 20)
        assert traffic.problems == []
    finally:
        if again is not None:
            again.kill()


def test_keys_and_database_are_taken_from_systemds_credentials(gallery, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "database").write_text(gallery.address + "\n")
    load_or_create(credentials / "keys")
    (credentials / "keys").chmod(0o400)
    daemon = Daemon(
        gallery,
        tmp_path,
        {"piwigo": {"database": "sqlite:////there/is/none.db"}},
        environment={"CREDENTIALS_DIRECTORY": str(credentials)},
    ).start()
    try:
        assert daemon.visitor().follow("/action.php?id=1&part=e").status == 200
        assert not (tmp_path / "keys").exists()
    finally:
        daemon.stop()
