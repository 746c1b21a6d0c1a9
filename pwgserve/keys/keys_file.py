"""The keys file: which secrets sign links, and which names the cache's files. Made with mode 0600 when missing.

The only module that reads or writes this file; the plugin's part of it is in `plugin_file`. Which of its secrets count
at a moment is in `keyring`; who learns of new ones while the daemon runs, in `keywatch`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pwgserve.keys.keyring import KeyRing
from pwgserve.problems import OwnerError

SECRET_BYTES = 32
_SECRET = re.compile(r"[0-9a-f]{64}")


class KeysError(OwnerError):
    """The keys file cannot be used; the message says which file, what is wrong and what to do."""


def generated(now: int | None = None) -> KeyRing:
    """A ring with one fresh link key, made now (seconds since 1970)."""
    return KeyRing((_secret(),), _secret(), (now,))


def load_or_create(file: Path) -> KeyRing:
    """The ring in the file, which is made if missing. Raises KeysError. Blocks."""
    try:
        return load(file)
    except FileNotFoundError:
        pass
    try:
        return _create(file)
    except OSError as error:
        raise KeysError(f"{file}: cannot make the keys file: {error.strerror}; give its folder to this user") from error


def load(file: Path) -> KeyRing:
    """The ring in the file. Raises FileNotFoundError, KeysError. Blocks."""
    try:
        # Not waiting for whoever opens the other end, if it is a pipe.
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:  # noqa: PTH123
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.read(1 << 20) if stat.S_ISREG(mode) else b""
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeysError(f"{file}: cannot read the keys file: {error.strerror}") from error
    try:
        content = json.loads(text)
        texts = [*content["link_keys"], content["stable_key"]]
        made = content.get("made")
    except (ValueError, KeyError, TypeError, RecursionError):
        texts, made = [], None
    if len(texts) < 2 or not all(isinstance(item, str) and _SECRET.fullmatch(item) for item in texts):
        raise KeysError(f"{file}: not a keys file of pwgserve; name one, or a place where none is yet, for a new one")
    # Only now: what is no keys file must not be closed because of us.
    if mode & stat.S_IRWXO:
        raise KeysError(f"{file}: everybody on this machine can read the keys; run: chmod 600 {file}")
    found = [bytes.fromhex(item) for item in texts]
    times: tuple[int | None, ...] = (None,) * (len(found) - 1)
    if isinstance(made, list) and len(made) == len(times):
        times = tuple(item if type(item) is int else None for item in made)
    return KeyRing(tuple(found[:-1]), found[-1], times)


def opened(file: Path) -> KeyRing:
    """The ring in a file that must be there. Raises KeysError. Blocks."""
    try:
        return load(file)
    except FileNotFoundError as error:
        raise KeysError(f"{file}: there are no keys yet; the daemon makes them when it starts") from error


def rotated(file: Path, lifetime: float, forget: bool = False) -> KeyRing:
    """Add a key to the file, which will sign, and drop those whose links have all expired; returns what it holds now.

    lifetime: how many seconds links live at most. forget: drop all other keys, whose links then end at once. Other
    processes find the old file or the new one, complete. Raises KeysError. Blocks.
    """
    file = file.resolve()
    opened(file)
    try:
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Whoever rotates at the same time waits, and keeps the key that is added here.
            fcntl.flock(folder, fcntl.LOCK_EX)
            ring = opened(file).with_new(_secret(), int(time.time()), lifetime)
            if forget:
                ring = KeyRing(ring.link_keys[-1:], ring.stable_key, ring.made[-1:])
            _replace(file, ring)
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise KeysError(
            f"{file}: cannot write it: {error.strerror}; run this as root or as the file's owner"
        ) from error
    return ring


def _replace(file: Path, ring: KeyRing) -> None:
    """Put a ring into the file's place, with the same owner, group and mode."""
    with _written(file.parent, ring, file.stat()) as temporary:
        temporary.replace(file)


def _create(file: Path) -> KeyRing:
    ring = generated(int(time.time()))
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A process that starts at the same moment must find all of the file or none of it: link() never overwrites.
    with _written(file.parent, ring) as temporary:
        try:
            os.link(temporary, file)
        except FileExistsError:
            return load(file)
    return ring


@contextlib.contextmanager
def _written(folder: Path, ring: KeyRing, like: os.stat_result | None = None) -> Iterator[Path]:
    """A file with a ring, safe on the disk; it is temporary, and gone when the block ends.

    like: whose owner, group and mode it gets, if not its maker's alone.
    """
    content = {
        "link_keys": [key.hex() for key in ring.link_keys],
        "stable_key": ring.stable_key.hex(),
        "made": list(ring.made),
    }
    handle, name = tempfile.mkstemp(dir=folder, prefix=".keys-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w") as stream:
            if like is not None:
                # Never by its name: in a folder of the daemon's, that may be a link to a file of root's by now.
                os.fchown(handle, like.st_uid, like.st_gid)
                os.fchmod(handle, stat.S_IMODE(like.st_mode))
            json.dump(content, stream, indent=2)
            stream.flush()
            os.fsync(handle)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)
