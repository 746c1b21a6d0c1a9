"""The family's gallery with a real daemon, for attacks over HTTP; with what an attacker would like to reach around it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import family
import pytest
from daemon import Daemon, serving, starting
from databases import Databases
from galleries import TestGallery
from wire import DAY, SECRET, comparable


@pytest.fixture(scope="session")
def gallery(tmp_path_factory) -> Iterator[TestGallery]:
    """`gallery.paths` are those of its photos; `gallery.outside` is a folder that nothing may lead to."""
    folder = tmp_path_factory.mktemp("gallery")
    made = Databases(folder / "unused").gallery("sqlite", folder)
    made.paths = family.build(made)
    made.outside = folder / "outside"
    made.outside.mkdir()
    (made.outside / "secret.jpg").write_bytes(SECRET)
    (made.root / "local/config").mkdir(parents=True)
    (made.root / "local/config/secret.jpg").write_bytes(SECRET)
    (made.root / "secret.jpg").write_bytes(SECRET)
    day = made.root / DAY
    (day / "link.jpg").symlink_to(made.outside / "secret.jpg")
    (day / "folder").symlink_to(made.outside)
    (day / "loop.jpg").symlink_to(day / "loop.jpg")
    (day / "self").symlink_to(day)
    (day / "proc.jpg").symlink_to("/proc/self/environ")
    (day / "null.jpg").symlink_to("/dev/null")
    (day / "zero.jpg").symlink_to("/dev/zero")
    os.mkfifo(day / "pipe.jpg")
    (day / "directory.jpg").mkdir()
    with socket.socket(socket.AF_UNIX) as local:
        here = Path.cwd()
        os.chdir(day)  # a socket's address is short
        local.bind("socket.jpg")
        os.chdir(here)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def daemon(gallery, tmp_path_factory) -> Iterator[Daemon]:
    yield from serving(gallery, tmp_path_factory.mktemp("daemon"))


@pytest.fixture
def start(tmp_path) -> Iterator[object]:
    """Starts further daemons with other settings, and stops them."""
    yield from starting(tmp_path)


@pytest.fixture(scope="session")
def no(daemon):
    """The refusal that all others must be like."""
    return comparable(daemon.visitor().get("/there/is/nothing/here.jpg"))
