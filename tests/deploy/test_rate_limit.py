"""How nginx's limit of requests treats pages with many thumbnails, and whoever goes on like that."""

import contextlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from deployment import WAYS, deploy
from family import LAKE, PARTY
from waiting import until

PAGE = 500
"""Thumbnails of a large page: they come at once, and all of them must appear."""

TOGETHER = 20
"""Connections of a flood, each of which asks as soon as it has its answer."""


@pytest.fixture(scope="module")
def limited(gallery, place):
    running = deploy(WAYS["nginx"], gallery, place)
    yield running
    running.server.stop()
    running.daemon.stop()


def test_a_large_page_appears_and_a_flood_is_slowed_down(limited):
    with ThreadPoolExecutor(TOGETHER) as pool:
        page = Counter(
            status for part in pool.map(lambda _: asked(limited, PAGE // TOGETHER), range(TOGETHER)) for status in part
        )
        assert set(page) == {302, 404}, "what may be seen and what may not, and nothing else"

        # nginx lets 600 pass at once and 60 a second: a flood is whatever goes on for longer and faster.
        flood = Counter()
        deadline = time.monotonic() + 60
        while not flood[429] and time.monotonic() < deadline:
            for part in pool.map(lambda _: asked(limited, 20), range(TOGETHER)):
                flood.update(part)
        assert flood[429]
    # Who stops for a moment is served again.
    until(lambda: asked(limited, 1) == [302])


def asked(deployed, count):
    """The statuses of requests along one connection, of a stranger for what everybody may see and for what nobody may."""
    targets = (deployed.size(LAKE), deployed.size(PARTY))
    statuses = []
    with contextlib.closing(deployed.visitor().connection()) as connection:
        for number in range(count):
            connection.request("GET", targets[number % 2])
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
    return statuses
