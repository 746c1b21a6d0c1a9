"""Takes from a worker what a decoder never needs, so that a picture that takes the process over finds nothing to use.

Afterwards the process has the descriptors that it holds and is given, memory up to a limit, threads, and nothing else:
no file by name, no socket, no program, no signal to others. Linux only; what a kernel lacks is said, never assumed.
Why these means: docs/decisions/0007.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_OPEN_FILES = 64
OUTPUT_SHARE = 2
"""A worker may write this part of its memory to one file: more than any result that fits it. The daemon reads it."""

RESERVE = 2
"""Decoders reserve up to so many times the memory that they use; what Linux limits is what is reserved."""

LIMITS, NO_NEW_PRIVILEGES, LANDLOCK, SECCOMP = "limits", "no-new-privileges", "landlock", "seccomp"

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_libc = ctypes.CDLL(None, use_errno=True)


class SandboxError(Exception):
    """This machine lacks a protection that the owner requires; the message says which, and why."""


@dataclass(frozen=True)
class Protections:
    """What is `on`, and what is `missing` with the reason for each."""

    on: tuple[str, ...]
    missing: Mapping[str, str]

    def told(self) -> str:
        """For the log: `limits, landlock; missing: seccomp (no libseccomp.so.2)`."""
        missing = ", ".join(f"{name} ({reason})" for name, reason in self.missing.items())
        return ", ".join(self.on) + (f"; missing: {missing}" if missing else "")


def enter(mode: str, memory: int, load: Callable[[], None]) -> Protections:
    """Confine this process for good. It must have one thread: Landlock holds for that and for those it starts later.

    mode: "require" (raises SandboxError when something is missing), "best-effort", or "off" (limits only).
    memory: bytes that the process may take beyond what it has; it may reserve RESERVE times as many. load: loads what
    the process will ever need, by its threads as well. It is called when files can no longer be opened by name, and
    before anything else is denied; what it raises is raised.
    """
    on, missing = [LIMITS], {}

    def protect(name: str, step: Callable[[], None]) -> None:
        try:
            step()
            on.append(name)
        except OSError as error:
            missing[name] = error.strerror or type(error).__name__

    with Path("/proc/self/statm").open("rb", buffering=0) as taken:
        library = _libseccomp() if mode != "off" else None
        if mode != "off":
            protect(NO_NEW_PRIVILEGES, _no_new_privileges)
            protect(LANDLOCK, _landlock)
        load()
        _limit(memory, taken.fileno())
    if mode != "off":
        protect(SECCOMP, lambda: _seccomp(library))
    found = Protections(tuple(on), missing)
    if missing and mode == "require":
        raise SandboxError(f'render.sandbox is "require", but this machine has only: {found.told()}')
    return found


def end_with_parent(parent: int) -> None:
    """Let the kernel end this process when its parent, whose process id is given, dies in whatever way."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)


def hide_memory() -> None:
    """Let no other process of the same user read this one's memory (its keys), nor a core dump hold it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _limit(memory: int, statm: int) -> None:
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _lower(resource.RLIMIT_FSIZE, memory // OUTPUT_SHARE)
    # Address space and not resident memory, which Linux does not limit: shared mappings count as well.
    _lower(resource.RLIMIT_AS, _address_space(statm) + memory * RESERVE)


def _lower(kind: int, most: int) -> None:
    """Lower a limit for good, unless it is lower already."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def _address_space(statm: int) -> int:
    return int(os.pread(statm, 100, 0).split()[0]) * resource.getpagesize()


def _no_new_privileges() -> None:
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


# Landlock: the same numbers on all architectures (asm-generic/unistd.h, linux/landlock.h).
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_VERSION = 1
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of access to files each version of Landlock knows; later ones as the last."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def _landlock() -> None:
    """Deny whatever Landlock knows of: it has rules of exception, and we make none."""
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise OSError(errno.EBUSY, "a thread was started before")
    version = _checked(_libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION))
    rights = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    rules = _Ruleset(rights, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _checked(_libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(rules), size, 0))
    try:
        _checked(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


# seccomp through libseccomp, which knows the system calls' numbers on each architecture (seccomp.h).
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_ALL_THREADS = 4  # SCMP_FLTATR_CTL_TSYNC
_EQUAL, _MASKED_EQUAL = 4, 7
_PROT_EXEC = 4
_THREAD = 0x00010100  # CLONE_VM and CLONE_THREAD
_FCNTL_HARMLESS = (0, 1, 2, 3, 4, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC

_ALLOWED = (
    "read", "pread64", "readv", "write", "pwrite64", "writev", "lseek", "_llseek", "fstat", "close", "dup",
    "recvmsg", "recvfrom",
    "brk", "munmap", "mremap", "madvise", "futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity",
    "rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "sigaltstack", "restart_syscall",
    "clock_gettime", "clock_nanosleep", "nanosleep", "getrandom", "getpid", "gettid", "getrusage",
    "exit", "exit_group",
)  # fmt: skip
"""Every call that rendering makes. What is not here, or below, fails with EPERM."""


class _Argument(ctypes.Structure):
    _fields_ = (
        ("number", ctypes.c_uint),
        ("comparison", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def _libseccomp() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None


def _seccomp(library: ctypes.CDLL | None) -> None:
    if library is None:
        raise OSError(errno.ENOENT, "libseccomp.so.2 is not installed")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_load.argtypes = library.seccomp_release.argtypes = (ctypes.c_void_p,)
    context = library.seccomp_init(ctypes.c_uint32(_ERRNO | errno.EPERM))
    if not context:
        raise OSError(errno.ENOMEM, "libseccomp made no filter")

    def allow(name: str, *conditions: _Argument, action: int = _ALLOW) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # negative: this architecture has no such call
            array = (_Argument * len(conditions))(*conditions)
            rule = (ctypes.c_void_p(context), ctypes.c_uint32(action), number, ctypes.c_uint(len(conditions)), array)
            _negative_is_error(library.seccomp_rule_add_array(*rule))

    try:
        for name in _ALLOWED:
            allow(name)
        for name in ("mmap", "mprotect"):
            allow(name, _Argument(2, _MASKED_EQUAL, _PROT_EXEC, 0))
        for command in _FCNTL_HARMLESS:
            allow("fcntl", _Argument(1, _EQUAL, command))
        # Threads but no processes. Flags of clone3 lie in memory, where no filter sees them: libc then takes clone.
        allow("clone", _Argument(0, _MASKED_EQUAL, _THREAD, _THREAD))
        allow("clone3", action=_ERRNO | errno.ENOSYS)
        allow("sendto", _Argument(4, _EQUAL, 0))  # along the socket that is connected, to no address
        allow("tgkill", _Argument(0, _EQUAL, os.getpid()))  # abort() ends oneself
        _negative_is_error(library.seccomp_attr_set(ctypes.c_void_p(context), _ALL_THREADS, ctypes.c_uint32(1)))
        _negative_is_error(library.seccomp_load(context))
    finally:
        library.seccomp_release(context)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _negative_is_error(result: int) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
