"""The demo's page in a real browser, looked at and clicked through."""

import pytest
from demo_process import SEEN


def finished(page):
    page.wait_for_selector("#intruder-summary[data-total]")
    return page.locator("#intruder-summary")


def loaded(page):
    """Scrolls through the page, so that lazy pictures load, and waits until all have."""
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    page.wait_for_function("() => [...document.images].every((image) => image.complete)")


def test_every_attempt_of_the_intruder_fails_in_the_browser(demo, page):
    page.goto(demo.url)
    summary = finished(page)
    assert summary.get_attribute("data-refused") == summary.get_attribute("data-total") == "11"
    assert summary.get_attribute("data-leaked") == "0"
    assert summary.get_attribute("data-control") == "1"
    assert summary.get_attribute("data-answers") == "1", "every refusal is the same"
    page.screenshot(path=_shot("demo-guest.png"), full_page=True)


@pytest.mark.parametrize("name", SEEN)
def test_every_viewer_sees_real_pictures(demo, page, name):
    page.goto(demo.url)
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_function("(name) => document.body.dataset.viewer === name", arg=name)
    finished(page)
    loaded(page)
    widths = page.evaluate("[...document.querySelectorAll('.photos img')].map((image) => image.naturalWidth)")
    assert len(widths) == SEEN[name]
    assert min(widths) > 100
    # The browser notes failed loads of the intruder's attempts; nothing else may complain.
    assert [line for line in page.complaints if "404" not in line] == []


def test_a_picture_opens_large_and_tells_how_it_came(demo, page):
    page.goto(demo.url)
    page.get_by_role("button", name="Evening at the lake").click()
    page.wait_for_function("() => document.getElementById('proof').textContent.includes('X-Pwgserve')")
    assert "/pwgs/1.xl.p." in page.locator("#proof").text_content()
    page.wait_for_function("() => document.querySelector('#stage img').naturalWidth === 1224")


def test_a_film_plays_and_seeks(demo, page):
    page.goto(demo.url)
    page.get_by_role("button", name="Anna", exact=True).click()
    page.get_by_role("button", name="First trip").click()
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    page.evaluate("document.querySelector('video').currentTime = 4")
    page.wait_for_function(
        "() => !document.querySelector('video').seeking && document.querySelector('video').currentTime >= 4"
    )
    assert page.evaluate("document.querySelector('video').duration") == pytest.approx(5, abs=0.3)


def test_the_page_fits_a_phone(demo, page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(demo.url)
    finished(page)
    loaded(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=_shot("demo-phone.png"), full_page=True)


def _shot(name: str) -> str:
    from pathlib import Path

    folder = Path(__file__).parents[2] / "test-output"
    folder.mkdir(exist_ok=True)
    return str(folder / name)
