"""The first server process begins before the service knows what to serve: whatever happens meanwhile, none is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from daemon import settings_for, toml
from ports import free_port
from visitor import Visitor
from waiting import is_alive, until

in_a_gallery = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")


@pytest.fixture
def service(tmp_path):
    """The service, with a configuration that cannot be read before somebody has written it."""
    config = tmp_path / "pwgserve.toml"
    os.mkfifo(config)
    command = [sys.executable, "-m", "pwgserve", "serve", "--config", str(config)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    yield process, config
    process.kill()
    process.communicate()


def recruit(service):
    """The process that begins first, once it has begun."""
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children")
    until(lambda: children.read_text().split())
    (child,) = children.read_text().split()
    until(lambda: b"pwgserve.service.entry" in Path(f"/proc/{child}/cmdline").read_bytes())
    return int(child)


def is_taken(config, text):
    """Whether somebody was there to read the configuration."""
    try:
        writing = os.open(config, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(writing, "w") as file:
        file.write(text)
    return True


@in_a_gallery
def test_it_serves_as_soon_as_it_is_told_what(service, gallery, tmp_path):
    process, config = service
    first = recruit(process)
    port = free_port()
    config.write_text(toml(settings_for(gallery, tmp_path, port)))
    until(lambda: is_ready(port))
    assert Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split() == [str(first)]
    process.terminate()
    assert process.wait(120) == 0
    assert not is_alive(first)


def is_ready(port):
    try:
        return Visitor(port).get("/-/ready").status == 200
    except ConnectionError:
        return False


@pytest.mark.parametrize("seconds", [0, 2])
def test_it_ends_with_a_service_that_is_killed_before_it_has_orders(service, seconds):
    process, _config = service
    first = recruit(process)
    time.sleep(seconds)  # at first it loads its code, in the end it waits
    process.kill()
    until(lambda: not is_alive(first))


@in_a_gallery
def test_ctrl_c_while_code_is_loaded_ends_all_without_a_word_more(service, gallery, tmp_path):
    process, config = service
    first = recruit(process)
    process.send_signal(signal.SIGINT)
    text = toml(settings_for(gallery, tmp_path, free_port()))
    until(lambda: process.poll() is not None or is_taken(config, text))
    _, said = process.communicate(timeout=120)
    assert process.returncode in (0, 1), "stopped, or aborted"
    assert "error" not in said, said
    assert not is_alive(first)


def test_a_wrong_configuration_leaves_nothing_and_says_so_in_one_line(service):
    process, config = service
    first = recruit(process)
    config.write_text("[server]\nlisten = 1\n")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert said.startswith(f"pwgserve: {config}: server.listen")
    assert said.count("\n") == 1
    assert not is_alive(first)


@in_a_gallery
def test_one_that_dies_before_its_orders_is_told_in_one_line(service, gallery, tmp_path):
    process, config = service
    os.kill(recruit(process), signal.SIGKILL)
    config.write_text(toml(settings_for(gallery, tmp_path, free_port())))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert said == "pwgserve: a server process ended while it was starting (SIGKILL)\n"
