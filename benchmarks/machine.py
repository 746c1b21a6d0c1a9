"""What was measured on: the machine and the versions of everything that took part."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("pwgserve", "aiohttp", "uvloop", "pyvips-binary", "aiomysql")
PROGRAMS = {
    "nginx": ["nginx", "-v"],
    "MariaDB": ["mariadbd", "--version"],
    "wrk": ["wrk", "-v"],
    "libvips (command line)": ["vips", "--version"],
}


def facts() -> dict[str, str]:
    """Name → value, in the order in which a reader wants them."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    kernel = re.match(r"[\d.]*\d", platform.release())  # what follows names somebody's machines
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.M)
    found = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{cpu[1] if cpu else platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{int(memory[1]) / 1e6:.0f} GB" if memory else "",
        "processes that wanted a core, mean of 15 minutes": f"{os.getloadavg()[2]:.1f} (ours and all others)",
        "kernel": kernel[0] if kernel else "",
        "Python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found | {name: told for name, command in PROGRAMS.items() if (told := _version(command))}


def load() -> float:
    """How many processes wanted a core during the last minute."""
    return os.getloadavg()[0]


def _version(command: list[str]) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, env={**os.environ, "PATH": path})
    except (OSError, subprocess.TimeoutExpired):
        return ""
    number = re.search(r"\d+\.\d+[.\d]*", done.stdout + done.stderr)
    return number[0].rstrip(".") if number else ""
