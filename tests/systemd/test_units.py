"""The unit files: understood by systemd, as closed as promised, and enough for the daemon to do all that it does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from units import FOLDER, system_calls, values

SERVICES = sorted(FOLDER.glob("*.service"))
UNITS = [*SERVICES, *FOLDER.glob("*.socket"), *FOLDER.glob("*.timer")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The units beside a program that is there."""
    folder = tmp_path_factory.mktemp("units")
    (folder / "pwgserve").write_text("#!/bin/sh\n")
    (folder / "pwgserve").chmod(0o755)
    for unit in UNITS:
        (folder / unit.name).write_text(unit.read_text().replace("/usr/bin/pwgserve", str(folder / "pwgserve")))
    return folder


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_systemd_understands_all_units_and_has_nothing_to_say(installed):
    done = analyze("verify", "--man=no", *(installed / unit.name for unit in UNITS))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_unit_with_a_mistake_is_noticed(installed, tmp_path):
    bad = tmp_path / "bad.service"
    bad.write_text((installed / "pwgserve.service").read_text().replace("Restart=always", "Restart=allways"))
    assert "allways" in analyze("verify", "--man=no", bad).stderr


@pytest.mark.parametrize("service", SERVICES, ids=lambda unit: unit.name)
def test_the_exposure_of_every_service_is_at_most_1(service):
    done = analyze("security", "--offline=true", "--no-pager", "--threshold=10", service)
    assert done.returncode == 0, done.stdout
    assert float(re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)[1]) <= 1.0


def test_there_are_a_socket_and_timers_for_the_services():
    assert {unit.name for unit in UNITS} >= {
        "pwgserve.service",
        "pwgserve.socket",
        "pwgserve-gc.timer",
        "pwgserve-check.timer",
    }
    for timer in FOLDER.glob("*.timer"):
        assert timer.with_suffix(".service").exists()


def test_users_and_folders_are_understood(tmp_path):
    for folder in ("etc", "var/lib", "var/cache", "var/log"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nwww-data:x:33:\n")
    made = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(FOLDER / "sysusers.conf")], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    assert re.search(r"^pwgserve:.*:/var/lib/pwgserve:/usr/sbin/nologin$", (tmp_path / "etc/passwd").read_text(), re.M)
    groups = dict(line.split(":")[::3] for line in (tmp_path / "etc/group").read_text().split())
    assert (groups["www-data"], groups["pwgserve"]) == ("pwgserve", "pwgserve")
    if os.geteuid() == 0:
        done = subprocess.run(
            ["systemd-tmpfiles", "--create", f"--root={tmp_path}", str(FOLDER / "tmpfiles.conf")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        modes = {
            name: (tmp_path / "var" / name / "pwgserve").stat().st_mode & 0o777 for name in ("lib", "cache", "log")
        }
        assert modes == {"lib": 0o700, "cache": 0o750, "log": 0o750}


def test_the_emulated_rules_are_rules():
    calls = system_calls(FOLDER / "pwgserve.service")
    assert calls >= {"openat", "execve", "landlock_restrict_self", "seccomp", "setpriority"}
    assert not calls & {"mount", "ptrace", "bpf", "setuid", "chown", "io_uring_setup", "kexec_load", "add_key"}
    unit = str(FOLDER / "pwgserve.service")
    program = "import os\ntry: os.chown('/tmp', 0, 0)\nexcept PermissionError: print('refused')"
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("units.py")), unit, sys.executable, "-c", program],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "refused\n", done.stderr


@pytest.mark.parametrize("service", SERVICES, ids=lambda unit: unit.name)
def test_every_command_of_a_unit_is_one_of_pwgserve(service):
    (command,) = values(service, "ExecStart")
    program, *arguments = command.split()
    assert program == "/usr/bin/pwgserve"
    words = arguments[: arguments.index("--config")]
    done = subprocess.run([sys.executable, "-m", "pwgserve", *words, "--help"], capture_output=True, text=True)
    assert (done.returncode, "--config" in done.stdout) == (0, True)
