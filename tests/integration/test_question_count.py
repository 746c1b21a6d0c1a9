"""A photo that is forbidden costs the database as many questions as one that does not exist: time tells nothing."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from family import LAKE, PARTY

from pwgserve.answers.catalogue import ANEW_PAUSE, Catalogue, OwnerFile
from pwgserve.answers.freshness import ASKED_ANEW_AT, MAX_AGE
from pwgserve.answers.together import BURST, Questions
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import from_config
from pwgserve.piwigo.gallery import Gallery, database_address
from pwgserve.piwigo.requests import parse
from pwgserve.piwigo.schema import schema
from pwgserve.render.plan import RenderRules

PHOTO = "upload/2026/05/14/20260514101112-00000002"
NOWHERE = "upload/2026/05/14/20260514101112-ffffffff"


@pytest.fixture
def with_format(gallery):
    gallery.insert("image_format", format_id=31, image_id=2, ext="cr2")
    yield gallery
    gallery.delete("image_format", format_id=31)


@pytest.mark.parametrize(
    ("there", "nowhere"),
    [
        ("action.php?id=2&part=e", "action.php?id=424242&part=e"),
        ("action.php?format=31&part=f", "action.php?format=424242&part=f"),
        (f"{PHOTO}.jpg", f"{NOWHERE}.jpg"),
        (f"i.php?/{PHOTO}-me.jpg", f"i.php?/{NOWHERE}-me.jpg"),
        ("upload/2026/05/14/pwg_representative/film.jpg", "upload/2026/05/14/pwg_representative/none.jpg"),
        ("/".join(PHOTO.split("/")[:-1]) + "/pwg_format/" + PHOTO.split("/")[-1] + ".cr2", "upload/pwg_format/x.cr2"),
    ],
)
async def test_the_same_number_of_questions(with_format, there, nowhere):
    asked = [await _questions(with_format, target) for target in (there, nowhere)]
    assert asked[0] == asked[1] > 0


def asked_for(daemon, *targets):
    """How many questions requests of a stranger cost, none of which was asked before."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        time.sleep(MAX_AGE * 1.2)
        visitor = daemon.visitor()
        before = daemon.metric("pwgserve_database_questions_total")
        started = time.monotonic()
        answers = [visitor.get(target) for target in targets]
        if time.monotonic() - started < MAX_AGE * ASKED_ANEW_AT:
            return answers, daemon.metric("pwgserve_database_questions_total") - before
        # On a machine that is busy: what lies so far back may rightly be asked anew.
    raise AssertionError("this machine is too busy to tell")


def test_who_was_given_a_link_asks_the_database_nothing_more(daemon, gallery):
    path = f"/i.php?/{gallery.paths[LAKE].replace('.jpg', '-me.jpg')}"
    link = daemon.visitor().link(path)
    assert daemon.visitor().get(link).status == 200  # made now, and not while questions are counted
    _, only_redirect = asked_for(daemon, path)
    answers, with_picture = asked_for(daemon, path, link)
    assert [answer.status for answer in answers] == [302, 200]
    assert with_picture == only_redirect > 0


def test_who_was_refused_learns_nothing_from_what_was_found(daemon, gallery):
    there = [f"/i.php?/{gallery.paths[PARTY].replace('.jpg', '-me.jpg')}", f"/action.php?id={PARTY}&part=e"]
    nowhere = [f"/i.php?/{NOWHERE}-me.jpg", "/action.php?id=424242&part=e"]
    costs = []
    for targets in (there, nowhere):
        answers, cost = asked_for(daemon, *targets)
        assert [answer.status for answer in answers] == [404, 404]
        costs.append(cost)
    assert costs[0] == costs[1] > 1


async def _questions(made, target):
    gallery = Gallery(database_address(made.address), schema("piwigo_"))
    catalogue = Catalogue(gallery, OwnerFile(made.root, {}), False, RenderRules(), Questions())
    path, _, query = target.partition("?")
    request = parse(path, query, PiwigoConf(enable_formats=True), from_config(None))
    try:
        await catalogue.find(request)
        return gallery.questions
    finally:
        await gallery.close()


def test_sizes_that_no_gallery_has_cost_few_questions(daemon, gallery):
    """What is not listed is looked for in newer settings, and anybody may ask for it."""
    for attempt in range(10):
        before = daemon.metric("pwgserve_database_questions_total")
        started = time.monotonic()
        with ThreadPoolExecutor(30) as visitors:
            sizes = [f"/i.php?/{PHOTO}-cu_{100 + number}x{100 + attempt}_a_50x50.jpg" for number in range(120)]
            assert {answer.status for answer in visitors.map(lambda size: daemon.visitor().get(size), sizes)} == {404}
        asked = daemon.metric("pwgserve_database_questions_total") - before
        allowed = BURST + (time.monotonic() - started) * (1 / ANEW_PAUSE + 10)
        assert asked <= allowed
        if allowed < 100:
            break
        # On a machine that is busy: in so long a time there may rightly be a question for each.
