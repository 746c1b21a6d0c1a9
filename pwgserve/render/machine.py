"""How much memory, how many cores and files this process may use: the machine's, or its service's. Reads /proc."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

MAX_FILES = 20_000
"""Open files that a process of ours ever needs."""

_CGROUPS = Path("/sys/fs/cgroup")


def memory() -> int:
    """Bytes of memory: the machine's, or less where the service has a limit (systemd's MemoryMax, a container)."""
    return min([_of_machine(), *_of_groups()])


def cores() -> int:
    """Processor cores that this process may run on."""
    return len(os.sched_getaffinity(0)) or 1


def open_files() -> int:
    """How many files this process may have open, after its limit was raised as far as we need and may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < MAX_FILES:
        soft = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def _of_machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_groups() -> Iterator[int]:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            yield from _limits(_CGROUPS / "memory", path, "memory.limit_in_bytes")
        elif not controllers:
            yield from _limits(_CGROUPS, path, "memory.max")


def _limits(root: Path, path: str, name: str) -> Iterator[int]:
    """The limits of a group and of all groups around it."""
    folder = root / path.lstrip("/")
    for group in (folder, *folder.parents):
        if not group.is_relative_to(root):
            return
        try:
            text = (group / name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            yield int(text)
