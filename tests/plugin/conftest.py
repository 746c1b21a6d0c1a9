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
