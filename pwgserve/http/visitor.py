"""What a request claims about its visitor: address, cookies, and the user that a trusted proxy names.

The word of a proxy counts only when the connection comes from one that the owner trusts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from multidict import CIMultiDictProxy

from pwgserve.answers.viewers import Claims
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.identity import cookies
from pwgserve.render.turns import Client
from pwgserve.settings import Network

FORWARDED_FOR = "X-Forwarded-For"
REMOTE_USER = "X-Remote-User"
WORDS = ("Cookie", FORWARDED_FOR, REMOTE_USER)
"""All headers that `claims` reads: with these and the connection's other end alike, two requests are one visitor's."""


@dataclass(frozen=True)
class Proxies:
    """Whom to believe. `visitor_address`: "forwarded", "peer" or the one address that Piwigo sees for everybody."""

    trusted: Sequence[Network]
    visitor_address: str

    def is_trusted(self, peer: str | None) -> bool:
        """Whether the connection's other end may speak for visitors; who reaches our own Unix socket (`""`) may.

        None is who has left before anybody looked: that may have been a stranger.
        """
        if not peer:
            return peer is not None
        try:
            address = _address(peer)
        except ValueError:
            return False
        return any(address.version == network.version and address in network for network in self.trusted)

    def visitor(self, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
        """The address of who sits in front of the browser: the last one that no trusted proxy has."""
        told = self._as_told(peer, forwarded_for)
        return str(_address(told)) if told and told != peer else told

    def as_piwigo_sees(self, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
        """The address that sessions of this visitor are tied to, as the web server spells it.

        One that listens to both families on one socket writes `::ffff:192.0.2.7`, and so it reaches PHP, for which
        that is IPv6.
        """
        match self.visitor_address:
            case "forwarded":
                return self._as_told(peer, forwarded_for)
            case "peer":
                return peer
        return self.visitor_address

    def _as_told(self, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
        told = peer
        hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
        while self.is_trusted(told) and hops:
            told = hops.pop()
            try:
                _address(told)
            except ValueError:
                return None
        return told or None


def claims(
    headers: CIMultiDictProxy[str],
    peer: str | None,
    proxies: Proxies,
    conf: PiwigoConf,
    auth_key: str | None = None,
    pwg_token: str | None = None,
) -> Claims:
    """The claims of a request. auth_key, pwg_token: from its address, where it has them."""
    found = cookies("; ".join(headers.getall("Cookie", ())))
    return Claims(
        session_id=found.get(conf.session_name),
        remember_me=found.get(conf.remember_me_name),
        address=proxies.as_piwigo_sees(peer, headers.getall(FORWARDED_FOR, ())),
        remote_user=_only(headers.getall(REMOTE_USER, ())) if proxies.is_trusted(peer) else None,
        auth_key=auth_key,
        pwg_token=pwg_token,
    )


def _only(values: Sequence[str]) -> str | None:
    """Of several names one is the proxy's and the others are its visitor's; nobody knows which."""
    return values[0] if len(values) == 1 else None


def client_of(headers: CIMultiDictProxy[str], peer: str | None, proxies: Proxies, user_id: int | None) -> Client:
    """For whom a rendering is, so that all get their turn. user_id: of the link, None when it is for everybody."""
    purpose = headers.get("Sec-Purpose", headers.get("Purpose", ""))
    is_bulk = "prefetch" in purpose.lower()
    if user_id is not None:
        return Client(f"u{user_id}", is_bulk)
    visitor = proxies.visitor(peer, headers.getall(FORWARDED_FOR, ()))
    return Client(_network(visitor) if visitor else "unknown", is_bulk)


def _network(visitor: str) -> str:
    """What one household has: an IPv4 address, or an IPv6 network."""
    address = _address(visitor)
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


@lru_cache(4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    if getattr(address, "scope_id", None) is not None:
        # An interface's name, in which anything may stand that should not stand in a log.
        raise ValueError("an address of one machine's network")
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
