"""The operators' page in a real browser: nothing is blocked, nothing is loaded, it fits a phone."""

from pathlib import Path

import family
import pytest
import sqlalchemy as sa
from daemon import Daemon
from galleries import TestGallery


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery")
    gallery = TestGallery(folder / "piwigo", sa.create_engine(f"sqlite:///{folder}/g.db"), f"sqlite:///{folder}/g.db")
    gallery.user(family.USERS["guest"], "guest", "guest")
    gallery.album(1)
    gallery.paths = {1: gallery.photo(1, (1,))}
    running = Daemon(gallery, tmp_path_factory.mktemp("daemon")).start()
    running.visitor().follow("/i.php?/" + gallery.paths[1].replace(".jpg", "-me.jpg"))
    yield running
    running.stop()
    gallery.engine.dispose()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_the_page_is_styled_loads_nothing_and_fits(daemon, page, width, scheme):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    url = f"http://127.0.0.1:{daemon.port}/-/status"
    page.goto(url)
    assert page.locator(".state").text_content() == "healthy"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") == "12px"
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in background[4:-1].split(",")) < 200) == (scheme == "dark")
    assert [address for address in asked if not address.endswith("favicon.ico")] == [url]
    assert [line for line in page.complaints if "favicon" not in line and "404" not in line] == []
    folder = Path(__file__).parents[2] / "test-output"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=str(folder / f"status-{scheme}-{width}.png"), full_page=True)
