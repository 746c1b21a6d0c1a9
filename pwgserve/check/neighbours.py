"""Further sites of the web servers here that show the gallery's folder or a part of it, as their files have them.

Pure. A site of another name answers nobody who asks for the gallery's own, so that it has to be asked by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pwgserve.check.attempts import NO_HOST
from pwgserve.check.doors import Door, is_loopback
from pwgserve.check.spelling import encoded
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.templates import WebServer

PATTERN = "~"
"""Stands for a name of a site that only a regular expression tells."""

ANY = ("", "*", "_default_", "0.0.0.0", "::")  # noqa: S104 - nothing listens here


@dataclass(frozen=True)
class Neighbour:
    """A site. doors: where it may be reached, of which one is enough. is_inside: only this machine reaches it.

    is_protected: whether it has pwgserve's line for what it shows, or only redirects, so that it only may leak by a
    further mistake.
    """

    site: FoundSite
    url: str
    doors: tuple[Door, ...]
    is_inside: bool
    is_protected: bool

    @property
    def told(self) -> str:
        """What there is to know of it."""
        what = f"{self.site.part}/ of the gallery" if self.site.part else "the gallery's folder"
        return f"{_place(self.site)}: a site ({self.url}) shows {what} without pwgserve's line"


@dataclass(frozen=True)
class _Address:
    """Where a site listens, and for which name. host, name: empty for any."""

    scheme: str
    host: str
    port: int
    name: str


def neighbours(sites: Iterable[FoundSite], public_url: str, here: Sequence[str] = ()) -> list[Neighbour]:
    """What there is besides the gallery's own address. here: addresses of this machine, which has these sites."""
    own = urlsplit(public_url)
    ours = (own.scheme, own.hostname, _port_of(public_url))
    found: dict[tuple[_Address, str], Neighbour] = {}
    for site in sites:
        for address in _addresses(site.server, site.block, own.hostname or ""):
            is_ours = (address.scheme, address.name, address.port) == ours and site.path == unquote(own.path)
            one = _neighbour(site, address, public_url, here, is_ours and not site.part)
            if one.doors or not one.is_protected:
                found.setdefault((address, site.path), one)
    return list(found.values())


def _neighbour(site: FoundSite, address: _Address, public_url: str, here: Sequence[str], is_ours: bool) -> Neighbour:
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    usual = 443 if address.scheme == "https" else 80
    tail = "" if address.port == usual else f":{address.port}"
    # The gallery's own address is tried anyway. Behind a name there may be somebody else's proxy, which knows no
    # other one, and not all of a site may listen where the name leads: so this machine is asked itself.
    targets = [] if is_ours else [address.host or host, *([address.name] if address.name else [])]
    targets += [] if address.host else here
    if address.name == PATTERN:
        targets = []
    doors = tuple(
        Door(
            f"{address.scheme}://{f'[{target}]' if ':' in target else target}{tail}",
            (encoded(site.path),),
            f"{address.name or NO_HOST}{tail}",
            _place(site),
            part=site.part,
        )
        for target in dict.fromkeys(targets)
    )
    is_inside = is_loopback(address.host) and not is_loopback(host)
    url = f"{address.scheme}://{address.name or '*'}{tail}{site.path}"
    is_protected = is_ours or site.leads_on or site.protects(unquote(parts.path or "/"))
    return Neighbour(site, url, doors, is_inside, is_protected)


def _place(site: FoundSite) -> str:
    return f"{site.file}:{site.line}"


def _addresses(server: WebServer, block: Sequence[str], host: str) -> Iterator[_Address]:
    """Where a site listens, and for which name. host: of the gallery, to guess what patterns mean."""
    content = "\n".join(block)
    match server:
        case WebServer.NGINX:
            name = _name(re.findall(r"^server_name\s+(.+);$", content, re.MULTILINE), host)
            is_secure = re.search(r"\bssl\s+on\s*;", content) is not None
            for listen in re.findall(r"\blisten\s+([^;]+);", content) or ["80"]:
                words = listen.split()
                if not words[0].startswith("unix:"):
                    host, port = _split(words[0], 80)
                    yield _Address(_scheme(is_secure or "ssl" in words or "quic" in words), host, port, name)
        case WebServer.APACHE:
            names = r"^\s*Server(?:Name|Alias)\s+(?:https?://)?([^\s:]+)"
            name = _name(re.findall(names, content, re.MULTILINE | re.IGNORECASE), host)
            is_secure = re.search(r"^\s*SSLEngine\s+on", content, re.MULTILINE | re.IGNORECASE) is not None
            for listen in block[0].rstrip(">").split()[1:]:
                host, port = _split(listen, 443 if is_secure else 80)
                yield _Address(_scheme(is_secure), host, port, name)
        case WebServer.CADDY:
            for address in content.partition("{")[0].replace(",", " ").split():
                scheme, _, rest = address.rpartition("://")
                name, port = _split(rest.partition("/")[0], 80 if scheme == "http" else 443)
                yield _Address(_scheme(scheme != "http" and port != 80), "", port, _name([name], host))


def _scheme(is_secure: bool) -> str:
    return "https" if is_secure else "http"


def _name(written: Sequence[str], host: str) -> str:
    """A name that a site answers to; empty where any other will do, PATTERN where none can be made up."""
    guesses = (host, f"www.{host}", f"check.{host}", f"check.{host.partition('.')[2]}")
    has_pattern = False
    for name in (one.strip("\"'") for one in " ".join(written).split()):
        if name.startswith(("*.", ".")):
            return f"check{name.removeprefix('*')}"
        if name.startswith("~"):
            has_pattern = True
            if guess := next((one for one in guesses if _matches(name[1:], one)), None):
                return guess
        name = name.replace(".*", ".test")
        if re.fullmatch(r"[\w.-]+", name) and name not in ("_", "localhost.localdomain"):
            return name
    return PATTERN if has_pattern else ""


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern.replace("(?<", "(?P<"), name) is not None
    except re.error:
        return False


def _split(address: str, port: int) -> tuple[str, int]:
    """Host (empty for any) and port of what a server listens on."""
    host, colon, tail = address.rpartition(":")
    if tail.isdecimal() and (colon or not host):
        port = int(tail)
    elif tail.endswith("]") or tail == "*" or not colon:
        host = address
    host = host.strip("[]")
    return ("" if host in ANY else host), port


def _port_of(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)
