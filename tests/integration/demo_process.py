"""A running demo: the process, and requests to it."""

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from ports import free_port

SEEN = {"Guest": 10, "Anna": 17, "Ben": 14, "Carol": 10, "Webmaster": 14}
"""How many pictures the demo shows to whom."""


class DemoProcess:
    """`temporary`: where it keeps everything; empty again when it has stopped."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pwgserve", "demo", "--port", str(self.port)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "Open http" in line:
                break
        else:
            raise AssertionError("the demo did not start")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def stop(self) -> int:
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=120)
        return self._process.returncode

    def get(self, path: str, cookie: str = "", method: str = "GET", body: str = "") -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body or None, headers={"Cookie": cookie} if cookie else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def follow(self, path: str, cookie: str = "") -> tuple[int, Any, bytes]:
        status, headers, body = self.get(path, cookie)
        return self.get(headers["Location"], cookie) if status == 302 else (status, headers, body)

    def json(self, method: str, path: str, cookie: str = "") -> Any:
        return json.loads(self.get(path, cookie, method)[2])

    def become(self, name: str) -> str:
        """The cookie of a viewer of the page."""
        headers = self.get("/demo/viewer", method="POST", body=name)[1]
        return headers["Set-Cookie"].partition(";")[0]

    def everything(self) -> list[dict[str, Any]]:
        """The albums of all viewers together."""
        return [
            album
            for name in ("Anna", "Webmaster")
            for album in self.json("GET", "/demo/albums", self.become(name))["albums"]
        ]
