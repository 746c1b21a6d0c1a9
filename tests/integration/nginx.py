"""A private nginx: own folder, own port, gone at the end. What it serves is each test's; `deploy/` has its own tests."""

import getpass
import subprocess
from pathlib import Path

from mariadb import program
from visitor import Visitor
from waiting import until

CONFIGURATION = """
worker_processes 1;
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{
        listen 127.0.0.1:{port};
        {locations}
    }}
}}
"""


class Nginx:
    """Serves `locations`, as its configuration has them, at a port; it has started when this is made."""

    def __init__(self, folder: Path, port: int, locations: str) -> None:
        self.port = port
        # As who it is started by: pytest's folders are nobody else's.
        user = "user root;" if getpass.getuser() == "root" else ""
        file = folder / "nginx.conf"
        file.write_text(CONFIGURATION.format(folder=folder, user=user, port=port, locations=locations))
        self._process = subprocess.Popen([program("nginx"), "-c", str(file)], stderr=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process.poll() is None
        try:
            Visitor(self.port).get("/nothing")
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(120)
