import os

import pytest

from pwgserve.render import machine

MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("own", "files", "memory", "cores"),
    [
        ("0::/a/b", {}, MEMORY, 64),
        ("0::/a/b", {"a/b/memory.max": "max", "a/b/cpu.max": "max 100000"}, MEMORY, 64),
        ("0::/a/b", {"a/b/memory.max": "1000000", "a/b/cpu.max": "200000 100000"}, 1_000_000, 2),
        ("0::/a/b", {"a/memory.max": "1000000", "a/cpu.max": "200000 100000"}, 1_000_000, 2),
        ("0::/", {"memory.max": "1000000", "cpu.max": "50000 100000"}, 1_000_000, 1),
        ("0::/", {"cpu.max": "150000 100000"}, MEMORY, 2),
        ("4:memory:/a\n1:cpu,cpuacct:/a", {"memory/a/memory.limit_in_bytes": "1000000"}, 1_000_000, 64),
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, MEMORY, 3),
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, MEMORY, 64),
        ("1:name=systemd:/a", {"cpu.max": "100000 100000"}, MEMORY, 64),
        ("", {}, MEMORY, 64),
    ],
)
def test_a_group_may_have_less_than_the_machine(tmp_path, monkeypatch, own, files, memory, cores):
    (tmp_path / "own").write_text(own)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: range(64))
    assert (machine.memory(), machine.cores()) == (memory, cores)
