"""Which line of the web server's configuration closes a leak, and whether it is there.

Pure but for the lines of deploy/, which come with the package and are filled for the gallery.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pwgserve.check.attempts import AREAS, UNASKED, Attempt
from pwgserve.check.spelling import encoded
from pwgserve.check.verdicts import Verdict
from pwgserve.setup.routing import INCLUDE
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.statements import Line
from pwgserve.setup.templates import FOLDERS, SNIPPETS, Site, WebServer, filled, text
from pwgserve.setup.webconfig import WebConfig

_PASSES = re.compile(r"\s*ProxyPass(?P<match>Match)?\s+\"?(?P<what>[^\s\"]+)\"?\s+\"?(?P<to>[^\s\"]+)", re.IGNORECASE)
_OWN = frozenset(name.rpartition("/")[2] for names in SNIPPETS.values() for name in names)
"""What the files of pwgserve's own lines are called."""


@dataclass(frozen=True)
class Mender:
    """Knows the configuration that should be, and the one that is. server: None when it is not known which it is.

    sites: those that show the gallery, or a part of it.
    """

    server: WebServer | None
    site: Site
    config: WebConfig = field(default_factory=WebConfig)
    sites: tuple[FoundSite, ...] = ()

    def advice(self, attempt: Attempt, verdict: Verdict) -> str:
        """What to mend so that an attempt comes to nothing, in one line."""
        if self.server is None:
            return f"route {self._address(attempt.area)} to pwgserve, before any other rule; see docs/install.md"
        if verdict is Verdict.PATH and self.server is not WebServer.NGINX:
            return 'server.send_file = "direct", or let the web server send what pwgserve names: see docs/install.md'
        if attempt.area not in AREAS:
            return self._further_site(attempt.area)
        expected = self._expected(attempt.area)
        place, is_there = self._place(expected)
        if attempt.trick == "a location that lacks a slash":
            folder = attempt.target.partition("..")[0]
            return f'a location or alias for "{folder}" lacks the slash at its end{self._named(folder)}'
        if attempt.area == "door":
            return f"another site of this server has the gallery's folder, too: {self._other_site(attempt)}"
        if attempt.trick == UNASKED and self.server is WebServer.NGINX:
            return (
                "“auth_basic” must stand in the block server { … } itself: elsewhere nginx tells pwgserve a name "
                "($remote_user) that it asked no password for"
            )
        if attempt.area == "cache":
            return "cache.dir: move the cache out of the folders that the web server serves"
        if not self._is_used() and (is_there or self.config.lines):
            return f"no site brings in pwgserve's lines: add {self._include()}"
        if is_there:
            return f"{place} is there, but another rule answers first, or it was changed{self._rivals(attempt.area)}"
        return f"{place} is missing; add it, or the line {self._include()}"

    def to_close(self, site: FoundSite) -> str:
        """What a site needs that shows the gallery without pwgserve."""
        if site.part or site.path != self.site.base:
            return f"close {site.path} there, or let it redirect to the gallery's address"
        return f"add “{INCLUDE[site.server]}” to it"

    def _address(self, area: str) -> str:
        site = self.site
        own = {
            "links": f"{site.base}{site.link_prefix}/",
            "internal": f"{site.internal_prefix}/",
            "_data/i/": f"{site.base}{site.data}/i/",
            "upload/": f"{site.base}{site.upload}/",
        }
        return own.get(area, f"{site.base}{area}")

    def _further_site(self, area: str) -> str:
        """What closes a folder that pwgserve's lines do not know: as that of galleries/ is, for there it is a no."""
        if self.server is WebServer.CADDY:
            return f"add {self._address(area)}* to the line “@pwgserve path …” of pwgserve.caddy; see docs/install.md"
        like = self._expected("galleries/").replace(self._address("galleries/"), self._address(area))
        return f"“{' '.join(like.split())}” is missing: a line for each folder of a further site; see docs/install.md"

    def _expected(self, area: str) -> str:
        """The line of deploy/ that is responsible for an area."""
        assert self.server is not None
        marks = {"said": "X-Remote-User", "ops": "X-Forwarded-For", "internal": "internal;", "cache": "", "door": ""}
        mark = marks.get(area, self._address(area))
        if self.server is not WebServer.NGINX and area == "internal":
            mark = self._address("links")
        for name in reversed(SNIPPETS[self.server]):
            for line in filled(self.server, text(self.server, name), self.site).splitlines():
                if mark and mark in line and not line.lstrip().startswith("#"):
                    return " ".join(line.partition("  #")[0].split())
        return INCLUDE[self.server]

    def _place(self, expected: str) -> tuple[str, bool]:
        """The expected line with its place, and whether it is there."""
        for line in self.config.lines:
            if expected in " ".join(line.text.split()) and not line.text.lstrip().startswith("#"):
                return f"{line.file}:{line.number} “{expected}”", True
        return f"“{expected}”", False

    def _include(self) -> str:
        assert self.server is not None
        return f"“{INCLUDE[self.server]}” to the site of the gallery, below {FOLDERS[self.server]}"

    def _is_used(self) -> bool:
        """Whether a site has pwgserve's lines, brought in or written out."""
        return any(
            "pwgserve" in line.text and line.file.name not in _OWN and not line.text.lstrip().startswith("#")
            for line in self.config.lines
        )

    def _rivals(self, area: str) -> str:
        """Other lines that speak of the same address."""
        address = self._address(area).rstrip("/")
        if self.server is WebServer.APACHE and (first := self._passed_on_before(self._address(area))):
            must = f"“{INCLUDE[self.server]}” must stand before every ProxyPass, and none outside of the site"
            return f": {first.place} passes it on; {must}"
        found = [line for line in self.config.lines if address in line.text and line.file.name not in _OWN]
        return f": look at {found[0].place}" if found else ""

    def _passed_on_before(self, address: str) -> Line | None:
        """The line of Apache that sends an address elsewhere: of several ProxyPass the first one counts."""
        for line in self.config.lines:
            found = _PASSES.match(line.text)
            if found and line.file.name not in _OWN and _passes(found, address):
                return line
        return None

    def _other_site(self, attempt: Attempt) -> str:
        """What closes a site that is not the gallery's own, and where it begins."""
        for site in self.sites:
            is_below = attempt.target.startswith(encoded(site.path))
            is_meant = is_below and attempt.place in ("", f"{site.file}:{site.line}")
            if site.protects(self.site.base) or not is_meant or (site.leads_on and not attempt.place):
                continue
            place = f"the block that begins at {site.file}:{site.line}"
            if site.server is not self.server:
                front = self.server or "the web server that visitors reach"
                return f"{place} shows it, past {front}; let {site.server} listen on 127.0.0.1 only"
            if site.part:
                return f"{place} shows its folder {site.part}/ at {site.path}; close that address there"
            if first := [*site.outside, *site.ahead]:
                return f"in {place}, “{INCLUDE[site.server]}” must stand above {first[0]}"
            if site.path == self.site.base:
                return f"add “{INCLUDE[site.server]}” to {place}, too, or let it redirect to the gallery's address"
            return f"{place} shows it at {site.path}; let that redirect to the gallery's address"
        return "close it there as well"

    def _named(self, folder: str) -> str:
        for line in self.config.lines:
            words = line.text.split()
            if folder in [word.strip('"{;') for word in words]:
                return f": {line.place}"
        return ""


def _passes(found: re.Match[str], address: str) -> bool:
    """Whether a ProxyPass or ProxyPassMatch is for an address (or, of a folder, for what is below it)."""
    what, goes_to = found["what"], found["to"]
    if goes_to == "!":
        return False
    if not found["match"]:
        return address.startswith(what)
    try:
        return re.search(what, address) is not None or re.search(what, f"{address}x.jpg") is not None
    except re.error:
        return ".php" in what and ".php" in address


def server_of(headers: Mapping[str, str]) -> WebServer | None:
    """Which web server an answer names as its sender."""
    name = headers.get("server", "").lower()
    return next((server for server in WebServer if server in name), None)
