"""The secrets of one installation: which sign links now, which still verify, and when each of them ends.

Pure. The file that holds them is in `keys_file`, what is signed with them in `links`.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

_MARKS = b"pwgserve.marks.v1"

SETTLE_SECONDS = 5
"""How old a new key is before it signs: by then every process has read it, and believes what it signs."""


@dataclass(frozen=True, repr=False)
class KeyRing:
    """The secrets of one installation. `link_keys`: the last one signs, all of them verify.

    `stable_key` names cache files, and the mark key comes from it; it stays when link keys rotate. made: when each link
    key was made, in seconds since 1970; None where that is not known. A ring as it is in the file has the oldest first;
    `at` says which keys of it count at a moment.
    """

    link_keys: tuple[bytes, ...]
    stable_key: bytes
    made: tuple[int | None, ...] = ()

    @property
    def mark_key(self) -> bytes:
        """What credentials and fingerprints are hashed with. Piwigo's plugin is given it, and never `stable_key`."""
        return hmac.digest(self.stable_key, _MARKS, hashlib.sha256)

    def at(self, now: float, lifetime: float) -> KeyRing:
        """The ring to use now, given how many seconds links live at most.

        A key that was made a moment ago verifies only, until every process knows it; a key whose last links have
        expired is left out.
        """
        newest = self._newest(now)
        kept = [
            number
            for number in range(newest + 1)
            if number == newest or (ends := self.ends(number, lifetime)) is None or now < ends
        ]
        order = [*range(newest + 1, len(self.link_keys)), *kept]
        return KeyRing(
            tuple(self.link_keys[number] for number in order),
            self.stable_key,
            tuple(self._made(number) for number in order),
        )

    def with_new(self, link_key: bytes, now: int, lifetime: float) -> KeyRing:
        """A ring with one more link key, made now, and without those whose links have all expired."""
        kept = [
            number
            for number in range(len(self.link_keys))
            if number == len(self.link_keys) - 1 or (ends := self.ends(number, lifetime)) is None or now < ends
        ]
        return KeyRing(
            (*(self.link_keys[number] for number in kept), link_key),
            self.stable_key,
            (*(self._made(number) for number in kept), now),
        )

    def signs_from(self, number: int) -> int | None:
        """When (seconds since 1970) a key begins to sign, None when that was before anything is known of."""
        made = self._made(number)
        return None if number == 0 or made is None else made + SETTLE_SECONDS

    def ends(self, number: int, lifetime: float) -> float | None:
        """When the last link of a key expires, None while no later key is known to sign."""
        later = (self._made(other) for other in range(number + 1, len(self.link_keys)))
        superseded = next((made for made in later if made is not None), None)
        return None if superseded is None else superseded + SETTLE_SECONDS + lifetime

    def _newest(self, now: float) -> int:
        """The number of the key that signs."""
        return max(
            number
            for number in range(len(self.link_keys))
            if (begins := self.signs_from(number)) is None or begins <= now
        )

    def _made(self, number: int) -> int | None:
        return self.made[number] if number < len(self.made) else None
