import socket

import pytest
from daemon import Daemon
from plugin_side import PluginSide, family_gallery


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    gallery = family_gallery(tmp_path_factory.mktemp("gallery"))
    daemon = Daemon(gallery, tmp_path_factory.mktemp("daemon")).start()
    yield PluginSide(gallery, daemon)
    daemon.stop()
    gallery.engine.dispose()


@pytest.fixture
def nobodys_port():
    """A port that refuses: bound, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
