"""A running thumbor, which renders from the same folder and keeps its results in files."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from mariadb import free_port
from visitor import Visitor

CONFIGURATION = """
LOADER = "thumbor.loaders.file_loader"
FILE_LOADER_ROOT_PATH = {root!r}
STORAGE = "thumbor.storages.no_storage"
RESULT_STORAGE = "thumbor.result_storages.file_storage"
RESULT_STORAGE_FILE_STORAGE_ROOT_PATH = {results!r}
RESULT_STORAGE_STORES_UNSAFE = True
ALLOW_UNSAFE_URL = True
QUALITY = 95
"""


@contextlib.contextmanager
def running(venv: Path, root: Path, folder: Path, processes: int) -> Iterator[int]:
    """The port of a thumbor for the pictures below `root`."""
    port = free_port()
    file = folder / "thumbor.conf"
    file.write_text(CONFIGURATION.format(root=str(root), results=str(folder / "results")))
    options = ["-i", "127.0.0.1", "-p", str(port), "-c", str(file), "-l", "error", "--processes", str(processes)]
    with (folder / "log").open("wb") as log:
        # A group of its own: its first process ends without the others.
        command = [str(venv / "bin/thumbor"), *options]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 40
        while True:
            try:
                Visitor(port).get("/healthcheck")
                break
            except ConnectionError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "log").read_text()[-2000:]) from error
                time.sleep(0.1)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def address(path: str, width: int, height: int) -> str:
    """The address of a derivative of the picture at a path below the root."""
    return f"/unsafe/{width}x{height}/{path}"
