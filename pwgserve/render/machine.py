"""How much memory, how many cores and files this process may use: the machine's, or its service's. Reads /proc."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path

MAX_FILES = 20_000
"""Open files that a process of ours ever needs."""

_CGROUPS, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def memory() -> int:
    """Bytes of memory: the machine's, or less where the service has a limit (systemd's MemoryMax, a container)."""
    return min([_of_machine(), *_memory_limits()])


def cores() -> int:
    """Processor cores to use: those that this process may run on, or fewer where it may only use the time of fewer
    (systemd's CPUQuota, a container's `cpus`)."""
    return min([len(os.sched_getaffinity(0)) or 1, *(max(1, math.ceil(limit)) for limit in _core_limits())])


def open_files() -> int:
    """How many files this process may have open, after its limit was raised as far as we need and may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < MAX_FILES:
        soft = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def _of_machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _memory_limits() -> Iterator[int]:
    for group, is_unified in _groups("memory"):
        text = _read(group / ("memory.max" if is_unified else "memory.limit_in_bytes"))
        if text.isdigit():
            yield int(text)


def _core_limits() -> Iterator[float]:
    """How many cores' time a group of ours may use."""
    for group, is_unified in _groups("cpu"):
        if is_unified:
            quota, _, period = _read(group / "cpu.max").partition(" ")
        else:
            quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def _groups(controller: str) -> Iterator[tuple[Path, bool]]:
    """The control groups that this process is in, each before those around it, and whether they are of version 2."""
    for line in _read(_OWN_GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = _CGROUPS / controller if controllers else _CGROUPS
        folder = root / path.lstrip("/")
        for group in (folder, *folder.parents):
            if group.is_relative_to(root):
                yield group, not controllers


def _read(file: Path) -> str:
    """What it says; nothing where it is not there."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
