"""What nginx keeps for a second, and what it never keeps."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from deployment import WAYS, deploy
from family import LAKE, LETTER, PARTY
from waiting import until


@pytest.fixture(scope="module")
def keeping(gallery, place):
    running = deploy(WAYS["nginx-keeping-public"], gallery, place)
    yield running
    running.server.stop()
    running.daemon.stop()


def kept(deployed):
    return [path.read_bytes() for path in (deployed.server.folder / "kept").rglob("*") if path.is_file()]


def test_public_pictures_are_kept_and_private_ones_never_touch_the_disk(keeping):
    anna = keeping.visitor("anna")
    public, private = anna.follow(keeping.size(LAKE)), anna.follow(keeping.size(PARTY))
    letter, original = anna.follow(keeping.original(LETTER)), anna.follow(keeping.original(LAKE))
    assert {answer.status for answer in (public, private, letter, original)} == {200}

    def is_kept():
        # An answer that took too long to decide is kept by nobody.
        assert anna.follow(keeping.size(LAKE)).body == public.body
        return any(public.body in content for content in kept(keeping))

    until(is_kept)
    found = kept(keeping)
    for body in (private.body, letter.body, original.body):
        assert not any(body in content for content in found)


def test_no_refusal_and_no_way_to_a_picture_is_kept(keeping):
    stranger, anna = keeping.visitor(), keeping.visitor("anna")
    assert stranger.get(keeping.size(PARTY)).status == 404
    assert anna.get(keeping.size(PARTY)).status == 302
    assert stranger.get(keeping.size(PARTY)).status == 404
    assert not any(b"302 Found" in content or b"404 Not Found" in content for content in kept(keeping))


def test_the_daemon_is_asked_once_a_second_for_what_everybody_opens(keeping):
    stranger = keeping.visitor()
    link = stranger.link(keeping.size(LAKE, "xs"))
    stranger.get(link)

    def is_asked_once_a_second():
        before = keeping.daemon.log.count('"kind": "signed"')
        started = time.monotonic()
        for _ in range(40):
            assert stranger.get(link).status == 200
        asked = keeping.daemon.log.count('"kind": "signed"') - before
        return asked <= time.monotonic() - started + 2

    until(is_asked_once_a_second)  # at once, but where answers take so long that nobody may keep them


def test_nobody_waits_in_nginx_for_the_answer_to_somebody_else(keeping):
    """`proxy_cache_lock` would let all but the first look again every half a second, however soon that one is answered."""
    visitors = [keeping.visitor() for _ in range(8)]
    link = visitors[0].link(keeping.size(LAKE, "me"))
    before = keeping.daemon.log.count('"kind": "signed"')
    (process,) = keeping.daemon.processes()
    os.kill(process, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(len(visitors)) as pool:
            answers = [pool.submit(visitor.get, link) for visitor in visitors]
            # So that all are on their way before the first is answered.
            until(lambda: waiting(keeping.daemon.port) == len(visitors))
            os.kill(process, signal.SIGCONT)
            assert {answer.result().status for answer in answers} == {200}
    finally:
        os.kill(process, signal.SIGCONT)
    until(lambda: keeping.daemon.log.count('"kind": "signed"') - before == len(visitors))


def waiting(port):
    """How many connections there are at a port with something that has not been read."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = [line for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "01"]
    return sum(not line[4].endswith(":00000000") for line in established)


def test_what_one_asks_for_in_part_is_no_answer_to_others(keeping):
    visitor = keeping.visitor()
    link = visitor.link(keeping.size(LAKE, "2s"))
    whole = visitor.get(link)
    for asked, status in (("bytes=0-0", 206), ("bytes=99999999-", 416)):
        time.sleep(1.1)  # nothing is kept any more
        answer = visitor.get(link, Range=asked)
        assert answer.status == status
        assert "immutable" not in answer.headers["cache-control"] or status == 206
        after = visitor.get(link)
        assert (after.status, after.body) == (200, whole.body)
