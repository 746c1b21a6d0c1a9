"""What benchmarks run against: a private database, generated galleries, real daemons and a real nginx, all on loopback.

A benchmark takes from here what it needs; everything is stopped at the end. Servers come from the tests' own helpers.
"""

from __future__ import annotations

import contextlib
import getpass
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pyvips

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

from daemon import Daemon  # noqa: E402 - found by the line above
from databases import Databases  # noqa: E402
from galleries import TestGallery  # noqa: E402
from mariadb import free_port, program  # noqa: E402
from visitor import Visitor  # noqa: E402

from benchmarks.load import CONNECTIONS  # noqa: E402

PROCESSES = 2

NGINX = """
worker_processes {workers};
user {user};
worker_rlimit_nofile 20000; # open_file_cache holds more than the 1,024 that most systems give a process
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on; tcp_nodelay on;
    tcp_nopush off;
    keepalive_requests 1000000;
    open_file_cache max=10000;
    default_type image/jpeg;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=pictures:10m max_size=1g;
    upstream pwgserve {{ server {daemon}; keepalive 64; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Forwarded-For $remote_addr;
        location /static/ {{ alias {static}/; }}
        location / {{ proxy_pass http://pwgserve; }}
        location /_pwgserve/cache/ {{ internal; alias {cache}/; {headers} }}
        location /_pwgserve/originals/ {{ internal; alias {originals}/; {headers} }}
        {more}
    }}
}}
"""
HEADERS = "add_header X-Pwgserve $upstream_http_x_pwgserve; add_header X-Content-Type-Options nosniff;"


@dataclass
class Lab:
    """A place to measure in. quick: only to see that everything runs; its numbers mean nothing.

    thumbor: a virtual environment that has it, None to leave it out. peers: further contenders that somebody else runs
    on this machine: name → address.
    """

    directory: Path
    quick: bool = False
    thumbor: Path | None = None
    peers: dict[str, str] = field(default_factory=dict)
    _resources: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _databases: Databases | None = None
    _made: int = 0

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    @property
    def seconds(self) -> float:
        """How long one run of the client takes."""
        return 1 if self.quick else 3

    @property
    def connections(self) -> int:
        """Along how many the client asks. Who only sees that everything runs leaves others the machine."""
        return 1 if self.quick else CONNECTIONS

    @property
    def processes(self) -> int:
        """How many serve in a daemon, and in a peer."""
        return 1 if self.quick else PROCESSES

    @property
    def rounds(self) -> int:
        """How often contenders take turns."""
        return 1 if self.quick else 3

    def enter(self, server: contextlib.AbstractContextManager[Any]) -> Any:
        """Start what ends with the lab; returns what it gives."""
        return self._resources.enter_context(server)

    def folder(self) -> Path:
        """A new empty folder."""
        self._made += 1
        made = self.directory / f"{self._made:02d}"
        made.mkdir(parents=True)
        return made

    def gallery(self) -> TestGallery:
        """An empty gallery in MariaDB."""
        if self._databases is None:
            self._databases = Databases(self.folder())
            self._resources.callback(self._databases.close)
        made = self._databases.gallery("mariadb", self.folder())
        self._resources.callback(made.engine.dispose)
        return made

    def daemon(self, gallery: TestGallery, **changes: dict[str, Any]) -> Daemon:
        """A running daemon on a gallery, logging as it does for owners; `changes` as {"server": {…}}."""
        tables = {"log": {"level": "info", "format": "text"}, "cache": {"max_size": "50GB"}} | changes
        daemon = Daemon(gallery, self.folder(), tables).start()
        self._resources.callback(daemon.stop)
        return daemon

    def nginx(self, daemon: Daemon, static: Path, more: str = "") -> int:
        """The port of an nginx before a daemon, which also serves the files of `static`. more: for its server block."""
        folder, port = self.folder(), free_port()
        text = NGINX.format(
            workers=PROCESSES,
            user=getpass.getuser(),
            folder=folder,
            daemon=daemon.tables["server"]["listen"],
            port=port,
            static=static,
            cache=Path(daemon.tables["cache"]["dir"]),
            originals=daemon.gallery.root,
            headers=HEADERS,
            more=more,
        )
        (folder / "nginx.conf").write_text(text)
        process = subprocess.Popen([program("nginx"), "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
        self._resources.callback(_ended, process)
        deadline = time.monotonic() + 120
        while True:
            try:
                Visitor(port).get("/")
                return port
            except ConnectionError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "error.log").read_text()) from error
                time.sleep(0.05)


def photograph(width: int, height: int, grain: float = 3.0, seed: int = 1) -> pyvips.Image:
    """A picture with the gradients and the grain of a photo: about 60 KB as a JPEG of 792x594."""
    ramp = pyvips.Image.xyz(width, height)
    bands = [ramp[0] * 180 / width, ramp[1] * 180 / height, (ramp[0] + ramp[1]) * 180 / (width + height)]
    noise = pyvips.Image.gaussnoise(width, height, sigma=grain, mean=30, seed=seed)
    return (bands[0].bandjoin(bands[1:]) + noise).cast("uchar").copy(interpretation="srgb")


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(120)
