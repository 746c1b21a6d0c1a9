"""Signed URLs that expire: what a link says, how it is signed and when it is believed.

Pure: the clock and the keys are arguments. Whether the link's audience may still see the photo is not decided here;
it is asked of the database at every request. What may be served is in `pwgserve.http.signed`.

A token is `PHOTO.WANTED.AUDIENCE.EXPIRY.FINGERPRINT.SIGNATURE`, HMAC-SHA256 through itsdangerous, in characters that
need no escaping. It holds no path and no secret.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from dataclasses import dataclass

from itsdangerous import Signer
from itsdangerous.encoding import base64_encode

from pwgserve.keys.keyring import KeyRing
from pwgserve.piwigo.wanted import Wanted

MAX_TOKEN = 300
FINGERPRINT_LENGTH = 16
_SALT = b"pwgserve.links.v1"
_PAYLOAD = re.compile(
    r"(?P<photo>[1-9][0-9]{0,9})\.(?P<wanted>[a-z0-9_-]{1,60})\.(?P<audience>p|u[1-9][0-9]{0,9}[sraxtkmo][A-Za-z0-9_-]{16})"
    r"\.(?P<expiry>[1-9][0-9]{0,11})\.(?P<fingerprint>[A-Za-z0-9_-]{16})"
)


@dataclass(frozen=True)
class Credential:
    """By what a viewer was known when a link was made.

    kind: s (session), r (remember-me), a (authentication key), x (named by a trusted proxy), t (a session whose page
    carries its token), k (a program's key), m (the account, in a message that was sent to its owner) or o (the account,
    by the hand of the gallery's owner). mark: a keyed hash of it, from which it cannot be found.
    """

    kind: str
    mark: str


@dataclass(frozen=True)
class Audience:
    """Who a link is for: everybody (`user_id` None), or one user as known by a credential."""

    user_id: int | None = None
    credential: Credential | None = None

    @property
    def is_public(self) -> bool:
        """Whether the link is for everybody, because a guest may see the photo."""
        return self.user_id is None


PUBLIC = Audience()


@dataclass(frozen=True)
class Link:
    """What a signed URL says. `expiry` in seconds since 1970; `fingerprint` of the source file and the rendering."""

    photo_id: int
    wanted: Wanted
    audience: Audience
    expiry: int
    fingerprint: str

    def is_expired(self, now: float) -> bool:
        """Whether the link is past its time, given the time in seconds since 1970."""
        return now >= self.expiry


class LinkSigner:
    """Signs and verifies tokens with a key ring: the newest key signs, every key of the ring verifies."""

    def __init__(self, keys: KeyRing) -> None:
        self.renew(keys)

    def renew(self, keys: KeyRing) -> None:
        """Use this ring from now on."""
        self._signers = [
            Signer(key, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256) for key in keys.link_keys
        ]
        self._mark_key = keys.mark_key

    def sign(self, link: Link) -> str:
        """The token of a link; the same for the same link while the newest key stays."""
        credential = link.audience.credential
        audience = f"u{link.audience.user_id}{credential.kind}{credential.mark}" if credential else "p"
        payload = f"{link.photo_id}.{link.wanted.spelled()}.{audience}.{link.expiry}.{link.fingerprint}"
        return self._signers[-1].sign(payload).decode("ascii")

    def verify(self, token: str) -> Link | None:
        """The link that a token stands for, expired or not; None for everything that we did not sign."""
        if len(token) > MAX_TOKEN or not token.isascii():
            return None
        payload, _, signature = token.rpartition(".")
        # As texts: base64 has several spellings for the same bytes; a cache in front of us must not be fed with them.
        spelled = signature.encode("ascii")
        is_ours = any(hmac.compare_digest(signer.get_signature(payload), spelled) for signer in reversed(self._signers))
        return _parsed(payload) if is_ours else None

    def credential(self, kind: str, secret: str) -> Credential:
        """The credential as a link carries it. secret: session row id, remember-me key, authentication key or name."""
        return Credential(kind, self._hash("credential", kind, secret))

    def fingerprint(self, *facts: str) -> str:
        """A short keyed hash of the facts that make a response what it is; it names nothing to who sees it."""
        return self._hash("fingerprint", *facts)

    def _hash(self, *parts: str) -> str:
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
        message = b"".join([b"%d:%s" % (len(part), part) for part in encoded])
        digest = hmac.digest(self._mark_key, message, hashlib.sha256)
        return base64_encode(digest)[:FINGERPRINT_LENGTH].decode("ascii")


def claims_to_be_expired(token: str, now: float) -> bool:
    """Whether a token that no key verifies would be past its time anyway: most likely its key is gone."""
    link = _parsed(token[:MAX_TOKEN].rpartition(".")[0])
    return link is not None and link.is_expired(now)


def expiry(now: float, ttl: int) -> int:
    """When a link made now expires, in seconds since 1970: between `ttl` (2 at least) and 1.5 × `ttl` seconds away.

    The same for all links made within one bucket of half a `ttl`, so that a page's URLs stay the same meanwhile.
    """
    bucket = ttl // 2
    return (math.floor(now / bucket) + 1) * bucket + ttl


def bucket_end(link_expiry: int, ttl: int) -> int:
    """Until when (seconds since 1970) the same request gets a link with this expiry."""
    return link_expiry - ttl


def _parsed(payload: str) -> Link | None:
    match = _PAYLOAD.fullmatch(payload)
    wanted = Wanted.parse(match["wanted"]) if match else None
    if match is None or wanted is None:
        return None
    audience = PUBLIC
    if match["audience"] != "p":
        mark = match["audience"][-FINGERPRINT_LENGTH:]
        kind = match["audience"][-FINGERPRINT_LENGTH - 1]
        audience = Audience(int(match["audience"][1 : -FINGERPRINT_LENGTH - 1]), Credential(kind, mark))
    return Link(int(match["photo"]), wanted, audience, int(match["expiry"]), match["fingerprint"])
