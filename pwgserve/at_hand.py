"""Opens and reads files that the kernel has in memory, without waiting: everything else is left to a thread.

Handing a request to a thread and back costs ten times what reading a cached picture costs (docs/decisions/0022). Linux
tells what it would have to wait for: `openat2` with RESOLVE_CACHED looks names up in memory only, `preadv2` with
RWF_NOWAIT reads from memory only. Where they are missing, or on a file system of another machine, nothing is at hand.
"""

from __future__ import annotations

import ctypes
import errno
import math
import os
import threading
import time
from pathlib import Path

LOOK_SECONDS = 0.5
"""How often is looked whether the folder was replaced by another one."""

_OPENAT2 = 437
"""The system call's number, the same on all of Linux's architectures."""

_RESOLVE_NO_XDEV = 0x01
_RESOLVE_CACHED = 0x20

_LOCAL = {0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0x794C7630, 0x2FC12FC1, 0xF2F52010}
"""Magic numbers of the file systems known to be of this machine: ext, XFS, btrfs, tmpfs, overlay, ZFS, f2fs."""

_NOT_NOW = {errno.EAGAIN, errno.EXDEV, errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG, errno.EOPNOTSUPP}


class NotAtHandError(Exception):
    """To know, one would have to wait."""


class _How(ctypes.Structure):
    """Linux's `struct open_how`."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


# Calls that do not wait need not let go of the interpreter's lock.
_libc = ctypes.PyDLL(None, use_errno=True)


class AtHand:
    """The files below one folder that are at hand."""

    def __init__(self, folder: Path) -> None:
        self._path = folder
        self._folder: int | None = None
        self._identity: tuple[int, int] | None = None
        self._looked = -math.inf
        self._is_remote = False
        self._looking: threading.Thread | None = None

    def _look(self) -> None:
        """Open the folder, and open it again when its path has come to mean another one."""
        try:
            status = self._path.stat()
            if (status.st_dev, status.st_ino) == self._identity:
                return
            self.close()
            descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            self.close()
            return
        self._identity = (status.st_dev, status.st_ino)
        self._is_remote = _kind(descriptor) not in _LOCAL
        if self._is_remote:
            os.close(descriptor)
        else:
            self._folder = descriptor

    def _look_apart(self) -> None:
        """The same in a thread: whoever looks at another machine's folder may wait for that machine."""
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._look, name="at-hand", daemon=True)
            self._looking.start()

    def open(self, path: str, flags: int) -> int:
        """A file below the folder, open; the caller closes it. Raises NotAtHandError, and OSError as `os.open` does."""
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            self._look_apart() if self._is_remote else self._look()
        if self._folder is None:
            raise NotAtHandError
        # O_NONBLOCK: or else a file on which another program has a lease (as servers of files take them) is waited for.
        how = _How(flags | os.O_NONBLOCK, 0, _RESOLVE_CACHED | _RESOLVE_NO_XDEV)
        descriptor: int = _libc.syscall(
            _OPENAT2, self._folder, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)
        )
        if descriptor < 0:
            number = ctypes.get_errno()
            if number in _NOT_NOW:
                raise NotAtHandError
            raise OSError(number, os.strerror(number))
        return descriptor

    def close(self) -> None:
        """Let go of the folder."""
        self._identity = None
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None


def read(descriptor: int, size: int) -> bytes:
    """All `size` bytes of an open file. Raises NotAtHandError."""
    content = bytearray(size)
    try:
        count = os.preadv(descriptor, [content], 0, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in _NOT_NOW:
            raise NotAtHandError from error
        raise
    if count != size:
        raise NotAtHandError
    return bytes(content)


def _kind(descriptor: int) -> int:
    """The magic number of the file system that an open file is on."""
    answer = (ctypes.c_long * 64)()
    if _libc.fstatfs(descriptor, ctypes.byref(answer)) != 0:
        return 0
    return int(answer[0])
