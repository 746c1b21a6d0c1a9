"""The demo as a person starts it: a process of its own, asked over HTTP."""

import os
import signal
import subprocess
import sys
import time

import pytest
from demo_process import SEEN

from pwgserve.demo.gallery import PICTURES


@pytest.mark.parametrize("name", SEEN)
def test_every_viewer_gets_exactly_the_pictures_that_the_page_lists(demo, name):
    cookie = demo.become(name)
    albums = demo.json("GET", "/demo/albums", cookie)["albums"]
    photos = [photo for album in albums for photo in album["photos"]]
    assert len(photos) == SEEN[name]
    for photo in photos:
        answer = demo.follow(photo["thumbnail"], cookie)
        assert answer[0] == 200, photo
        assert answer[1]["Content-Type"].startswith("image/")
    listed = {photo["thumbnail"] for photo in photos}
    everything = {photo["thumbnail"] for album in demo.everything() for photo in album["photos"]}
    for thumbnail in everything - listed:
        assert demo.follow(thumbnail, cookie)[0] == 404


def test_every_attempt_of_the_intruder_fails_and_the_control_works(demo):
    attempts = demo.json("POST", "/demo/attempts")
    assert sum(attempt["control"] for attempt in attempts) == 1
    assert len(attempts) == 12
    refusals = set()
    for attempt in attempts:
        time.sleep(attempt["wait"])
        status, headers, body = demo.get(attempt["url"])
        if attempt["control"]:
            assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        else:
            assert status == 404, attempt
            refusals.add(body)
    assert refusals == {b"Not found\n"}


def test_the_film_plays_and_seeks(demo):
    film = next(picture for picture in PICTURES if picture.extension == "mp4")
    cookie = demo.become("Anna")
    status, headers, _ = demo.follow(f"/{film.path}", cookie)
    assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (200, "video/mp4", "bytes")


def test_the_page_needs_nothing_from_outside(demo):
    for path in ("/", "/demo/page.css", "/demo/page.js", "/favicon.ico"):
        status, headers, body = demo.get(path)
        assert status == 200
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        text = body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "//cdn" not in text


def test_the_daemon_itself_answers_all_other_addresses(demo):
    assert demo.get("/-/health")[0] == 200
    assert demo.get("/demo/nothing")[0] == 404


def test_a_taken_port_is_said_in_one_line(demo):
    done = subprocess.run(
        [sys.executable, "-m", "pwgserve", "demo", "--port", str(demo.port)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "TMPDIR": str(demo.temporary.parent)},
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"port {demo.port} is taken" in done.stderr


def test_ctrl_c_while_it_draws_leaves_nothing_behind(tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "pwgserve", "demo", "--port", "0"],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert list(temporary.iterdir()) == []
