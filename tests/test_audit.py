import os
import re
import threading
import time

import pytest

from pwgserve import audit
from pwgserve.audit import AuditLog

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ pwgserve refused visitor=(\S+) kind=(\S+) reason=(\S+) status=(\d+)\n"
)


def note(log, visitor="192.0.2.1"):
    log.note(visitor, "signed", "forged", 404)


def lines_of(file, number):
    deadline = time.monotonic() + 120
    while True:
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        if len(lines) >= number:
            return lines
        assert time.monotonic() < deadline, lines
        time.sleep(0.01)


def test_a_line_says_when_who_what_and_why(tmp_path):
    file = tmp_path / "audit.log"
    log = AuditLog(str(file))
    note(log, "2001:db8::1")
    note(log, None)
    first, second = (LINE.fullmatch(line).groups() for line in lines_of(file, 2))
    assert first == ("2001:db8::1", "signed", "forged", "404")
    assert second[0] == "unknown"
    assert file.stat().st_mode & 0o007 == 0
    log.close()


def test_it_follows_its_name_when_rotated_and_may_be_truncated(tmp_path):
    file = tmp_path / "audit.log"
    log = AuditLog(str(file))
    note(log)
    lines_of(file, 1)
    file.rename(tmp_path / "audit.log.1")
    note(log)
    assert len(lines_of(file, 1)) == 1
    assert len(lines_of(tmp_path / "audit.log.1", 1)) == 1
    os.truncate(file, 0)
    note(log)
    assert len(lines_of(file, 1)) == 1
    assert b"\0" not in file.read_bytes()
    log.close()


@pytest.mark.parametrize("place", ["missing/audit.log", "folder", "pipe", "link"])
def test_what_cannot_be_written_is_counted_and_stops_nobody(tmp_path, place):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    log = AuditLog(str(tmp_path / place))
    began = time.monotonic()
    for _ in range(50):
        note(log)
    log.close()
    assert log.lost == 50
    assert time.monotonic() - began < 30
    assert not (tmp_path / "elsewhere").exists()


def test_it_comes_back_when_its_folder_does(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "RETRY_SECONDS", 0.0)
    file = tmp_path / "later/audit.log"
    log = AuditLog(str(file))
    note(log)
    deadline = time.monotonic() + 120
    while not log.lost:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    file.parent.mkdir()
    note(log)
    assert len(lines_of(file, 1)) == 1
    log.close()


def test_off_does_nothing(tmp_path):
    log = AuditLog("off")
    note(log)
    assert "audit-log" not in {thread.name for thread in threading.enumerate()}
    log.close()
