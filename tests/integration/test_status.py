"""`pwgserve status` and the page `/-/status` of a real daemon."""

import json

import pytest
from commands import Installation
from family import LAKE, PARTY
from waiting import until

pytestmark = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def place(daemon, gallery):
    return Installation(gallery, daemon.directory, daemon.port)


def test_a_working_daemon_is_healthy_and_tells_what_it_did(daemon, place, gallery):
    visitor = daemon.visitor(X_Forwarded_For="203.0.113.7")
    link = visitor.link("/i.php?/" + gallery.paths[LAKE].replace(".jpg", "-me.jpg"))
    length = len(visitor.get(link).body)
    visitor.get(link)
    visitor.get("/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-me.jpg"))
    done = place.here("status", "--json")
    told = json.loads(done.out)
    assert (done.code, told["healthy"], told["problem"]) == (0, True, "")
    assert told["pictures"] == {"hit": 1, "render": 1, "original": 0}
    assert told["hit_rate"] == 0.5
    assert told["refusals"] == {"forbidden": 1}
    assert told["sent_bytes"] >= 2 * length
    assert told["renderings"] == 1
    assert (told["cache_files"], told["cache_bytes"], told["cache_limit_bytes"]) == (1, length, 200_000_000)
    assert told["workers"] >= 1
    assert told["workers_confined_by"]
    assert told["database_questions"] > 0
    assert told["database_failures"] == 0
    assert told["processes"] >= 1
    assert told["connections"] >= 1
    text = place.here("status").out
    assert text.startswith("healthy")
    assert "forbidden" in text


def test_the_page_is_for_the_machine_itself(daemon):
    answer = daemon.visitor().get("/-/status")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert b"healthy" in answer.body
    for header in ("X_Forwarded_For", "Forwarded", "X_Real_IP", "Via"):
        assert daemon.visitor(**{header: "203.0.113.7"}).get("/-/status").status == 404


def test_over_a_unix_socket_too(gallery, tmp_path):
    import subprocess

    path = tmp_path / "s"
    place = Installation(gallery, tmp_path / "place", server={"listen": f"unix:{path}"})
    running = place.begin("serve")
    try:
        until(lambda: running.poll() is not None or path.exists())
        until(lambda: running.poll() is not None or place.here("status").code == 0)
        assert running.poll() is None, running.communicate()
    finally:
        running.terminate()
        try:
            running.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            running.kill()


def test_a_daemon_that_does_not_run_is_not_healthy(gallery, tmp_path):
    done = Installation(gallery, tmp_path).here("status")
    assert done.code == 1
    assert "is the daemon running?" in done.out
    assert json.loads(Installation(gallery, tmp_path).here("status", "--json").out)["healthy"] is False
