"""Tokens for asking pwgserve what it sees of a request: `check` makes them, the daemon answers them.

Pure. A token is `mirror.EXPIRY.NONCE.MARK`, made with the installation's own key; its address is like a signed link's.
"""

from __future__ import annotations

import hmac
import re

from pwgserve.links import LinkSigner

LIFE = 60
"""Seconds that a token may be used."""

_KIND = "mirror"
_TOKEN = re.compile(r"mirror\.(?P<expiry>[1-9][0-9]{0,11})\.(?P<nonce>[0-9a-f]{16})\.(?P<mark>[A-Za-z0-9_-]{16})")


def token(signer: LinkSigner, nonce: str, now: float) -> str:
    """A token. nonce: 16 hexadecimal digits; now: in seconds since 1970."""
    expiry = int(now) + LIFE
    return f"{_KIND}.{expiry}.{nonce}.{_mark(signer, expiry, nonce)}"


def is_valid(signer: LinkSigner, text: str, now: float) -> bool:
    """Whether a token was made with this installation's key, and not long ago."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return False
    expiry = int(match["expiry"])
    is_ours = hmac.compare_digest(_mark(signer, expiry, match["nonce"]), match["mark"])
    return is_ours and now < expiry <= now + LIFE


def _mark(signer: LinkSigner, expiry: int, nonce: str) -> str:
    return signer.credential(_KIND, f"{expiry}.{nonce}").mark
