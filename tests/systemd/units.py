"""What the unit files say, and a way to run a program under a unit's rules on a machine where no systemd runs.

`python units.py UNIT PROGRAM …` becomes the program, with the unit's system calls and no others, no capabilities, no
memory that is both written and run, and its number of open files.
"""

import ctypes
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "systemd"
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_SET_MDWE = 38, 24, 65


def values(unit: Path, key: str) -> list[str]:
    """The values of a key, in order."""
    lines = (line.partition("=") for line in unit.read_text().splitlines() if not line.startswith("#"))
    return [value for name, _, value in lines if name == key]


def system_calls(unit: Path) -> set[str]:
    """The names of all calls that the unit's SystemCallFilter allows."""
    allowed: set[str] = set()
    for value in values(unit, "SystemCallFilter"):
        found = _expanded(value.removeprefix("~").split())
        allowed = allowed - found if value.startswith("~") else allowed | found
    return allowed


def _expanded(names: list[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        told = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
        # Some versions underline what they print, to whomever.
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in told.stdout.splitlines()[1:]]
        found |= _expanded([line for line in lines if line and not line.startswith("#")])
    return found


def confine(unit: Path) -> None:
    """Put this process under the unit's rules, as far as they are the kernel's and need no mount."""
    libc = ctypes.CDLL(None, use_errno=True)
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    calls = system_calls(unit)
    files = int(next(iter(values(unit, "LimitNOFILE")), "1024"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, 1024), files))
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _checked(libc.capset(header, none))
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if values(unit, "MemoryDenyWriteExecute") == ["yes"]:
        libc.prctl(_PR_SET_MDWE, 1, 0, 0, 0)  # of Linux 6.3; the daemon must do without such memory all the same
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_EPERM)))
    for name in calls:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            _checked(library.seccomp_rule_add_array(context, ctypes.c_uint32(_ALLOW), number, 0, None))
    _checked(library.seccomp_load(context))


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno() or -result, "the unit's rules cannot be set up here")


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
