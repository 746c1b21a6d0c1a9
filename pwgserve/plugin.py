"""How Piwigo's plugin and the daemon know each other on one machine: signed requests, signed answers, nothing secret.

Pure but for the memory of what was asked already. What may be asked is in `http.plugin`; the keys are in `keys`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass

from pwgserve.keys.keyring import KeyRing

TIME = "X-Pwgserve-Time"
NONCE = "X-Pwgserve-Nonce"
SIGNATURE = "X-Pwgserve-Signature"
PROOF = "X-Pwgserve-Proof"

MAX_SKEW = 60
"""Seconds by which the two clocks may differ."""

KEPT_NONCES = 10_000
_LABEL = b"pwgserve.plugin.v1"
_NONCE = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"[1-9][0-9]{0,11}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Asked:
    """A request as it came: the name of what is asked, the headers' texts (empty when missing), and the body."""

    name: str
    time: str
    nonce: str
    signature: str
    body: bytes


class Acquaintance:
    """Tells the plugin's requests from everybody else's, once each."""

    def __init__(self, keys: KeyRing) -> None:
        self._nonces: OrderedDict[str, int] = OrderedDict()
        self.renew(keys)

    def renew(self, keys: KeyRing) -> None:
        """Use this ring from now on."""
        self._key = hmac.digest(keys.mark_key, _LABEL, hashlib.sha256)
        self._links = [key_id(key) for key in keys.link_keys]

    def knows(self, asked: Asked, now: int) -> bool:
        """Whether the plugin sent this just now, and for the first time. now: seconds since 1970."""
        if not (
            _NONCE.fullmatch(asked.nonce) and _TIME.fullmatch(asked.time) and _SIGNATURE.fullmatch(asked.signature)
        ):
            return False
        if not hmac.compare_digest(self.signature(asked), asked.signature) or abs(now - int(asked.time)) > MAX_SKEW:
            return False
        if asked.nonce in self._nonces:
            return False
        while self._nonces and (
            len(self._nonces) >= KEPT_NONCES or next(iter(self._nonces.values())) < now - 2 * MAX_SKEW
        ):
            self._nonces.popitem(last=False)
        self._nonces[asked.nonce] = now
        return True

    def signature(self, asked: Asked) -> str:
        """What the plugin writes under a request."""
        digest = hashlib.sha256(asked.body).hexdigest()
        return self._hash("ask", asked.name, asked.time, asked.nonce, digest)

    def proof(self, asked: Asked, answer: bytes) -> str:
        """What the daemon writes under its answer: nobody else on the machine can speak in its name."""
        return self._hash("answer", asked.name, asked.nonce, hashlib.sha256(answer).hexdigest())

    def standing(self, link_key_id: str) -> str:
        """Which of the daemon's link keys has this id: `newest`, `old` (it still verifies) or `unknown`."""
        if link_key_id == self._links[-1]:
            return "newest"
        return "old" if link_key_id in self._links else "unknown"

    def _hash(self, *lines: str) -> str:
        return hmac.digest(self._key, "\n".join(lines).encode(), hashlib.sha256).hex()


def key_id(link_key: bytes) -> str:
    """A name of a link key, from which it cannot be found."""
    return hmac.digest(link_key, b"pwgserve.key-id.v1", hashlib.sha256).hex()[:16]
