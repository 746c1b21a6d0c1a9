"""The keys file: which secrets sign links, and which names the cache's files. Made with mode 0600 when missing.

The only module that reads or writes key material. What is signed with it is in `links`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pwgserve.problems import OwnerError

SECRET_BYTES = 32
_MARKS = b"pwgserve.marks.v1"
_SECRET = re.compile(r"[0-9a-f]{64}")


class KeysError(OwnerError):
    """The keys file cannot be used; the message says which file, what is wrong and what to do."""


@dataclass(frozen=True, repr=False)
class KeyRing:
    """The secrets of one installation. `link_keys`: oldest first; the last one signs, all of them verify.

    `stable_key` names cache files, and the mark key comes from it; it stays when link keys rotate.
    """

    link_keys: tuple[bytes, ...]
    stable_key: bytes

    @property
    def mark_key(self) -> bytes:
        """What credentials and fingerprints are hashed with. Piwigo's plugin is given it, and never `stable_key`."""
        return hmac.digest(self.stable_key, _MARKS, hashlib.sha256)

    @classmethod
    def generate(cls) -> KeyRing:
        """A ring with one fresh link key."""
        return cls((secrets.token_bytes(SECRET_BYTES),), secrets.token_bytes(SECRET_BYTES))


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
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.read(1 << 20)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeysError(f"{file}: cannot read the keys file: {error.strerror}") from error
    if mode & stat.S_IRWXO:
        raise KeysError(f"{file}: everybody on this machine can read the keys; run: chmod 600 {file}")
    try:
        content = json.loads(text)
        texts = [*content["link_keys"], content["stable_key"]]
    except (ValueError, KeyError, TypeError):
        texts = []
    if len(texts) < 2 or not all(isinstance(item, str) and _SECRET.fullmatch(item) for item in texts):
        raise KeysError(f"{file}: not a keys file of pwgserve; move it away and a new one will be made")
    found = [bytes.fromhex(item) for item in texts]
    return KeyRing(tuple(found[:-1]), found[-1])


def _create(file: Path) -> KeyRing:
    ring = KeyRing.generate()
    content = {"link_keys": [key.hex() for key in ring.link_keys], "stable_key": ring.stable_key.hex()}
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A process that starts at the same moment must find all of the file or none of it: link() never overwrites.
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".keys-")
    try:
        with os.fdopen(handle, "w") as stream:
            json.dump(content, stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, file)
    except FileExistsError:
        return load(file)
    finally:
        Path(temporary).unlink()
    return ring
