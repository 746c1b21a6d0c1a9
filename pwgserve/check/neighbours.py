"""Further sites of the same web server that show the gallery's folder without pwgserve's line, as its files have them.

Pure. A site of another name answers nobody who asks for the gallery's own, so that it has to be asked by its name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pwgserve.check.attempts import NO_HOST
from pwgserve.check.doors import Door
from pwgserve.check.mending import Line, sites_of
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.templates import WebServer

ANY = ("", "*", "_default_", "0.0.0.0", "::")  # noqa: S104 - nothing listens here


@dataclass(frozen=True)
class Neighbour:
    """A site. doors: where it may be reached, of which one is enough. is_inside: only this machine reaches it."""

    place: str
    url: str
    doors: tuple[Door, ...]
    is_inside: bool


@dataclass(frozen=True)
class _Address:
    """Where a site listens, and for which name. host, name: empty for any."""

    scheme: str
    host: str
    port: int
    name: str


def neighbours(server: WebServer, lines: Sequence[Line], root: Path, public_url: str) -> list[Neighbour]:
    """The sites that show the folder `root` and neither are the gallery's own nor bring in pwgserve's lines."""
    own = urlsplit(public_url)
    ours = (own.scheme, own.hostname, _port_of(public_url), own.path)
    found: dict[tuple[_Address, str], Neighbour] = {}
    for site, text in sites_of(server, lines, root):
        if site.includes:
            continue
        for address in _addresses(server, _block(server, text.splitlines()[site.line - 1 :])):
            if (address.scheme, address.name, address.port, site.path) != ours:
                found.setdefault((address, site.path), _neighbour(site, address, public_url))
    return list(found.values())


def _neighbour(site: FoundSite, address: _Address, public_url: str) -> Neighbour:
    host = urlsplit(public_url).hostname or ""
    usual = 443 if address.scheme == "https" else 80
    tail = "" if address.port == usual else f":{address.port}"
    place = f"{site.file}:{site.line}"
    targets = [address.host or host, *([address.name] if address.name else [])]
    doors = tuple(
        Door(
            f"{address.scheme}://{f'[{target}]' if ':' in target else target}{tail}",
            (site.path,),
            f"{address.name or NO_HOST}{tail}",
            place,
        )
        for target in dict.fromkeys(targets)
    )
    is_inside = _is_loopback(address.host) and not _is_loopback(host)
    return Neighbour(place, f"{address.scheme}://{address.name or '*'}{tail}{site.path}", doors, is_inside)


def _block(server: WebServer, lines: Sequence[str]) -> list[str]:
    """The lines of the site that begins with the first one, without comments."""
    depth, block = 0, list[str]()
    for line in lines:
        text = re.sub(r"(^|\s)#.*", "", line)
        block.append(text)
        depth += text.count("{") - text.count("}")
        is_closed = server is not WebServer.APACHE and depth <= 0 and any("{" in one for one in block)
        if is_closed or re.match(r"\s*</VirtualHost>", text, re.IGNORECASE):
            break
    return block


def _addresses(server: WebServer, block: Sequence[str]) -> Iterator[_Address]:
    content = "\n".join(block)
    match server:
        case WebServer.NGINX:
            name = _name(re.findall(r"\bserver_name\s+([^;]+);", content))
            is_secure = re.search(r"\bssl\s+on\s*;", content) is not None
            for listen in re.findall(r"\blisten\s+([^;]+);", content) or ["80"]:
                words = listen.split()
                if not words[0].startswith("unix:"):
                    host, port = _split(words[0], 80)
                    yield _Address(_scheme(is_secure or "ssl" in words or "quic" in words), host, port, name)
        case WebServer.APACHE:
            name = _name(re.findall(r"^\s*ServerName\s+(?:https?://)?([^\s:]+)", content, re.MULTILINE | re.IGNORECASE))
            is_secure = re.search(r"^\s*SSLEngine\s+on", content, re.MULTILINE | re.IGNORECASE) is not None
            for listen in block[0].strip().rstrip(">").split()[1:]:
                host, port = _split(listen, 443 if is_secure else 80)
                yield _Address(_scheme(is_secure), host, port, name)
        case WebServer.CADDY:
            for address in content.partition("{")[0].replace(",", " ").split():
                scheme, _, rest = address.rpartition("://")
                host, port = _split(rest.partition("/")[0], 80 if scheme == "http" else 443)
                yield _Address(_scheme(scheme != "http" and port != 80), "", port, _name([host]))


def _scheme(is_secure: bool) -> str:
    return "https" if is_secure else "http"


def _name(written: Sequence[str]) -> str:
    """A name that a site answers to; empty where any other will do."""
    for name in " ".join(written).split():
        if name.startswith(("*.", ".")):
            return f"check{name.removeprefix('*')}"
        if re.fullmatch(r"[\w.-]+", name) and name not in ("_", "localhost.localdomain"):
            return name
    return ""


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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
