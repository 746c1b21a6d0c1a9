"""How nginx's limit of requests treats many guests in one network, and whoever goes on like that."""

import contextlib
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from deployment import WAYS, deploy
from family import LAKE, PARTY
from waiting import until

GUESTS = 20
"""Who open a page at once, all from the address of one network, each asking as soon as there is an answer."""

PAGE = 200
"""Requests for a page of 100 thumbnails, each of which is two: all of them must appear."""

FLOOD = """
local threads = {}
told = 0
function setup(thread) table.insert(threads, thread) end
function response(status) if status == 429 then told = told + 1 end end
function done() for _, thread in ipairs(threads) do io.write("told to come later: ", thread:get("told"), "\\n") end end
"""
"""For wrk, which is quicker than we are."""


@pytest.fixture(scope="module")
def limited(gallery, place):
    running = deploy(WAYS["nginx"], gallery, place)
    yield running
    running.server.stop()
    running.daemon.stop()


def test_the_page_of_all_guests_appears_and_a_flood_is_slowed_down(limited, tmp_path):
    with ThreadPoolExecutor(GUESTS) as pool:
        pages = Counter(status for page in pool.map(lambda _: asked(limited, PAGE), range(GUESTS)) for status in page)
    assert set(pages) == {302, 404}, "what may be seen and what may not, and nothing else"
    # nginx lets 6,000 pass at once and 200 a second: a flood is whatever goes on for longer and faster.
    (tmp_path / "flood.lua").write_text(FLOOD)
    until(lambda: told_to_come_later(limited, tmp_path / "flood.lua") > 0)
    # Who stops for a moment is served again.
    until(lambda: asked(limited, 1) == [302])


def test_nginxs_own_log_holds_no_link(gallery, place):
    """What nginx says of an error names the request."""
    running = deploy(WAYS["nginx"], gallery, place)
    legacy, link = running.size(LAKE), running.visitor().link(running.size(LAKE))
    running.daemon.stop()
    assert {running.visitor().get(target).status for target in (legacy, link)} == {502}
    log = running.server.folder.with_suffix(".log").read_text()
    output = running.server.folder.with_suffix(".output").read_text()
    running.server.stop()
    assert legacy in log
    assert link.rpartition("/")[2] not in log + output


def told_to_come_later(deployed, script):
    """How many requests of a short flood."""
    url = f"https://127.0.0.1:{deployed.server.port}{deployed.size(LAKE)}"
    command = ["wrk", "-t1", "-c4", "-d2s", "--timeout", "60s", "-H", "Host: localhost", "-s", str(script), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr + done.stdout
    return int(done.stdout.rpartition("told to come later: ")[2])


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
