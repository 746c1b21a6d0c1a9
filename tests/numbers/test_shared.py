import asyncio
import signal
import subprocess
import sys

import pytest

from pwgserve.numbers.metrics import Metrics
from pwgserve.numbers.opsclient import parsed
from pwgserve.numbers.shared import SharedNumbers
from pwgserve.numbers.trend import by, total

CHILD = """
import asyncio, sys
from pathlib import Path
from pwgserve.numbers.metrics import Metrics
from pwgserve.numbers.shared import SharedNumbers
metrics = Metrics(SharedNumbers(Path(sys.argv[1])))
metrics.responses.labels("signed", "hit").inc(int(sys.argv[2]))
metrics.render_seconds.observe(0.2)
metrics.read("pwgserve_connections", lambda: 5)
metrics.read("pwgserve_cache_bytes", lambda: 1000)
asyncio.run(metrics.publish())
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def child(folder):
    running = []

    def start(hits):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(hits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def hits(metrics):
    return total(told(metrics), "pwgserve_responses_total", outcome="hit")


def told(metrics):
    return parsed(metrics.text(asyncio.run(metrics.samples())).decode())


def test_one_process_alone_tells_its_own():
    metrics = Metrics()
    metrics.responses.labels("signed", "hit").inc(3)
    metrics.read("pwgserve_connections", lambda: 2)
    numbers = told(metrics)
    assert by(numbers, "pwgserve_responses_total", "outcome") == {"hit": 3}
    assert total(numbers, "pwgserve_connections") == 2
    assert total(numbers, "pwgserve_processes") == 1
    assert total(numbers, "pwgserve_build_info") == 1


def test_any_process_tells_the_numbers_of_all(folder, child):
    child(10)
    child(20)
    metrics = Metrics(SharedNumbers(folder))
    metrics.responses.labels("signed", "hit").inc(1)
    metrics.read("pwgserve_connections", lambda: 1)
    metrics.read("pwgserve_cache_bytes", lambda: 1200)
    numbers = told(metrics)
    assert total(numbers, "pwgserve_responses_total", kind="signed", outcome="hit") == 31
    assert total(numbers, "pwgserve_processes") == 3
    assert total(numbers, "pwgserve_connections") == 11
    assert total(numbers, "pwgserve_cache_bytes") == 1200, "each process sees the one cache"
    assert total(numbers, "pwgserve_render_seconds_count") == 2
    assert total(numbers, "pwgserve_render_seconds_bucket", le="0.25") == 2
    assert total(numbers, "pwgserve_render_seconds_bucket", le="0.1") == 0


def test_counters_survive_the_death_of_processes_and_the_folder_does_not_grow(folder, child):
    metrics = Metrics(SharedNumbers(folder))
    for _ in range(4):
        process = child(10)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert hits(metrics) == 40
    assert hits(metrics) == 40, "counted once"
    numbers = told(metrics)
    assert total(numbers, "pwgserve_processes") == 1
    assert total(numbers, "pwgserve_connections") == 0, "the dead have no connections"
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".lock", ".lock"]
    child(2)
    assert hits(metrics) == 42


def test_a_damaged_file_is_left_out(folder, child):
    child(7)
    metrics = Metrics(SharedNumbers(folder))
    for file in folder.glob("*.json"):
        file.write_text("[[1,")
    assert hits(metrics) == 0


def test_a_folder_that_is_gone_leaves_the_own_numbers(folder):
    metrics = Metrics(SharedNumbers(folder))
    metrics.responses.labels("signed", "hit").inc(3)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    asyncio.run(metrics.publish())
    assert hits(metrics) == 3


FULL = """
import resource, signal, sys
from pathlib import Path
from pwgserve.numbers.shared import SharedNumbers
numbers = SharedNumbers(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
for _ in range(3):
    numbers.publish({("pwgserve_connections", ()): 5.0})
"""


def test_a_disk_that_takes_no_more_is_not_filled_with_beginnings(folder):
    subprocess.run([sys.executable, "-c", FULL, str(folder)], check=True, timeout=60)
    assert [path.suffix for path in folder.iterdir()] == [".lock", ".lock"]


def test_only_described_numbers_are_read():
    with pytest.raises(ValueError, match="not described"):
        Metrics().read("pwgserve_something", lambda: 1)
