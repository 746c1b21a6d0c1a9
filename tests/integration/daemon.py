"""The real daemon as a process of its own, with a configuration file as owners write it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from galleries import TestGallery
from ports import free_port
from visitor import LocalVisitor, Visitor

START_SECONDS = 120
STOP_SECONDS = 120

TTL = 360 * 86_400
"""Seconds. Links stay the same for half of it, so that no test runs into the moment when they change."""


def toml(tables: dict[str, dict[str, Any]]) -> str:
    """A configuration as text. JSON's scalars and lists are TOML's, too."""
    lines = []
    for table, values in tables.items():
        lines.append(f"[{table}]")
        lines += [
            f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None
        ]
    return "\n".join(lines) + "\n"


def settings_for(gallery: TestGallery, directory: Path, port: int) -> dict[str, dict[str, Any]]:
    return {
        # One process: most tests look at what a process does, and some count its questions.
        "server": {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}/", "processes": 1},
        "piwigo": {"root": str(gallery.root), "database": gallery.address, "table_prefix": gallery.prefix},
        "links": {"keys_file": str(directory / "keys"), "ttl": TTL},
        "cache": {"dir": str(directory / "cache"), "max_size": "200MB"},
        "log": {"level": "debug", "format": "json"},
    }


class Daemon:
    """A running `pwgserve serve`. `changes`: settings as {"links": {"ttl": "2s"}}.

    prefix: a command that starts it. preexec: is called in the new process. environment: what it has besides ours.
    descriptors: what it inherits.
    """

    def __init__(
        self,
        gallery: TestGallery,
        directory: Path,
        changes: dict[str, dict[str, Any]] | None = None,
        prefix: Sequence[str] = (),
        preexec: Callable[[], None] | None = None,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        self._descriptors = descriptors
        self._prefix = prefix
        self._preexec = preexec
        self._environment = environment or {}
        self.gallery = gallery
        self.directory = directory
        self._changes = changes or {}
        self._choose_port()
        self._process: subprocess.Popen[bytes] | None = None

    def _choose_port(self) -> None:
        self.port = free_port()
        self.tables = settings_for(self.gallery, self.directory, self.port)
        for table, values in self._changes.items():
            self.tables.setdefault(table, {}).update(values)

    @property
    def log(self) -> str:
        """What it has told so far. A thread writes it, a moment after what it is about."""
        file = self.directory / "log"
        for _ in range(20):
            size = file.stat().st_size
            time.sleep(0.05)
            if file.stat().st_size == size:
                break
        return file.read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "Daemon":
        for _ in range(3):
            if self._started():
                return self
            assert "Address already in use" in self.log, self.log
            self._choose_port()  # another program took it meanwhile
        raise AssertionError(self.log)

    def _started(self) -> bool:
        self.begin()
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if self.visitor().get("/-/ready").status == 200:
                    return True
            except ConnectionError:
                pass
            if self._process.poll() is not None:
                return False
            assert time.monotonic() < deadline, f"the daemon did not start:\n{self.log}"
            time.sleep(0.05)

    def begin(self) -> None:
        """Start the process, and wait for nothing."""
        config = self.directory / "pwgserve.toml"
        config.write_text(toml(self.tables))
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "pwgserve", "serve", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **self._environment},
                preexec_fn=self._preexec,
                pass_fds=self._descriptors,
            )

    def another(self, directory: Path) -> tuple[int, str]:
        """What a second daemon with the same configuration says: its exit code and standard error."""
        done = subprocess.run(
            [sys.executable, "-m", "pwgserve", "serve", "--config", str(directory / "pwgserve.toml")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stderr

    def children(self, pid: int) -> list[int]:
        """The processes that a process has started."""
        found = []
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                found += [int(child) for child in children.read_text().split()]
        return found

    def processes(self) -> list[int]:
        """The server processes."""
        return self.children(self.pid)

    def workers(self) -> list[int]:
        """The processes that render. One that is not yet a program of its own does not count: its parent waits for it."""
        return [worker for process in self.processes() for worker in self.children(process) if _is_worker(worker)]

    def wait_for_processes(self, count: int) -> None:
        """Wait until so many serve, and have told their numbers; and their supervisor knows, which would else give up."""
        deadline = time.monotonic() + START_SECONDS
        while self.metric("pwgserve_processes") != count or '"serving"' not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    @contextlib.contextmanager
    def only(self, pid: int) -> Iterator[None]:
        """Let only one of the server processes answer."""
        others = [other for other in self.processes() if other != pid]
        for other in others:
            os.kill(other, signal.SIGSTOP)
        try:
            yield
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)

    def metric(self, name: str) -> float:
        """The sum of a metric's samples, of all processes."""
        text = self.visitor().get("/-/metrics").body.decode()
        return sum(float(line.split()[-1]) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(STOP_SECONDS) == 0, self.log

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """The exit code, once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(seconds)

    def has_ended(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it if a test has not."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def visitor(self, cookie: str | None = None, **headers: str) -> Visitor:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        listen = self.tables["server"]["listen"]
        if listen.startswith("unix:"):
            return LocalVisitor(self.port, cookie, sent, listen.removeprefix("unix:"))
        return Visitor(self.port, cookie, sent)


def _is_worker(pid: int) -> bool:
    try:
        return b"pwgserve.render.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # has ended meanwhile
        return False


def starting(folder: Path) -> Iterator[Callable[..., Daemon]]:
    """For a fixture: starts daemons, with settings as {"links": {"ttl": "2s"}}, and stops all of them at the end.

    environment: as of Daemon.
    """
    running: list[Daemon] = []

    def begin(gallery: TestGallery, environment: Mapping[str, str] | None = None, **changes: dict[str, Any]) -> Daemon:
        directory = folder / f"daemon{len(running)}"
        directory.mkdir()
        running.append(Daemon(gallery, directory, changes, environment=environment))
        return running[-1].start()

    yield begin
    for one in running:
        one.stop()
    assert not any("unexpected-error" in one.log for one in running)


def serving(
    gallery: TestGallery, folder: Path, environment: Mapping[str, str] | None = None, **changes: dict[str, Any]
) -> Iterator[Daemon]:
    """For a fixture that several tests share: a daemon that runs, as `starting` has them."""
    running = Daemon(gallery, folder, changes, environment=environment).start()
    yield running
    running.stop()
    assert "unexpected-error" not in running.log
