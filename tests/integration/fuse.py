"""A disk of our own, which the kernel asks through FUSE: it may stop answering at any moment, as a NAS does."""

import contextlib
import ctypes
import errno
import os
import select
import struct
import threading
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path

import pytest


class Asked(IntEnum):
    """What the kernel asks for, by its numbers (linux/fuse.h)."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    OPEN = 14
    READ = 15
    RELEASE = 18
    FLUSH = 25
    INIT = 26
    INTERRUPT = 36
    BATCH_FORGET = 42


_UNANSWERED = {Asked.FORGET, Asked.INTERRUPT, Asked.BATCH_FORGET}
_VERSION = (7, 31)
_AT_ONCE = 1 << 17
"""Bytes that the kernel reads at a time."""

_ROOT = 1
_REQUEST = struct.Struct("IIQQIIII")
"""length, what is asked, its number, which file, and who asks."""


class Disk:
    """The files of one folder, by name; what the kernel knows of them is good for one answer only."""

    def __init__(self, device: int, files: Mapping[str, bytes]) -> None:
        self._device = device
        self._files = list(files.items())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def go_away(self) -> None:
        """Answer nothing any more."""
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ended.is_set():
            if not select.select([self._device], [], [], 0.05)[0]:
                continue
            request = os.read(self._device, 1 << 20)
            _, asked, number, node, *_ = _REQUEST.unpack_from(request)
            if asked in _UNANSWERED:
                continue
            answer = self._answer(asked, node, request[_REQUEST.size :])
            content = b"" if isinstance(answer, int) else answer
            error = -answer if isinstance(answer, int) else 0
            os.write(self._device, struct.pack("IiQ", 16 + len(content), error, number) + content)

    def _answer(self, asked: int, node: int, about: bytes) -> bytes | int:
        """What the kernel gets: an answer, or the number of an error."""
        match asked:
            case Asked.INIT:
                return struct.pack("4I2H2I2H8I", *_VERSION, _AT_ONCE, 0, 8, 8, _AT_ONCE, 1, *[0] * 10)
            case Asked.LOOKUP:
                name = about.rstrip(b"\0").decode()
                names = [name for name, _ in self._files]
                if name not in names:
                    return errno.ENOENT
                found = names.index(name) + _ROOT + 1
                return struct.pack("5Q", found, 0, 0, 0, 0) + self._attributes(found)
            case Asked.GETATTR:
                return struct.pack("2Q", 0, 0) + self._attributes(node)
            case Asked.OPEN:
                return struct.pack("2Q", 0, 0)
            case Asked.READ:
                _, start, length = struct.unpack_from("QQI", about)
                return self._files[node - _ROOT - 1][1][start : start + length]
            case Asked.FLUSH | Asked.RELEASE:
                return b""
        return errno.ENOSYS

    def _attributes(self, node: int) -> bytes:
        mode, size = (0o40755, 0) if node == _ROOT else (0o100644, len(self._files[node - _ROOT - 1][1]))
        return struct.pack("6Q10I", node, size, 0, 1, 1, 1, 0, 0, 0, mode, 1, os.getuid(), os.getgid(), 0, 4096, 0)


@contextlib.contextmanager
def mounted(folder: Path, files: Mapping[str, bytes]) -> Iterator[Disk]:
    """The disk, mounted at a folder."""
    if os.getuid() != 0 or not Path("/dev/fuse").exists():
        pytest.skip("only root mounts such a disk, and only where the kernel has FUSE")
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    try:
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"nobody", bytes(folder), b"fuse", 0, options) != 0:
            pytest.skip(f"mount: {os.strerror(ctypes.get_errno())}")
        disk = Disk(device, files)
        try:
            yield disk
        finally:
            disk.go_away()
            libc.umount2(bytes(folder), 2)  # at once, whoever waits there
    finally:
        os.close(device)
