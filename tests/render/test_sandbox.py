"""Hostile code in a worker: what a picture could do that had taken the process over."""

import ctypes
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_worker import ATTEMPTS
from waiting import is_alive, until

from pwgserve.render import workers
from pwgserve.render.limits import MEGABYTE, Limits
from pwgserve.render.plan import RenderPlan
from pwgserve.render.pool import RenderPool
from pwgserve.render.sandbox import _LANDLOCK_CREATE_RULESET, _LANDLOCK_VERSION, MAX_OPEN_FILES, OUTPUT_SHARE
from pwgserve.render.turns import Client
from pwgserve.render.workers import PoolSettings, RenderFailedError, UnrenderableError

LIMITS = Limits(max_pixels=10**9, max_frames=1000, max_source=10**9, max_memory=300 * MEGABYTE)
HOSTILE = ("-P", str(Path(__file__).with_name("hostile_worker.py")))
CRASH = 11


FORBIDDEN_BY_OTHERS = {
    "take_more_memory_than_is_allowed": "limits are always on",
    "raise_its_limits": "limits are always on",
    "be_somebody_else": "only root may",
    "read_the_daemons_memory_by_system_call": "kernel.yama.ptrace_scope",
    "trace_the_daemon": "kernel.yama.ptrace_scope",
    "read_the_daemons_memory": "kernel.yama.ptrace_scope",
    "open_a_new_world_of_its_own": "containers and some distributions",
    "load_a_program_into_the_kernel": "kernel.unprivileged_bpf_disabled",
    "use_io_uring": "kernel.io_uring_disabled",
    "keep_the_terminal_busy": "tests have no terminal",
    "start_a_process_by_the_newer_call": "containers",
}
"""What may fail without our sandbox, too, and for what reason; of everything else is shown that it works there."""


@pytest.fixture
def targets(tmp_path):
    """What an attacker would like to have: all of it is there, and open to this very user."""
    (tmp_path / "keys").write_text("the secret")
    (tmp_path / "photo.jpg").write_text("a private photo")
    victim = subprocess.Popen(["sleep", "600"])  # in the daemon's place: it may be stopped or ended
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "s"))
        local.listen()
        yield {
            "keys": str(tmp_path / "keys"),
            "photo": str(tmp_path / "photo.jpg"),
            "folder": str(tmp_path),
            "socket": str(tmp_path / "s"),
            "port": listener.getsockname()[1],
            "daemon": victim.pid,
            "memory": LIMITS.max_memory,
        }
    victim.kill()
    victim.wait()


async def tried(targets, tmp_path, monkeypatch, sandbox, command=HOSTILE):
    monkeypatch.setattr(workers, "COMMAND", command)
    source = tmp_path / "source"
    source.write_text(json.dumps(targets))
    made = RenderPool(PoolSettings(1, 10, 30.0, LIMITS, sandbox))
    await made.start()
    output = os.memfd_create("output")
    try:
        with source.open("rb") as reader:
            plan = RenderPlan((1, 1), 0, None, None, 0, 0, 90, "jpeg", None)
            await made.render("job", Client("x"), plan, reader.fileno(), output, None)
        return json.loads(os.pread(output, 100_000, 0))
    finally:
        os.close(output)
        await made.close()


async def test_nothing_that_an_attacker_tries_from_a_worker_works(targets, tmp_path, monkeypatch):
    results = await tried(targets, tmp_path, monkeypatch, "require")
    assert set(results) == set(ATTEMPTS)
    assert {name: result for name, result in results.items() if result.startswith("DONE")} == {}
    assert (tmp_path / "photo.jpg").exists()
    assert not (tmp_path / "planted.php").exists()


async def test_the_attempts_are_real(targets, tmp_path, monkeypatch):
    """The control: without the sandbox the same attempts do what they say, but for what limits alone forbid."""
    # A program takes the worker's place, which ends the trying, and a mount would outlive the test.
    targets["skipped"] = ["start_a_program", "start_a_program_from_memory", "mount_over_the_photos"]
    results = await tried(targets, tmp_path, monkeypatch, "off")
    works = {name for name, result in results.items() if result.startswith("DONE")}
    assert works >= set(ATTEMPTS) - {*targets["skipped"], *FORBIDDEN_BY_OTHERS}
    assert "take_more_memory_than_is_allowed" not in works


async def test_a_decoder_that_crashes_harms_its_own_picture_only(targets, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "COMMAND", HOSTILE)
    source = tmp_path / "source"
    source.write_text(json.dumps(targets))
    made = RenderPool(PoolSettings(1, 10, 30.0, LIMITS, "require"))
    await made.start()
    with source.open("rb") as reader, (tmp_path / "output").open("wb+") as writer:
        crash = RenderPlan((1, 1), 0, None, None, 0, 0, CRASH, "jpeg", None)
        with pytest.raises(UnrenderableError, match=r"crashed its decoder \(SIGSEGV\)"):
            await made.render("job", Client("x"), crash, reader.fileno(), writer.fileno(), None)
        fine = RenderPlan((1, 1), 0, None, None, 0, 0, 90, "jpeg", None)
        await made.render("job", Client("x"), fine, reader.fileno(), writer.fileno(), None)
    await made.close()


WITHOUT_SECCOMP = """
import runpy
from pwgserve.render import sandbox, worker
sandbox._libseccomp = lambda: None
"""


async def test_what_landlock_knows_is_closed_to_every_thread_where_there_is_no_seccomp(targets, tmp_path, monkeypatch):
    hostile = WITHOUT_SECCOMP + f"runpy.run_path({HOSTILE[1]!r}, run_name='__main__')"
    results = await tried(targets, tmp_path, monkeypatch, "best-effort", ("-P", "-c", hostile))
    of_files = {name for name in results if "read_" in name or "write_" in name or "thread" in name or "list_" in name}
    assert len(of_files) >= 8
    version = ctypes.CDLL(None).syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)
    of_network = {"connect_to_the_database", "listen"} if version >= 4 else set()
    of_others = {"end_the_daemon", "end_a_thread_of_the_daemon"} if version >= 6 else set()
    closed = of_files | of_network | of_others
    assert {name: results[name] for name in closed if results[name].startswith("DONE")} == {}


WITHOUT_LANDLOCK = """
import errno, runpy
from pwgserve.render import sandbox
def lacking():
    raise OSError(errno.ENOSYS, "this kernel is older")
sandbox._landlock = lacking
"""


async def test_nothing_works_either_where_there_is_no_landlock(targets, tmp_path, monkeypatch):
    hostile = WITHOUT_LANDLOCK + f"runpy.run_path({HOSTILE[1]!r}, run_name='__main__')"
    results = await tried(targets, tmp_path, monkeypatch, "best-effort", ("-P", "-c", hostile))
    assert {name: result for name, result in results.items() if result.startswith("DONE")} == {}


async def test_a_workers_limits_are_as_they_should_be_and_cannot_be_raised():
    made = RenderPool(PoolSettings(1, 10, 30.0, LIMITS, "require"))
    await made.start()
    (worker,) = made.workers.idle
    limits = Path(f"/proc/{worker.process.pid}/limits").read_text()
    await made.close()
    most = {line[:25].strip(): line[25:].split()[:2] for line in limits.splitlines()}
    assert most["Max core file size"] == ["0", "0"]
    assert most["Max open files"] == [str(MAX_OPEN_FILES)] * 2
    assert most["Max file size"] == [str(LIMITS.max_memory // OUTPUT_SHARE)] * 2
    assert most["Max address space"][0] == most["Max address space"][1] != "unlimited"


WITH_A_THREAD = """
import threading, time
from pwgserve.render import worker
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
worker.main()
"""


async def test_a_thread_that_landlock_would_not_hold_is_told(monkeypatch):
    monkeypatch.setattr(workers, "COMMAND", ("-P", "-c", WITH_A_THREAD))
    made = RenderPool(PoolSettings(1, 10, 30.0, LIMITS, "best-effort"))
    await made.start()
    assert "missing: landlock (a thread was started before)" in made.workers.protections
    await made.close()


async def test_required_protections_that_a_machine_lacks_are_an_error_that_names_them(monkeypatch):
    monkeypatch.setattr(workers, "COMMAND", ("-P", "-c", WITHOUT_SECCOMP + "worker.main()"))
    with pytest.raises(RenderFailedError, match=r'render\.sandbox is "require".*missing: seccomp \(libseccomp'):
        await RenderPool(PoolSettings(1, 10, 30.0, LIMITS, "require")).start()
    made = RenderPool(PoolSettings(1, 10, 30.0, LIMITS, "best-effort"))
    await made.start()
    assert "landlock" in made.workers.protections
    assert "missing: seccomp (libseccomp.so.2 is not installed)" in made.workers.protections
    await made.close()


ORPHAN = """
import asyncio, os, signal, time
from pwgserve.render.limits import Limits
from pwgserve.render.pool import RenderPool
from pwgserve.render.workers import PoolSettings
async def main():
    made = RenderPool(PoolSettings(1, 10, 30.0, Limits(10**9, 10, 10**9, 10**9)))
    await made.start()
    os.kill(made.workers.idle[0].process.pid, signal.SIGSTOP)  # busy with a picture
    print(made.workers.idle[0].process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def test_no_worker_outlives_a_daemon_that_is_killed():
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=200)
    worker = int(done.stdout)
    until(lambda: not is_alive(worker))


HIDDEN = """
import os, sys
from pwgserve.render import sandbox
PR_GET_DUMPABLE = 3
sandbox.hide_memory()
print(open("/proc/self/limits").read().count("Max core file size        0                    0"))
print(sandbox._libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
print(os.stat("/proc/self/environ").st_uid, flush=True)
sys.stdin.read()
"""


def test_the_daemons_own_memory_is_hidden_from_its_user():
    process = subprocess.Popen([sys.executable, "-c", HIDDEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "1"
    assert process.stdout.readline().strip() == "0"
    assert process.stdout.readline().strip() == "0", "the kernel gives what is not dumpable to root"
    process.communicate("")
