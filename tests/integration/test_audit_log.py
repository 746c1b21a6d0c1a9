"""The audit log of a real daemon, and the real fail2ban's opinion of it."""

import re
import subprocess
import time
from pathlib import Path

import family
import pytest
from family import LAKE, LOUNGE, PARTY
from links import parts_of, with_part
from mariadb import program
from waiting import until

DEPLOY = Path(__file__).parents[2] / "deploy/fail2ban"
STRANGER, OWNER = "203.0.113.7", "203.0.113.8"


@pytest.fixture(scope="module")
def gallery(databases, tmp_path_factory):
    made = databases.gallery("sqlite", tmp_path_factory.mktemp("gallery"))
    made.paths = family.build(made)
    yield made
    made.engine.dispose()


@pytest.fixture
def place(gallery, start, tmp_path):
    daemon = start(
        gallery,
        log={"audit": str(tmp_path / "audit.log")},
        links={"ttl": "2s"},
        piwigo={"visitor_address": "127.0.0.1"},
    )
    return daemon, tmp_path / "audit.log"


def size(gallery, photo, code="me"):
    return "/i.php?/" + gallery.paths[photo].replace(".jpg", f"-{code}.jpg")


def reasons(file, number):
    def found():
        return re.findall(r"visitor=(\S+) kind=\w+ reason=(\S+)", file.read_text() if file.exists() else "")

    until(lambda: len(found()) >= number)
    return found()


def matched(file, mode="guessing"):
    """Which lines fail2ban would count, by address."""
    done = subprocess.run(
        [program("fail2ban-regex"), "-o", "<ip>", str(file), f"{DEPLOY / 'filter.d/pwgserve.conf'}[mode={mode}]"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ERROR" not in done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if line]


def test_guessing_is_counted_and_what_happens_to_honest_people_is_not(place, gallery):
    daemon, file = place
    stranger = daemon.visitor(X_Forwarded_For=STRANGER)
    link = daemon.visitor(family.cookie("anna"), X_Forwarded_For=OWNER).link(size(gallery, PARTY))
    for target in (
        with_part(link, 1, "xx"),
        size(gallery, PARTY),
        "/action.php?id=4711&part=e",
        "/upload/2026/../../etc/passwd",
        "/-/metrics",
    ):
        assert stranger.get(target).status in (400, 404)

    honest = daemon.visitor("pwg_id=ended", X_Forwarded_For=OWNER)
    for _ in range(3):
        assert honest.get(size(gallery, PARTY)).status == 404  # logged out, the page loaded again
    assert honest.get(with_part(link, 3, str(int(time.time()) - 999))).status == 404  # signed by a key that is gone
    until(lambda: honest.get(link).status == 404)  # past its time
    daemon.visitor().get(size(gallery, LOUNGE))  # Piwigo after an upload

    found = reasons(file, 11)
    assert [reason for who, reason in found if who == STRANGER][:3] == ["forged", "forbidden", "unknown-photo"]
    assert {reason for who, reason in found if who == OWNER} == {"logged-out", "outdated", "expired"}
    assert ("127.0.0.1", "own-server") in found
    assert set(matched(file)) == {STRANGER}
    assert len(matched(file)) >= 4
    assert matched(file, "forged") == [STRANGER] * 2
    text = file.read_text()
    for secret in (gallery.paths[PARTY], "upload", *parts_of(link)[2:], "pwg_id", "ended"):
        assert secret not in text


def test_the_example_of_a_jail_is_understood(tmp_path):
    for folder, name in (("filter.d", "pwgserve.conf"), ("jail.d", "pwgserve.conf")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text((DEPLOY / folder / name).read_text())
    for name in ("fail2ban.conf", "jail.conf", "paths-debian.conf", "paths-common.conf", "action.d"):
        (tmp_path / name).symlink_to(Path("/etc/fail2ban") / name)
    (tmp_path / "filter.d/common.conf").symlink_to("/etc/fail2ban/filter.d/common.conf")
    log = tmp_path / "audit.log"
    log.touch()
    jail = tmp_path / "jail.d/pwgserve.conf"
    jail.write_text(jail.read_text().replace("/var/log/pwgserve/audit.log", str(log)))
    done = subprocess.run(
        [program("fail2ban-client"), "-c", str(tmp_path), "-d"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "'add', 'pwgserve', " in done.stdout
    assert "'add', 'pwgserve-forged', " in done.stdout
    assert "reason=(?:forged|ops-through-proxy) " in done.stdout


def test_what_the_gallerys_own_server_asks_for_is_refused_alike_and_made_in_the_background(gallery, start):
    daemon = start(gallery, piwigo={"visitor_address": "127.0.0.1"})
    cache = daemon.directory / "cache"

    def made():
        return len(list(cache.glob("??/??/*")))

    stranger = daemon.visitor(X_Forwarded_For=STRANGER).get(size(gallery, LOUNGE))
    time.sleep(0.5)
    assert made() == 0, "nothing is made for strangers"
    own = daemon.visitor().get(size(gallery, LOUNGE))
    nothing = daemon.visitor().get(size(gallery, LOUNGE).replace("20260514101112", "20260514101113"))
    assert own.status == stranger.status == nothing.status == 404
    assert own.body == stranger.body == nothing.body
    plain = [{k: v for k, v in answer.headers.items() if k != "date"} for answer in (own, stranger, nothing)]
    assert plain[0] == plain[1] == plain[2]
    until(lambda: made() >= 2)  # for phone apps and for browsers
    gallery.insert("image_category", image_id=LOUNGE, category_id=1)
    try:
        time.sleep(2)
        assert daemon.visitor().follow(size(gallery, LOUNGE)).headers["x-pwgserve"] == "hit"
    finally:
        gallery.delete("image_category", image_id=LOUNGE)


def test_a_log_that_cannot_be_written_stops_nobody(gallery, start, tmp_path):
    daemon = start(gallery, log={"audit": str(tmp_path / "missing/audit.log")})
    assert daemon.visitor().get(size(gallery, PARTY)).status == 404
    assert daemon.visitor().follow(size(gallery, LAKE)).status == 200
    until(lambda: "pwgserve_audit_lost_total 0.0" not in daemon.visitor().get("/-/metrics").body.decode())


def test_on_standard_error_it_is_the_same_line(gallery, start, tmp_path):
    daemon = start(gallery, log={"audit": "stderr"})
    daemon.visitor(X_Forwarded_For=STRANGER).get("/pwgs/1.me.p.99999999999.AAAAAAAAAAAAAAAA.x.jpg")
    until(lambda: "pwgserve refused visitor=" in daemon.log)
    lines = tmp_path / "lines.log"
    lines.write_text("".join(line for line in daemon.log.splitlines(keepends=True) if "pwgserve refused" in line))
    assert matched(lines) == [STRANGER]
