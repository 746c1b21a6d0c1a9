"""A page like Piwigo's in a real browser, with the plugin and without: what is fetched, what is kept, what is refused."""

import itertools
import time
from pathlib import Path

import pytest
from clock import Clock
from family import DOCUMENT, FILM, USERS, VISIBLE
from links import expiry_of
from piwigo_site import Site

SHOTS = Path(__file__).parents[2] / "test-output"
ANNAS = sorted(VISIBLE["anna"] - {DOCUMENT})
PUBLIC = sorted(VISIBLE["guest"] - {DOCUMENT})
WAYS = {"plugin": 0, "legacy": 1}
LOGINS = itertools.count(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    running = Site(tmp_path_factory.mktemp("site"), is_whole=True)
    yield running
    running.stop()


@pytest.fixture
def anna(site, page):
    """Anna's browser, with a session of its own, as after every login: an ended one stays ended for half a second."""
    page.answers = []
    page.on("response", lambda answer: page.answers.append((answer.status, answer.url)))
    session = f"anna{next(LOGINS)}"
    site.gallery.session(USERS["anna"], session)
    page.goto(f"{site.url}/login?session={session}")
    site.know_the_daemon()
    return page


def album(site, way, photos=ANNAS):
    return f"{site.url}/album?way={way}&photos={','.join(map(str, photos))}"


def scroll(page):
    """To the end and back, as a person would, until all pictures are there."""
    for image in page.locator("img").all():
        image.scroll_into_view_if_needed()
        page.wait_for_function("(image) => image.complete", arg=image.element_handle())
    page.evaluate("scrollTo(0, 0)")


def widths(page):
    return page.evaluate("[...document.images].map((image) => image.naturalWidth)")


def shot(page, name):
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=str(SHOTS / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("way", WAYS)
def test_all_thumbnails_appear_lazily_and_with_as_many_redirects_as_promised(site, anna, way):
    anna.goto(album(site, way))
    anna.wait_for_function("() => document.images[0].complete && document.images[0].naturalWidth")
    first = len([url for status, url in anna.answers if status == 200 and "/pwgs/" in url])
    assert 0 < first < len(ANNAS), "what is far below is not fetched yet"
    scroll(anna)
    assert min(widths(anna)) > 200
    fetched = [url for status, url in anna.answers if status == 200 and "/pwgs/" in url]
    redirects = [url for status, url in anna.answers if status == 302]
    assert len(fetched) == len(set(fetched)) == len(ANNAS)
    assert len(redirects) == WAYS[way] * len(ANNAS)
    assert anna.complaints == []
    shot(anna, f"plugin-page-{way}")


def test_the_browser_is_sent_the_format_that_it_announces(site, anna):
    anna.set_extra_http_headers({"Accept": "text/html,image/avif,image/webp,*/*;q=0.8"})
    anna.goto(album(site, "plugin", PUBLIC))
    scroll(anna)
    assert min(widths(anna)) > 200
    fetched = [url for _, url in anna.answers if "/pwgs/" in url]
    assert {url.rpartition(".")[2] for url in fetched} == {"avif"}
    assert anna.complaints == []


@pytest.mark.parametrize("way", WAYS)
def test_going_back_and_reloading_ask_the_daemon_for_nothing(site, anna, way):
    anna.goto(album(site, way))
    scroll(anna)
    before = site.signed_requests()
    anna.click("#away")
    anna.wait_for_selector("#back")
    anna.go_back()
    scroll(anna)
    assert min(widths(anna)) > 200
    anna.reload()
    scroll(anna)
    assert min(widths(anna)) > 200
    assert site.signed_requests() == before
    assert anna.complaints == []


def test_after_logging_out_a_reload_shows_nothing_private(site, anna):
    anna.goto(album(site, "plugin"))
    scroll(anna)
    private = [url for _, url in anna.answers if "/pwgs/" in url and ".u3s" in url]
    assert private
    anna.click("#out")
    anna.wait_for_function("() => document.title === 'Logged out'")
    time.sleep(2)  # the promise
    anna.goto(album(site, "plugin"))
    anna.reload()
    scroll_tried(anna)
    shown = anna.evaluate("[...document.images].filter((image) => image.naturalWidth).map((image) => +image.alt)")
    assert sorted(shown) == PUBLIC
    shot(anna, "plugin-page-logged-out")
    for url in private:
        assert anna.evaluate("(url) => fetch(url, {cache: 'reload'}).then((answer) => answer.status)", url) == 404
    assert [line for line in anna.complaints if "404" not in line] == []


def scroll_tried(page):
    for image in page.locator("img").all():
        image.scroll_into_view_if_needed()
        page.wait_for_function("(image) => image.complete", arg=image.element_handle())


def test_a_film_plays_and_seeks(site, anna):
    anna.goto(f"{site.url}/film?photo={FILM}")
    anna.evaluate("document.querySelector('video').play()")
    anna.wait_for_function("() => document.querySelector('video').currentTime > 0.2")
    anna.evaluate("document.querySelector('video').currentTime = 4")
    anna.wait_for_function(
        "() => { const v = document.querySelector('video'); return !v.seeking && v.currentTime >= 4 }"
    )
    assert [status for status, url in anna.answers if status == 302] == []
    assert anna.complaints == []
    shot(anna, "plugin-film")


def test_a_copied_link_dies_at_its_time(tmp_path, browser):
    clock = Clock(tmp_path / "clock")
    running = Site(tmp_path, environment=clock.environment, ttl="10m")
    try:
        other = browser.new_context().new_page()
        link = link_of_anna(running, browser)
        clock.set_to(expiry_of(link) - 60)
        assert other.goto(link).status == 200, "until then it works for whoever has it"
        clock.set_to(expiry_of(link))
        assert other.request.get(link).status == 404
        assert browser.new_context().new_page().goto(link).status == 404, "by the clock of one who has not had it"
    finally:
        running.stop()


def test_with_bound_sessions_a_copied_link_is_nothing_to_another_browser(tmp_path, browser):
    running = Site(tmp_path, bind_session=True)
    try:
        link = link_of_anna(running, browser)
        other = browser.new_context().new_page()
        assert other.goto(link).status == 404
        other.goto(f"{running.url}/login?session=annasession")
        assert other.goto(link).status == 200
    finally:
        running.stop()


def link_of_anna(site, browser):
    page = browser.new_context().new_page()
    page.goto(f"{site.url}/login?session=annasession")
    page.goto(album(site, "plugin", [2]))
    link = page.evaluate("document.images[0].src")
    assert ".u3s" in link
    assert page.goto(link).status == 200
    return link
