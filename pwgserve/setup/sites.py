"""Finds, in the configuration of a web server, the site that shows a gallery, and its public address.

Pure: text in, `FoundSite` out. Understands what people write, not all of what the servers do: whoever has something
else tells the address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pwgserve.setup.templates import WebServer


@dataclass(frozen=True)
class FoundSite:
    """A site that serves the gallery's folder. line: of the file, from 1, where its block begins.

    url: the gallery's public address there, empty for a site without a name of its own; path: of that address, with a
    slash at both ends. includes: whether it has pwgserve's line already. rivals: lines of its own that are for the same
    addresses, and which the server would refuse or prefer.
    """

    server: WebServer
    file: Path
    line: int
    url: str
    includes: bool
    rivals: tuple[str, ...] = ()
    path: str = "/"


@dataclass(frozen=True)
class _Block:
    """The lines of a site (number from 1, text without comments) and the words of its head."""

    head: str
    lines: tuple[tuple[int, str], ...]


def sites_in(server: WebServer, text: str, file: Path, root: Path) -> Iterator[FoundSite]:
    """The sites in one file that show the folder `root`; not those that only lead to another address."""
    lines = [(number, _without_comment(line)) for number, line in enumerate(text.splitlines(), 1)]
    blocks = _vhosts(lines) if server is WebServer.APACHE else _braces(server, lines)
    for block in blocks:
        path = _path_of(block, root)
        host = _host(server, block)
        if path is None or host is None or _only_leads_on(server, block):
            continue
        has = any(
            "pwgserve" in line and re.match(r"\s*(include|import)\b", line, re.IGNORECASE) for _, line in block.lines
        )
        yield FoundSite(
            server,
            file,
            block.lines[0][0],
            f"{host}{path}" if host else "",
            has,
            tuple(_rivals(server, block, file, path)),
            path,
        )


def best(sites: list[FoundSite]) -> FoundSite | None:
    """The one that visitors use: encrypted, and by a name."""
    named = [site for site in sites if site.url]
    return min(named, key=lambda site: (not site.url.startswith("https:"), "localhost" in site.url), default=None)


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)


def _braces(server: WebServer, lines: list[tuple[int, str]]) -> Iterator[_Block]:
    """Blocks in braces: `server {` of nginx anywhere, the outermost ones of a Caddyfile."""
    depth, start, inner = 0, -1, list[tuple[int, str]]()
    head = ""
    for number, line in lines:
        if start < 0:
            is_head = (
                re.match(r"\s*server\s*\{?\s*$", line) if server is WebServer.NGINX else depth == 0 and "{" in line
            )
            is_one_line = server is WebServer.NGINX and re.match(r"\s*server\s*\{", line)
            if is_head or is_one_line:
                start, head, inner = depth, line.partition("{")[0].strip(), []
        if start >= 0:
            inner.append((number, line))
        depth += line.count("{") - line.count("}")
        if start >= 0 and depth <= start and any("{" in text for _, text in inner):
            yield _Block(head, tuple(inner))
            start = -1


def _vhosts(lines: list[tuple[int, str]]) -> Iterator[_Block]:
    head, inner = None, list[tuple[int, str]]()
    for number, line in lines:
        opening = re.match(r"\s*<VirtualHost\s+([^>]*)>", line, re.IGNORECASE)
        if opening:
            head, inner = opening[1], []
        if head is not None:
            inner.append((number, line))
        if head is not None and re.match(r"\s*</VirtualHost>", line, re.IGNORECASE):
            yield _Block(head, tuple(inner))
            head = None


def _path_of(block: _Block, root: Path) -> str | None:
    """The gallery's path at this site, with slashes at both ends; None when it is not there."""
    location = ""
    for _, line in block.lines:
        if opened := re.match(r"\s*(?:location\s+(?:\^~\s+)?|handle(?:_path)?\s+)(/\S*?)/?\*?\s*\{", line):
            location = opened[1]
        aliased = re.match(r"\s*Alias\s+\"?(/\S*?)/?\"?\s+\"?([^\"\s]+?)/?\"?\s*$", line, re.IGNORECASE)
        if aliased and Path(aliased[2]) == root:
            return f"{aliased[1]}/"
        if (found := re.match(r"\s*alias\s+\"?([^\";]+?)/?\"?\s*;", line)) and Path(found[1]) == root:
            return f"{location}/"
    for _, line in block.lines:
        found = re.match(
            r"\s*(?:root|DocumentRoot)\s+(?:\*\s+)?\"?([^\";\s]+?)/?\"?\s*(?:;.*|\}.*)?$", line, re.IGNORECASE
        )
        if found and root.is_relative_to(found[1]):
            inner = str(root.relative_to(found[1]))
            return "/" if inner == "." else f"/{inner}/"
    return None


def _host(server: WebServer, block: _Block) -> str | None:
    """Scheme, name and port of a site, empty if it answers to any name; None for what is no site."""
    content = "\n".join(line for _, line in block.lines)
    match server:
        case WebServer.NGINX:
            name = _first(r"^\s*(?:server\s*\{\s*)?server_name\s+([^\s;]+)", content)
            listens = re.findall(r"\blisten\s+([^;]+);", content)
            is_secure = any("ssl" in listen.split() or "quic" in listen.split() for listen in listens)
            secure = [listen for listen in listens if "ssl" in listen.split()]
            port = _port((secure or listens or ["80"])[0].split()[0])
        case WebServer.APACHE:
            name = _first(r"^\s*ServerName\s+(?:https?://)?([^\s:]+)", content)
            is_secure = re.search(r"^\s*SSLEngine\s+on", content, re.IGNORECASE | re.MULTILINE) is not None
            port = _port(block.head.split()[0] if block.head else "80")
        case WebServer.CADDY:
            address = block.head.split(",")[0].split()[0] if block.head.split() else ""
            scheme, _, rest = address.rpartition("://")
            name, _, port_text = rest.partition(":")
            is_secure = scheme != "http" and port_text != "80" and bool(name)
            port = int(port_text) if port_text.isdecimal() else (443 if is_secure else 80)
            if not address or address.startswith("("):
                return None
    if name in (None, "", "_", "localhost.localdomain") or name.startswith(("*", "~", ".")):
        return ""
    usual = 443 if is_secure else 80
    return f"{'https' if is_secure else 'http'}://{name}" + ("" if port == usual else f":{port}")


_LEADS_ON = {
    WebServer.NGINX: r"^\s*return\s+30[1278]\s",
    WebServer.APACHE: r"^\s*Redirect(?:Permanent)?\s+(?:\w+\s+)?\"?/\"?\s+\"?https?:",
    WebServer.CADDY: r"^\s*redir\s+https?:",
}


def _only_leads_on(server: WebServer, block: _Block) -> bool:
    """Whether a site redirects whatever is asked for."""
    content = "\n".join(line for _, line in block.lines)
    has_more = server is WebServer.NGINX and re.search(r"^\s*location\b", content, re.MULTILINE)
    return not has_more and re.search(_LEADS_ON[server], content, re.MULTILINE | re.IGNORECASE) is not None


def _rivals(server: WebServer, block: _Block, file: Path, path: str) -> Iterator[str]:
    """Locations of nginx that it would call duplicates of ours."""
    if server is not WebServer.NGINX:
        return
    ours = {("=", f"{path}{name}") for name in ("i.php", "i", "action.php")}
    ours |= {("^~", f"{path}{name}/") for name in ("i.php", "i", "_data/i", "action.php", "upload", "galleries")}
    for number, line in block.lines:
        found = re.match(r"\s*location\s+(=|\^~)?\s*(/\S*)\s*\{?", line)
        if not found:
            continue
        modifier, place = found[1] or "", found[2].rstrip("{")
        same = any(
            place == own and (modifier == kind or (modifier in ("", "^~") and kind == "^~")) for kind, own in ours
        )
        deeper = modifier in ("=", "^~") and any(place.startswith(own) and kind == "^~" for kind, own in ours)
        if same or deeper:
            yield f"{file}:{number} “{line.strip()}”"


def _first(pattern: str, content: str) -> str | None:
    found = re.search(pattern, content, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else None


def _port(address: str) -> int:
    tail = address.rpartition(":")[2] if ":" in address else address
    return int(tail) if tail.isdecimal() else 80
