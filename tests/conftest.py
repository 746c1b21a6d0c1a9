"""Makes the tests' own modules importable by their names, whichever folder a test is in; what holds for all tests."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

for _folder in ("integration", "render", "hostile", "plugin", "deploy", "browser", "systemd", "setup"):
    sys.path.insert(0, str(Path(__file__).parent / _folder))

if TYPE_CHECKING:
    from demo_process import DemoProcess

# Whoever starts the tests in the background lets them ignore Ctrl-C, and so would all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more about the machine than about the example.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

TOGETHER = {
    "deployed": ("deploy/test_check.py", "deploy/test_proxies.py"),  # behind the same web servers
    "demo": ("demo/", "browser/test_demo_page.py"),  # one demo, which takes a while to be drawn
    "packaging": ("packaging/",),  # `make` builds in one folder
}
"""Tests of which no two run at a time, besides those of one file."""

LONGEST = (
    "packaging",
    "benchmarks/test_run.py",
    "deployed",
    "integration/test_faults.py",
    "deploy/test_mistakes.py",
    "integration/test_systemd.py",
    "demo",
    "integration/test_configuration.py",
    "render/test_shared.py",
    "integration/test_changes.py",
    "browser/test_plugin_pages.py",
    "integration/test_warm.py",
    "integration/test_signed.py",
    "integration/test_processes.py",
    "integration/test_viewers.py",
    "hostile/test_pictures.py",
    "hostile/test_connections.py",
    "render/test_pool.py",
    "render/test_recoded.py",
    "hostile/test_database.py",
    "integration/test_outage.py",
    "integration/test_init.py",
    "plugin/test_agreement.py",
    "render/test_engine.py",
    "integration/test_files.py",
    "integration/test_refusals.py",
    "integration/test_permissions.py",
    "hostile/test_timing.py",
    "integration/test_cache_command.py",
    "integration/test_message_links.py",
    "integration/test_keys.py",
    "deploy/test_rate_limit.py",
    "integration/test_history.py",
    "integration/test_encodings.py",
    "integration/test_legacy.py",
    "integration/test_made_smaller.py",
)
"""Begun first, in this order: those that take long come before those that fill the gaps at the end."""


def group_of(nodeid: str) -> str:
    """The file of a test below tests/, or what it belongs to with others."""
    file = nodeid.partition("::")[0].removeprefix("tests/")
    return next((name for name, starts in TOGETHER.items() if file.startswith(starts)), file)


def pytest_configure(config: pytest.Config) -> None:
    """Processes that run tests beside one another inherit a folder for what all of them need and none changes."""
    from mariadb import SHARED

    if SHARED not in os.environ:
        os.environ[SHARED] = tempfile.mkdtemp(prefix="pwgserve-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(SHARED)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {group: place for place, group in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(group_of(item.nodeid), len(LONGEST)))


class Groups(LoadScopeScheduling):
    """Gives each process whole groups, those of the two kinds of databases apart, in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return f"{group_of(nodeid)} mariadb" if "[mariadb" in nodeid else group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    return Groups(config, log)


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    """Workers go behind all else that the machine does: where that is much, one that starts late is none that failed."""
    from pwgserve.render import workers

    workers.START_SECONDS = 600.0


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[DemoProcess]":
    """A demo that runs."""
    from demo_process import DemoProcess

    running = DemoProcess(tmp_path_factory.mktemp("demo"))
    yield running
    assert running.stop() == 0
    assert list(running.temporary.iterdir()) == [], "nothing is left behind"
