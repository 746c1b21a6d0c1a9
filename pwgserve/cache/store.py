"""The hashed store of finished derivatives: files whose names nobody can derive from a gallery's paths.

Names are keyed hashes; a file appears by an atomic rename and never changes. Every file carries a checksum in its time
of modification, so that a damaged one is never served (docs/decisions/0009). What a name stands for is decided by the
caller; what goes when the store is full, by `upkeep`. `open`, `has`, `get`, `put` and `remove` block: call them in a
thread. All else waits for no disk.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import hmac
import os
import secrets
import stat
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import structlog

from pwgserve import at_hand
from pwgserve.at_hand import AtHand, NotAtHandError
from pwgserve.cache.tally import is_replaced
from pwgserve.cache.upkeep import TEMPORARY, Upkeep
from pwgserve.problems import OwnerError
from pwgserve.shortage import ShortageError, is_missing

USED_RESOLUTION = 600.0
"""Seconds: how exactly the last use of a file is known. Noting every use would be a write for every read."""

SMALL = 262_144
"""Bytes up to which a derivative is read whole when it is opened."""

VERIFIED_KEPT = 20_000
"""Of how many files is remembered that they were whole."""

_CLAIMS = "claims"
"""A named pipe whose bytes are locked and never written: nobody can mistake it for a derivative."""

_LOST = {errno.EIO, errno.ESTALE}
"""Errors of a file that will not come back: a disk has lost it, or a server of files has forgotten it."""

_SECOND = 1_000_000_000
_PROBE_SEAL = 123_456_789
_log = structlog.get_logger("cache")


class CacheError(OwnerError):
    """The store cannot be used; the message says which folder, what is wrong and what to do."""


@dataclass(frozen=True)
class Entry:
    """A derivative: an open descriptor of its file (the caller closes it) and its size in bytes.

    content: all of it, when it is small; reading it at once saves another trip to a thread. A derivative that was just
    made has its content only.
    """

    descriptor: int | None
    size: int
    content: bytes | None = None


class Cache:
    """The store in one folder, shared by all processes that are given the same folder and key.

    group_reads: the folder's group may read the files, because a web server of that group sends them.
    """

    def __init__(self, directory: Path, key: bytes, max_size: int, group_reads: bool = False) -> None:
        self._directory = directory
        self._folder_mode, self._file_mode = (0o750, 0o640) if group_reads else (0o700, 0o600)
        self._key = hmac.digest(key, b"pwgserve.cache.store.v1", hashlib.sha256)
        self.upkeep = Upkeep(directory, max_size)
        self._claims: int | None = None
        self._claimed: set[str] = set()
        self._claims_are_stale = False
        self._seals = False
        self._verified: dict[str, tuple[int, ...]] = {}
        self._remembering = threading.Lock()
        self._at_hand: AtHand | None = None

    def open(self) -> None:
        """Make the folder if missing and remove what killed processes left unfinished. Raises CacheError."""
        try:
            self._prepare()
            if self._at_hand is None:
                self._at_hand = AtHand(self._directory)
            if self._claims is None:
                self._claims = self._opened_claims()
            self.upkeep.remove_abandoned()
        except OSError as error:
            raise CacheError(
                f"cache.dir: cannot write to {self._directory}: {error.strerror}; "
                "make the folder and give it to this user"
            ) from error

    def _prepare(self) -> None:
        """Make the folder, and find out whether its file system keeps nanoseconds. Raises OSError."""
        _make_folder(self._directory / TEMPORARY, self._folder_mode)
        probe = self._directory / TEMPORARY / f"probe-{secrets.token_hex(8)}"
        probe.touch(mode=0o600, exist_ok=False)
        os.utime(probe, ns=(_SECOND, _SECOND + _PROBE_SEAL))
        self._seals = probe.stat().st_mtime_ns % _SECOND == _PROBE_SEAL
        probe.unlink()

    def name(self, *facts: str) -> str:
        """The name of the derivative that the facts (source and plan) describe completely."""
        encoded = [fact.encode("utf-8", "surrogateescape") for fact in facts]
        message = b"".join([b"%d:%s" % (len(fact), fact) for fact in encoded])
        digest = hmac.digest(self._key, message, hashlib.sha256).hex()
        return f"{digest[:2]}/{digest[2:4]}/{digest[4:]}"

    def has(self, name: str) -> bool:
        """Whether there is a derivative with this name, as far as can be seen; whether it is whole tells `get`."""
        return os.path.exists(self.location(name))  # noqa: PTH110 - a Path would raise where it cannot look

    def get(self, name: str) -> Entry | None:
        """The derivative with this name, or None when it is not (or no longer) there, or damaged.

        Raises ShortageError.
        """
        try:
            descriptor = os.open(self.location(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            self._judge(name, error)
            return None
        try:
            status = os.fstat(descriptor)
            content = os.pread(descriptor, SMALL, 0) if status.st_size <= SMALL else None
            is_whole = self._is_whole(name, descriptor, status, content)
        except OSError as error:
            os.close(descriptor)
            self._judge(name, error)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if not is_whole:
            os.close(descriptor)
            self._discard(name)
            return None
        if time.time() - status.st_atime > USED_RESOLUTION:
            with contextlib.suppress(OSError):
                os.utime(descriptor, ns=(time.time_ns() + _SECOND, status.st_mtime_ns))
        return Entry(descriptor, status.st_size, content)

    def _judge(self, name: str, error: OSError) -> None:
        """Whatever is lost or missing is made again. Raises ShortageError when it may be there all the same."""
        if error.errno in _LOST:
            self._discard(name)
        elif not is_missing(error):
            raise ShortageError from error

    def at_hand(self, name: str) -> Entry:
        """The derivative with this name, if having it takes no waiting and leaves nothing to do; this does not block.

        Raises NotAtHandError otherwise: then `get` knows.
        """
        if self._at_hand is None:
            raise NotAtHandError
        try:
            descriptor = self._at_hand.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise NotAtHandError from error
        try:
            status = os.fstat(descriptor)
            if status.st_size > SMALL or time.time() - status.st_atime > USED_RESOLUTION:
                raise NotAtHandError
            content = at_hand.read(descriptor, status.st_size)
            if not self._is_whole(name, descriptor, status, content):
                raise NotAtHandError
        except BaseException:
            os.close(descriptor)
            raise
        return Entry(descriptor, status.st_size, content)

    def put(self, name: str, content: bytes) -> None:
        """Make a derivative the one with this name, at once and completely. Raises OSError."""
        path = self._directory / TEMPORARY / secrets.token_hex(16)
        try:
            descriptor = self._created(path)
        except FileNotFoundError:
            # The folder was emptied by hand, or another disk was mounted there.
            self._prepare()
            descriptor = self._created(path)
        try:
            try:
                os.fchmod(descriptor, self._file_mode)
                _write(descriptor, content)
                now = time.time_ns()
                # Used later than written, or the kernel would note the first use itself.
                os.utime(descriptor, ns=(now + _SECOND, now - now % _SECOND + _seal(content)))
                if not self._seals:
                    os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            target = self._directory / name
            _make_folder(target.parent, self._folder_mode)
            path.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self.upkeep.added(len(content))
        if self._claims is not None:
            self._claims_are_stale = is_replaced(self._claims, self._directory / _CLAIMS)

    def _created(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, self._file_mode)

    def claim(self, name: str) -> bool:
        """Reserve the making of a derivative for this process; False while another process has it.

        The kernel takes the claim back when the process ends in whatever way.
        """
        if self._claims_are_stale and not self._claimed:
            self._reopen_claims()
        if self._claims is None:
            return True
        self._claimed.add(name)
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(name))
        except (BlockingIOError, PermissionError):
            self._claimed.discard(name)
            return False
        except OSError:
            # A file system without locks: rendering something twice is better than not at all.
            return True
        return True

    def release(self, name: str) -> None:
        """Give a claim back."""
        self._claimed.discard(name)
        if self._claims is not None:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, _offset(name))

    def let_go(self) -> None:
        """Give all claims back: this process is about to be stopped."""
        if self._claims is not None:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._claims, fcntl.LOCK_UN)

    def _reopen_claims(self) -> None:
        """After the folder was emptied by hand, each process would have claims of its own for ever."""
        self._claims_are_stale = False
        with contextlib.suppress(OSError):
            claims = self._opened_claims()
            if self._claims is not None:
                os.close(self._claims)
            self._claims = claims

    def _opened_claims(self) -> int:
        """The file of claims, open. It is closed only by who has none: closing it would give all of them back."""
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self._directory / _CLAIMS, 0o600)
        return os.open(self._directory / _CLAIMS, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)

    def _is_whole(self, name: str, descriptor: int, status: os.stat_result, content: bytes | None) -> bool:
        """Whether the file is what was put there; what was verified and did not change since is not read again."""
        if status.st_size == 0 or not self._seals:
            return status.st_size > 0
        version = (status.st_ino, status.st_ctime_ns, status.st_mtime_ns, status.st_size)
        if self._verified.get(name) == version:
            return True
        if content is None:
            content = os.pread(descriptor, status.st_size, 0)
        if len(content) != status.st_size or status.st_mtime_ns % _SECOND != _seal(content):
            return False
        with self._remembering:
            self._verified[name] = version
            while len(self._verified) > VERIFIED_KEPT:
                del self._verified[next(iter(self._verified))]
        return True

    def _discard(self, name: str) -> None:
        _log.warning("damaged-derivative", problem="a file in the cache was damaged; it is made again")
        with contextlib.suppress(OSError):
            self.remove(name)

    def remove(self, name: str) -> int | None:
        """Remove a derivative; returns how many bytes it had, None when there is none. Raises OSError."""
        path = self._directory / name
        try:
            size = path.lstat().st_size
            path.unlink()
        except FileNotFoundError:
            return None
        self.upkeep.tally.add(-size, -1)
        return size

    def location(self, name: str) -> str:
        """Where the derivative with this name lies or would lie; as a text, which is much sooner made than a Path."""
        return f"{self._directory}/{name}"


def _make_folder(folder: Path, mode: int) -> None:
    """Make a folder and those above it where they are missing, with this mode whatever the process's umask is."""
    if folder.is_dir():
        return
    _make_folder(folder.parent, mode)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=mode)
        # Where the folder above hands on its group, so does this one by itself.
        inherited = stat.S_IMODE(folder.stat().st_mode) & stat.S_ISGID
        if stat.S_IMODE(folder.stat().st_mode) == mode | inherited:
            return
        try:
            folder.chmod(mode | inherited)
        except PermissionError:
            # A service that may set no such bit has the right group itself.
            folder.chmod(mode)


def _seal(content: bytes) -> int:
    """The checksum of a derivative, as nanoseconds within a second."""
    return zlib.crc32(content) % _SECOND


def _offset(name: str) -> int:
    """Which byte of the file of claims stands for a name; two names on one byte would only wait for each other."""
    return int(name.replace("/", "")[:15], 16)


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
