"""Finds, in the configuration of a web server, the site that shows a gallery, and its public address.

Pure: text in, `FoundSite` out. Understands what people write, not all of what the servers do: whoever has something
else tells the address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pwgserve.setup.statements import Line, outermost, servers
from pwgserve.setup.templates import FOLDERS, SNIPPETS, WebServer
from pwgserve.setup.webconfig import WebConfig


@dataclass(frozen=True)
class FoundSite:
    """A site that serves the gallery's folder. line: of the file, from 1, where its block begins.

    url: the gallery's public address there, empty for a site without a name of its own; path: of that address, with a
    slash at both ends. includes: whether it has pwgserve's line already. rivals: lines of its own that are for the same
    addresses, and which the server would refuse or prefer. ahead: lines that would answer before pwgserve's, because
    they stand, or would stand, above it; outside: those of them that stand in no site, and so above all that is in one.
    block: its statements, the first one its head. part: the folder of the gallery that is shown, empty for all of it.
    leads_on: whether it seems to redirect whatever is asked for.
    """

    server: WebServer
    file: Path
    line: int
    url: str
    includes: bool
    rivals: tuple[str, ...] = ()
    path: str = "/"
    ahead: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    block: tuple[str, ...] = ()
    part: str = ""
    leads_on: bool = False

    def protects(self, base: str) -> bool:
        """Whether pwgserve answers here for what it shows. base: the path of the gallery's address."""
        return self.includes and not (self.ahead or self.outside or self.part) and self.path == base


@dataclass(frozen=True)
class Shown:
    """A folder that a web server shows. path: of its address, with a slash at both ends."""

    path: str
    folder: Path
    line: Line


@dataclass(frozen=True)
class _Block:
    """A site: the words of its head, where it begins, and its statements with those that it inherits.

    before: of those that it inherits what counts before its own.
    """

    head: str
    start: Line
    lines: tuple[Line, ...]
    before: tuple[Line, ...] = ()


Below = Callable[[Path], Iterable[tuple[str, str]]]
"""By which path the gallery lies below a folder, or a part of it; and which part, empty for all."""


def sites_in(config: WebConfig, below: Below) -> list[FoundSite]:
    """The sites that show the gallery's folder, once for each address."""
    found: dict[tuple[Path, int, str], FoundSite] = {}
    server = config.server
    if server is None:
        return []
    for block in (one for part in config.parts for one in _blocks(server, part)):
        host = _host(server, block)
        if host is None:
            continue
        for one in shown(block.lines):
            for inner, part in below(one.folder):
                path = one.path + (f"{inner}/" if inner not in ("", ".") else "")
                site = FoundSite(
                    server,
                    block.start.file,
                    block.start.number,
                    f"{host}{path}" if host else "",
                    any(_is_ours(server, line.text) for line in (*block.before, *block.lines)),
                    tuple(_rivals(server, block, path)),
                    path,
                    tuple(_ahead(server, (*block.before, *block.lines), path, block.lines)),
                    tuple(_ahead(server, block.before, path, block.before)),
                    (block.start.text, *(line.text for line in block.lines)),
                    part,
                    _only_leads_on(server, block),
                )
                found.setdefault((site.file, site.line, site.path), site)
    return list(found.values())


def unknown_folders(config: WebConfig, root: Path) -> Iterator[Line]:
    """Lines that show a folder whose name is made for each request, and that may be the gallery's."""
    for one in (one for part in config.parts for one in shown(part)):
        start = re.split(r"[$%{]", str(one.folder))[0]
        if start != str(one.folder) and (f"{root}/".startswith(start) or start.startswith(f"{root}/")):
            yield one.line


_SHOWING = ("root", "documentroot", "virtualdocumentroot", "alias", "aliasmatch")
_PLACES = ("location", "handle", "handle_path", "<location", "<locationmatch")


def shown(lines: Iterable[Line]) -> Iterator[Shown]:
    """The folders that these statements show."""
    around = [_Around("/")]
    values: dict[str, str] = {}
    for line in lines:
        words = _words(line.text)
        name = words[0].lower()
        if line.text.endswith("{") or re.match(r"<Location(Match)?\s", line.text, re.IGNORECASE):
            around.append(around[-1].inner(words))
        elif (line.text == "}" or re.match(r"</Location", line.text, re.IGNORECASE)) and len(around) > 1:
            around.pop()
        elif line.text == "internal;":
            around[-1].is_internal = True
        elif name == "set" and len(words) > 2:
            values[words[1]] = words[2]
        elif name in _SHOWING and len(words) > 1:
            folder = re.sub(r"\$\w+", lambda found: values.get(found[0], found[0]), words[-1])
            is_alias = name.startswith("alias")
            path = around[-1].path if is_alias or around[-1].strips else "/"
            if is_alias and len(words) > 2:
                path = _beginning(words[1])
            if is_alias:
                # Of a pattern: whatever comes behind its beginning lies there.
                folder = re.sub(r"/\$1$", "", folder)
            if folder.startswith(("/", "$")) and not around[-1].is_internal:
                yield Shown(f"{path.rstrip('/')}/", Path(folder), line)


@dataclass
class _Around:
    """What a statement stands in: for which path, and whether that is cut off; whether visitors may come there."""

    path: str
    strips: bool = False
    is_internal: bool = False

    def inner(self, words: Sequence[str]) -> _Around:
        """What begins with these words."""
        place = next((word for word in words[1:] if word.startswith(("/", "^/"))), None)
        if words[0].lower() not in _PLACES or place is None:
            return replace(self)
        return _Around(_beginning(place.rstrip("*>")), words[0] == "handle_path", self.is_internal)


def _beginning(place: str) -> str:
    """How the addresses of a place begin, as far as its pattern says it."""
    found = re.split(r"[(\[\\.*+?$|]", place.removeprefix("^"))[0] if place.startswith("^") else place
    return found if found.startswith("/") else "/"


def _words(statement: str) -> list[str]:
    """The words of a statement, without the quotes around them."""
    found = re.findall(r"\"((?:\\.|[^\"\\])*)\"|'((?:\\.|[^'\\])*)'|([^\s\"';]+)", statement)
    return ["".join(word) for word in found] or [""]


def _blocks(server: WebServer, part: tuple[Line, ...]) -> Iterator[_Block]:
    match server:
        case WebServer.NGINX:
            yield from (_Block("server", lines[0], lines) for lines in servers(part))
        case WebServer.APACHE:
            yield from _vhosts(part)
        case WebServer.CADDY:
            yield from _braces(part)


def _is_ours(server: WebServer, line: str) -> bool:
    """Whether a line brings pwgserve's in: it, and nothing else that is called like it."""
    found = re.match(r"\s*(?:include|includeoptional|import)\s+[\"']?([^\s;\"']+)", line, re.IGNORECASE)
    if not found:
        return False
    own = SNIPPETS[server][-1]
    return f"/{found[1]}".endswith(f"/{own}") or fnmatch(str(FOLDERS[server] / own), str(FOLDERS[server] / found[1]))


def addresses(sites: Iterable[FoundSite]) -> list[str]:
    """The addresses that visitors may type: encrypted ones, where there are any, and by a name of the world."""
    named = [site.url for site in sites if site.url]
    ranks = {url: (not url.startswith("https:"), "localhost" in url) for url in named}
    return [url for url in ranks if ranks[url] == min(ranks.values())]


def visited(sites: Sequence[FoundSite], url: str) -> FoundSite | None:
    """The site that visitors of an address reach, if it shows the gallery at that path."""
    own = urlsplit(url)
    there = [site for site in sites if site.path == unquote(own.path)]

    def rank(site: FoundSite) -> tuple[bool, ...]:
        has_name = any(own.hostname in _words(line.replace(",", " ")) for line in site.block)
        return site.url != url, not has_name, bool(site.url), not site.url.startswith(f"{own.scheme}:")

    return min(there, key=rank, default=None)


def _braces(lines: Iterable[Line]) -> Iterator[_Block]:
    """The outermost blocks of a Caddyfile."""
    depth, inner = 0, list[Line]()
    for line in lines:
        if depth or "{" in line.text:
            inner.append(line)
        depth += line.text.count("{") - line.text.count("}")
        if inner and depth <= 0:
            yield _Block(inner[0].text.partition("{")[0].strip(), inner[0], tuple(inner))
            inner = []


def _vhosts(lines: Iterable[Line]) -> Iterator[_Block]:
    """The sites of Apache with what they inherit; and the one that answers where no `<VirtualHost>` does."""
    blocks, outside, inner = list[list[Line]](), list[Line](), list[Line]()
    for line in lines:
        if inner or re.match(r"<VirtualHost\s", line.text, re.IGNORECASE):
            inner.append(line)
        else:
            outside.append(line)
        if inner and re.match(r"</VirtualHost>", line.text, re.IGNORECASE):
            blocks.append(inner)
            inner = []
    folders = [
        line for line in outside if re.match(r"(Alias(Match)?|(Virtual)?DocumentRoot)\s", line.text, re.IGNORECASE)
    ]
    # Of several ProxyPass the first one counts, and first come those that all sites inherit.
    before = [line for line in outside if _is_ours(WebServer.APACHE, line.text) or _PASSES.match(line.text)]
    listens = list(_listens(outside, certain=False))
    heads = [" ".join(_bound(one, listens) for one in block[0].text.rstrip(">").split()[1:]) for block in blocks]
    for head, block in zip(heads, blocks, strict=True):
        has_root = any(re.match(r"(Virtual)?DocumentRoot\s", line.text, re.IGNORECASE) for line in block)
        inherited = [line for line in folders if not (has_root and line.text[0] not in "Aa")]
        yield _Block(head, replace(block[0], text=f"<VirtualHost {head}>"), (*block, *inherited), tuple(before))
    taken = {_port(address) for head in heads for address in head.split()}
    left = " ".join(one for one in _listens(outside, certain=True) if _port(one) not in taken)
    if folders and left:
        yield _Block(left, replace(folders[0], text=f"<VirtualHost {left}>"), tuple(outside))


def _listens(lines: Iterable[Line], certain: bool) -> Iterator[str]:
    """Where Apache listens. certain: in any case; under a condition it may not."""
    depth = 0
    for line in lines:
        depth += bool(re.match(r"<If", line.text)) - bool(re.match(r"</If", line.text))
        if not (certain and depth) and (found := re.match(r"Listen\s+(\S+)", line.text, re.IGNORECASE)):
            yield found[1] if ":" in found[1] else f"*:{found[1]}"


def _bound(address: str, listens: Sequence[str]) -> str:
    """Where a site of Apache really is: one for any address listens where Apache does."""
    there = [one for one in listens if _port(one) == _port(address)]
    is_any = address.rpartition(":")[0] in _ANY and not any(one.rpartition(":")[0] in _ANY for one in there)
    return " ".join(there) if there and is_any else address


_ANY = ("", "*", "_default_", "[::]", "0.0.0.0")  # noqa: S104 - nothing listens here


def _host(server: WebServer, block: _Block) -> str | None:
    """Scheme, name and port of a site, empty if it answers to any name; None for what is no site."""
    content = "\n".join(line.text for line in block.lines)
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
    lines = [line.text for line in block.lines]
    if server is WebServer.NGINX:
        # Not what is returned under a condition, or for some addresses.
        lines = list(outermost(block.lines))
        if any(line.startswith("location ") for line in lines):
            return False
    return re.search(_LEADS_ON[server], "\n".join(lines), re.MULTILINE | re.IGNORECASE) is not None


def _rivals(server: WebServer, block: _Block, path: str) -> Iterator[str]:
    """Locations of nginx that it would call duplicates of ours."""
    if server is not WebServer.NGINX:
        return
    ours = {("=", f"{path}{name}") for name in ("i.php", "i", "action.php")}
    ours |= {("^~", f"{path}{name}/") for name in ("i.php", "i", "_data/i", "action.php", "upload", "galleries")}
    own = tuple(f"/{name}" for name in SNIPPETS[server])
    for line in block.lines:
        found = re.match(r"location\s+(=|\^~)?\s*(/\S*)\s*\{?", line.text)
        if not found or str(line.file).endswith(own):
            continue
        modifier, place = found[1] or "", found[2].rstrip("{")
        same = any(
            place == own and (modifier == kind or (modifier in ("", "^~") and kind == "^~")) for kind, own in ours
        )
        deeper = modifier in ("=", "^~") and any(place.startswith(own) and kind == "^~" for kind, own in ours)
        if same or deeper:
            yield line.place


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


_PASSES = re.compile(r"ProxyPass(?P<match>Match)?\s+[\"']?(?P<place>[/^][^\s\"']*)", re.IGNORECASE)


def _ahead(server: WebServer, lines: Iterable[Line], path: str, where: Sequence[Line]) -> Iterator[str]:
    """Those of `where` that take pwgserve's addresses in Apache before its own lines: of all, the first counts."""
    for line in lines if server is WebServer.APACHE else ():
        if _is_ours(server, line.text):
            return
        found = _PASSES.match(line.text)
        if (
            found
            and line in where
            and any(_fits(found["place"], bool(found["match"]), f"{path}{name}") for name in _ASKED)
        ):
            yield line.place


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
