import threading

from waiting import until

from pwgserve import log_lines
from pwgserve.log_lines import Lines


def test_a_flood_takes_bounded_memory_and_no_time_while_nothing_can_be_written(monkeypatch):
    monkeypatch.setattr(log_lines, "WAITING", 10)
    may_write, written = threading.Event(), []

    def write(lines):
        may_write.wait()
        written.extend(lines)
        return len(lines)

    lines = Lines("test", write)
    lines.put("first")
    until(lambda: lines.waiting == 0)  # the thread has it
    for number in range(100):
        lines.put(f"{number}")
    assert (lines.waiting, lines.lost, written) == (10, 90, [])
    may_write.set()
    lines.close()
    assert written == ["first", *map(str, range(10))]


def test_what_waits_at_the_end_is_written_but_for_what_cannot_be(monkeypatch):
    monkeypatch.setattr(log_lines, "CLOSE_SECONDS", 0.01)
    never = threading.Event()
    for write, waiting in ((len, 0), (lambda lines: never.wait() or 0, 1)):
        lines = Lines("test", write)
        lines.put("first")
        until(lambda lines=lines: lines.waiting == 0)
        lines.put("second")
        lines.close()
        until(lambda lines=lines, waiting=waiting: lines.waiting <= waiting + 1)
    never.set()


def test_what_could_not_be_written_is_counted():
    lines = Lines("test", lambda lines: len(lines) // 2)
    lines.put("one")
    until(lambda: lines.lost == 1)
    lines.close()
