"""Who is asking: what the cookies and addresses of a request claim, and when such a claim holds.

Pure. The rows that decide come from `people`; the order of the claims is in `pwgserve.answers.viewers`.
Rules: docs/compatibility.md, "Viewers".
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from pwgserve.piwigo.phpvalues import PhpValue, PhpValueError, session_values

MAX_COOKIE_HEADER = 16_384
_SESSION_ID = re.compile(r"[A-Za-z0-9,-]{1,128}")
_AUTH_KEY = re.compile(r"[A-Za-z0-9]{30}")
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
# One spelling of each number: the key is for the text, of which we keep the number.
_DECIMAL = re.compile(r"[1-9][0-9]{0,9}")


def cookies(header: str) -> dict[str, str]:
    """The cookies of a `Cookie` header as PHP reads them: percent-decoded, the first of a name wins, `a.b` is `a_b`.

    A value that is not UTF-8, written out or percent-encoded, is left out: nothing of ours is ever written so, but
    another program on the gallery's domain may set such a cookie.
    """
    found: dict[str, str] = {}
    for part in header[:MAX_COOKIE_HEADER].split(";"):
        name, _, value = part.lstrip(" \t\n\r\v\f").partition("=")
        name = name.replace(".", "_").replace(" ", "_")
        if name and name not in found:
            try:
                # The library reads a byte that is not UTF-8 as half a character, which this turns back into a byte.
                found[name] = unquote_to_bytes(value.encode("utf-8", "surrogateescape")).decode("utf-8")
            except UnicodeError:
                continue
    return found


def session_row_id(cookie: str, address: str | None) -> str | None:
    """The id of a session's row in table `sessions`, or None when the cookie cannot be a session's.

    address: the visitor's address as Piwigo's PHP sees it, or None when sessions are not tied to addresses.
    """
    if not _SESSION_ID.fullmatch(cookie):
        return None
    return _address_prefix(address) + cookie


def _address_prefix(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if parsed.version == 6:
        return ""
    first, second = parsed.packed[:2]
    return f"{first:02X}{second:02X}"


def session_user_id(data: bytes | str) -> int | None:
    """The user that a session's row names, or None for a guest's session or one that cannot be read.

    data: the bytes that PHP wrote, or the text that a database made of them. PHP counts bytes, in the encoding of its
    own connection, which a text does not tell (`DB_CHARSET`). Counted otherwise, what a visitor wrote into the session
    could end too early and go on as variables. So a text is read in both ways in which galleries count, and names a
    user when only one of them can be read, or both agree.
    """
    readings = {data} if isinstance(data, bytes) else {data.encode(*encoding) for encoding in _COUNTED}
    named = set()
    for reading in readings:
        with contextlib.suppress(PhpValueError):
            named.add(_named_user(session_values(reading).get(b"pwg_uid")))
    return named.pop() if len(named) == 1 else None


_COUNTED = (("utf-8", "surrogatepass"), ("ascii", "replace"))
"""UTF-8, and one byte for every character."""


def _named_user(value: PhpValue) -> int | None:
    if isinstance(value, bytes) and value.isdigit() and len(value) <= 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        return None
    return value


@dataclass(frozen=True)
class RememberMe:
    """A remember-me cookie, not yet verified. `time`: when it was made, in seconds since 1970."""

    user_id: int
    time: int
    key: str

    @classmethod
    def parse(cls, cookie: str) -> RememberMe | None:
        """The parts of `uid-time-key`, or None when it is nothing of the kind."""
        parts = cookie.split("-")
        if len(parts) != 3 or not _DECIMAL.fullmatch(parts[0]) or not _DECIMAL.fullmatch(parts[1]):
            return None
        return cls(int(parts[0]), int(parts[1]), parts[2])

    def is_current(self, now: float, length: int) -> bool:
        """Whether it was made in the past, and no more than `length` seconds ago."""
        return self.time <= now <= self.time + length

    def is_genuine(self, secret_key: str, password_hash: str, username: str) -> bool:
        """Whether the key is the one that Piwigo would have made for this user."""
        if not secret_key:
            return False
        expected = remember_me_key(secret_key, password_hash, self.time, self.user_id, username)
        return hmac.compare_digest(expected.encode(), self.key.encode())


def remember_me_key(secret_key: str, password_hash: str, time: int, user_id: int, username: str) -> str:
    """The third part of a remember-me cookie. username: as in the database, where it may have escapes of PHP's."""
    message = f"{time}{user_id}{_unescaped(username)}".encode()
    digest = hmac.digest((secret_key + password_hash).encode(), message, hashlib.sha1)
    return base64.b64encode(digest).decode()


def _unescaped(text: str) -> str:
    """A text without backslashes that escape what follows them, as PHP's `stripslashes` returns it."""
    return _ESCAPED.sub(lambda found: "\0" if found[1] == "0" else found[1], text)


def is_auth_key(text: str) -> bool:
    """Whether the text could be an authentication key (`?auth=` of mailed links)."""
    return _AUTH_KEY.fullmatch(text) is not None


def pwg_token(session_id: str, secret_key: str) -> str:
    """The token that Piwigo's pages carry against forged requests, for the session with this cookie value."""
    return hmac.digest(secret_key.encode(), session_id.encode(), hashlib.md5).hex()
