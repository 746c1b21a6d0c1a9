"""Finds, in the configuration of a web server, the site that shows a gallery, and its public address.

Pure: text in, `FoundSite` out. Understands what people write, not all of what the servers do: whoever has something
else tells the address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from pwgserve.setup.statements import Line, outermost, servers, statements
from pwgserve.setup.templates import FOLDERS, SNIPPETS, WebServer


@dataclass(frozen=True)
class FoundSite:
    """A site that serves the gallery's folder. line: of the file, from 1, where its block begins.

    url: the gallery's public address there, empty for a site without a name of its own; path: of that address, with a
    slash at both ends. includes: whether it has pwgserve's line already. rivals: lines of its own that are for the same
    addresses, and which the server would refuse or prefer. ahead: lines that would answer before pwgserve's, because
    they stand, or would stand, above it.
    """

    server: WebServer
    file: Path
    line: int
    url: str
    includes: bool
    rivals: tuple[str, ...] = ()
    path: str = "/"
    ahead: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Block:
    """The lines of a site (number from 1, text without comments) and the words of its head."""

    head: str
    lines: tuple[tuple[int, str], ...]


Below = Callable[[Path], str | None]
"""By which path the gallery lies below a folder; None when it does not."""

_FOLDER = r"[\"']?(?P<folder>/[^\"';\s]*?)/?[\"']?"
_ALIAS = re.compile(rf"\s*alias\s+(?:\"?(?P<place>/\S*?)/?\"?\s+)?{_FOLDER}\s*;?\s*$", re.IGNORECASE)
_ROOT = re.compile(rf"\s*(?:root|DocumentRoot)\s+(?:\*\s+)?{_FOLDER}\s*;?\s*\}}?\s*$", re.IGNORECASE)


def sites_in(server: WebServer, text: str, file: Path, root: Path, below: Below | None = None) -> Iterator[FoundSite]:
    """The sites in one file that show the folder `root`; not those that only lead to another address.

    below: says by which path the gallery lies below a folder, where the names of folders do not tell.
    """
    find = below or (lambda folder: str(root.relative_to(folder)) if root.is_relative_to(folder) else None)
    for block in _blocks(server, text):
        path = _path_of(server, block, find)
        host = _host(server, block)
        if path is None or host is None or _only_leads_on(server, block):
            continue
        yield FoundSite(
            server,
            file,
            block.lines[0][0],
            f"{host}{path}" if host else "",
            any(_is_ours(server, line) for _, line in block.lines),
            tuple(_rivals(server, block, file, path)),
            path,
            tuple(_ahead(server, block, file, path)),
        )


def _blocks(server: WebServer, text: str) -> Iterator[_Block]:
    if server is WebServer.NGINX:
        yield from (_Block("server", lines) for lines in servers(statements(text)))
        return
    lines = [(number, _without_comment(line)) for number, line in enumerate(text.splitlines(), 1)]
    yield from _vhosts(lines) if server is WebServer.APACHE else _braces(lines)


def _is_ours(server: WebServer, line: str) -> bool:
    """Whether a line brings pwgserve's in: it, and nothing else that is called like it."""
    found = re.match(r"\s*(?:include|includeoptional|import)\s+[\"']?([^\s;\"']+)", line, re.IGNORECASE)
    if not found:
        return False
    own = SNIPPETS[server][-1]
    return f"/{found[1]}".endswith(f"/{own}") or fnmatch(str(FOLDERS[server] / own), str(FOLDERS[server] / found[1]))


def best(sites: list[FoundSite]) -> FoundSite | None:
    """The one that visitors use: encrypted, and by a name."""
    named = [site for site in sites if site.url]
    return min(named, key=lambda site: (not site.url.startswith("https:"), "localhost" in site.url), default=None)


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)


def _braces(lines: list[Line]) -> Iterator[_Block]:
    """The outermost blocks of a Caddyfile."""
    depth, head, inner = 0, "", list[Line]()
    for number, line in lines:
        if not depth and not inner and "{" in line:
            head = line.partition("{")[0].strip()
        if depth or "{" in line:
            inner.append((number, line))
        depth += line.count("{") - line.count("}")
        if inner and depth <= 0:
            yield _Block(head, tuple(inner))
            inner = []


def _vhosts(lines: list[Line]) -> Iterator[_Block]:
    head, inner = None, list[Line]()
    for number, line in lines:
        opening = re.match(r"\s*<VirtualHost\s+([^>]*)>", line, re.IGNORECASE)
        if opening:
            head, inner = opening[1], []
        if head is not None:
            inner.append((number, line))
        if head is not None and re.match(r"\s*</VirtualHost>", line, re.IGNORECASE):
            yield _Block(head, tuple(inner))
            head = None


def _path_of(server: WebServer, block: _Block, below: Below) -> str | None:
    """The gallery's path at this site, with slashes at both ends; None when it is not there."""
    location = ""
    for _, line in block.lines:
        if opened := re.match(r"\s*(?:location\s+(?:\^~\s+)?|handle(?:_path)?\s+)(/\S*?)/?\*?\s*\{", line):
            location = opened[1]
        aliased = _ALIAS.match(line)
        if aliased and (inner := _below(aliased["folder"], below)) is not None:
            return f"{aliased['place'] or location}/{inner}"
    for _, line in block.lines:
        found = _ROOT.match(line)
        if found and (inner := _below(found["folder"], below)) is not None:
            return f"/{inner}"
    return None


def _below(folder: str, below: Below) -> str | None:
    """Where the gallery lies below a folder: empty for that folder itself, else with a slash behind."""
    inner = below(Path(folder)) if folder.startswith("/") else None
    return inner if inner is None else "" if inner in ("", ".") else f"{inner}/"


def _host(server: WebServer, block: _Block) -> str | None:
    """Scheme, name and port of a site, empty if it answers to any name; None for what is no site."""
    content = "\n".join(line for _, line in block.lines)
    match server:
        case WebServer.NGINX:
            name = _first(r"^server_name\s+[\"']?([^\s;\"']+)", content)
            listens = re.findall(r"^listen\s+([^;]+);", content, re.MULTILINE)
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
    WebServer.NGINX: r"^return\b",
    WebServer.APACHE: r"^\s*Redirect(?:Permanent)?\s+(?:\w+\s+)?\"?/\"?\s+\"?https?:",
    WebServer.CADDY: r"^\s*redir\s+https?:",
}


def _only_leads_on(server: WebServer, block: _Block) -> bool:
    """Whether a site redirects whatever is asked for."""
    lines = [line for _, line in block.lines]
    if server is WebServer.NGINX:
        # Not what is returned under a condition, or for some addresses.
        lines = list(outermost(block.lines))
        if any(line.startswith("location ") for line in lines):
            return False
    return re.search(_LEADS_ON[server], "\n".join(lines), re.MULTILINE | re.IGNORECASE) is not None


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


_ASKED = (
    "i.php",
    "i/upload/1.jpg",
    "_data/i/upload/1.jpg",
    "action.php",
    "upload/1.jpg",
    "galleries/1.jpg",
    "pwgs/1/1",
)
"""Addresses below the gallery's own of each kind that pwgserve answers."""


def _ahead(server: WebServer, block: _Block, file: Path, path: str) -> Iterator[str]:
    """Lines of Apache that take pwgserve's addresses: of those that fit, the first one counts."""
    for number, line in block.lines if server is WebServer.APACHE else ():
        if _is_ours(server, line):
            return
        found = re.match(r"\s*ProxyPass(?P<match>Match)?\s+[\"']?(?P<place>[/^][^\s\"']*)", line, re.IGNORECASE)
        if found and any(_fits(found["place"], bool(found["match"]), f"{path}{name}") for name in _ASKED):
            yield f"{file}:{number} “{line.strip()}”"


def _fits(place: str, is_pattern: bool, address: str) -> bool:
    if not is_pattern:
        return address.startswith(place)
    try:
        return re.search(place, address) is not None
    except re.error:
        return True


def _first(pattern: str, content: str) -> str | None:
    found = re.search(pattern, content, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else None


def _port(address: str) -> int:
    tail = address.rpartition(":")[2] if ":" in address else address
    return int(tail) if tail.isdecimal() else 80
