"""A gallery's site as visitors find it: nginx in front of PHP with the plugin, and of the daemon."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon import Daemon
from family import FILM, PARTY, cookie
from nginx import Nginx
from plugin_side import PHP, PluginSide, annas_gallery, family_gallery
from ports import free_port
from visitor import Visitor
from waiting import until

from pwgserve.demo.film import film

LOCATIONS = """
location ~ ^/(i\\.php|i/|_data/i/|action\\.php|upload/|galleries/|pwgs/) {{
    proxy_pass http://127.0.0.1:{daemon};
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Remote-User "";
}}
location / {{
    proxy_pass http://127.0.0.1:{php};
    proxy_set_header Host $http_host;
}}
"""


class Site:
    """is_whole: with all of the family's photos, and a real film; otherwise Anna's one. environment: of the daemon.

    links: settings of the daemon.
    """

    def __init__(
        self, folder: Path, is_whole: bool = False, environment: Mapping[str, str] | None = None, **links: Any
    ) -> None:
        for name in ("gallery", "daemon", "nginx"):
            (folder / name).mkdir()
        self.gallery = (family_gallery if is_whole else annas_gallery)(folder / "gallery")
        if is_whole:
            film(self.gallery.root / self.gallery.paths[FILM], "lake", 3)
        port = free_port()
        server = {"public_url": f"http://127.0.0.1:{port}/"}
        changes = {"server": server, "links": links}
        self.daemon = Daemon(self.gallery, folder / "daemon", changes, environment=environment).start()
        self.plugin = PluginSide(self.gallery, self.daemon)
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self._php = self._started_php(folder)
        self._nginx = Nginx(folder / "nginx", port, LOCATIONS.format(daemon=self.daemon.port, php=self._php_port))
        self.know_the_daemon()

    def know_the_daemon(self) -> None:
        """Let the plugin hear of the daemon now, so that pages hold signed links for a minute.

        On a busy machine the daemon may take longer than the plugin waits, which would ask again after that minute.
        """
        until(self._has_just_heard)

    def _has_just_heard(self) -> bool:
        self.gallery.delete("config", param="pwgserve")
        page = Visitor(self.port, cookie("anna")).get(f"/album?way=plugin&photos={PARTY}")
        return "pwgs/" in page.body.decode()

    def _started_php(self, folder: Path) -> "subprocess.Popen[bytes]":
        self._php_port = free_port()
        php = shutil.which("php")
        assert php, "php is not installed; run scripts/system-packages"
        own = {"ROOT": str(self.gallery.root), "DATABASE": self.gallery.address.removeprefix("sqlite:///")}
        with (folder / "php.log").open("ab") as log:
            started = subprocess.Popen(
                [php, "-S", f"127.0.0.1:{self._php_port}", str(PHP / "site.php")],
                env={**os.environ, **own, "PHP_CLI_SERVER_WORKERS": "4"},
                stdout=log,
                stderr=log,
                start_new_session=True,  # with its workers, which it leaves behind when it ends
            )
        _wait(self._php_port, started)
        return started

    def signed_requests(self) -> float:
        """How many signed URLs the daemon has answered."""
        text = self.daemon.visitor().get("/-/metrics").body.decode()
        lines = [line for line in text.splitlines() if line.startswith('pwgserve_responses_total{kind="signed"')]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def stop(self) -> None:
        self._nginx.stop()
        os.killpg(self._php.pid, signal.SIGTERM)
        self._php.wait(120)
        self.daemon.stop()
        self.gallery.engine.dispose()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            Visitor(port).get("/nothing")
            return
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
