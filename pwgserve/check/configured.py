"""Mistakes as they stand in the configurations: pwgserve's own and the web server's.

Pure but for `served_cache`. Those of the web server are tried in `reflection`; here is the line to mend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pwgserve.check.mending import Line, in_use
from pwgserve.check.report import Finding
from pwgserve.check.verdicts import Verdict
from pwgserve.settings import Settings
from pwgserve.setup.templates import SNIPPETS, Site

WIDE = 65_536
"""Addresses of a public network beyond which trusting it means trusting strangers."""

_SPOOFED = re.compile(
    r"X-Forwarded-For\s+[\"']?(?:\$http_x_forwarded_for|\{(?:http\.request\.)?header\.X-Forwarded-For\})", re.IGNORECASE
)
_KEEPS = re.compile(
    r"proxy_ignore_headers\b.*\bCache-Control\b|CacheStorePrivate\s+On|CacheIgnoreCacheControl\s+On", re.IGNORECASE
)
_LOCATION = re.compile(r"\b(?:location|handle(?:_path)?)\s+(?:\^~\s+|=\s+)?(/[^\s{*]*)")
_SHOWN = re.compile(
    r"(?:^|[\s{;])(?:(?P<alias>alias)\s+(?:\"?(?P<path>/[^\s\";]*)\"?\s+(?=\S))?|(?:root|DocumentRoot)\s+(?:\*\s+)?)"
    r"\"?(?P<folder>[^\s\";{}]+)",
    re.IGNORECASE,
)
_SAFE = "pwgserve_is_private"


def of_settings(settings: Settings) -> Iterator[Finding]:
    """What pwgserve's own configuration gives away."""
    for network in settings.server.trusted_networks:
        is_public = network.num_addresses > WIDE and not network.is_private and not network.is_link_local
        if network.prefixlen == 0 or is_public:
            mend = f"server.trusted_proxies: {network} is everybody; name your web server's own address only"
            yield Finding(Verdict.ADDRESS, "said", "to be a proxy that is trusted", None, 0, mend)


@dataclass(frozen=True)
class ServedCache:
    """The cache where a web server shows it, or may. path: its address, without a slash at the end.

    finding: what is wrong; None where it may as well be right, so that it has to be tried.
    """

    path: str
    finding: Finding | None


def served_cache(cache: Path, site: Site, lines: Sequence[Line]) -> list[ServedCache]:
    """Where the cache lies below a folder that a web server shows. Looks up symbolic links on the disk."""
    found = []
    inner = _below(cache, site.root)
    if inner is not None:
        mend = "cache.dir: the cache lies below Piwigo's folder, which the web server serves; move it out"
        found.append(ServedCache(f"{site.base}{inner}", _cache_finding(mend)))
    for path, folder, line in _shown_folders(lines, site):
        inner = _below(cache, folder)
        if inner is not None and f"{path}{inner}" not in [one.path for one in found]:
            place = f"{line.file}:{line.number} “{line.text.strip()}”"
            mend = f"cache.dir: the cache lies below {folder}, which the web server serves ({place}); move it out"
            found.append(ServedCache(f"{path}{inner}", _cache_finding(mend)))
    inner = _below(cache, site.document_root)
    if inner is not None and not found:
        mend = f"cache.dir: the cache seems to lie below the web root, {site.document_root}; move it out"
        # Where the configuration can be read, it says itself what is shown.
        found.append(ServedCache(f"/{inner}", None if lines else _cache_finding(mend, Verdict.UNCLEAR)))
    return found


def _cache_finding(mend: str, verdict: Verdict = Verdict.PICTURE) -> Finding:
    return Finding(verdict, "cache", "its place", None, 0, mend)


def _below(path: Path, folder: Path) -> str | None:
    """The path below a folder, as it is written or as links on the disk lead."""
    for one in (path, path.resolve()):
        for other in (folder, folder.resolve()):
            if one.is_relative_to(other):
                return str(one.relative_to(other))
    return None


def _shown_folders(lines: Sequence[Line], site: Site) -> Iterator[tuple[str, Path, Line]]:
    """Path of the address, with a slash at its end, folder and line of all that a web server shows."""
    own = {name.rpartition("/")[2] for names in SNIPPETS.values() for name in names}
    read, file, location = in_use(lines), None, "/"
    for line in lines:
        if line.file != file:
            file, location = line.file, "/"
        if line.file not in read or line.file.name in own or line.text.lstrip().startswith("#"):
            continue
        if opened := _LOCATION.search(line.text):
            location = opened[1]
        for match in _SHOWN.finditer(line.text):
            path = match["path"] or (location if match["alias"] else "/")
            # What nginx alone may enter is where the cache belongs.
            is_internal = match["alias"] and path.startswith(f"{site.internal_prefix}/")
            if not is_internal and match["folder"].startswith("/"):
                yield f"{path.rstrip('/')}/", Path(match["folder"]), line


def of_web_server(lines: Sequence[Line], listen: str) -> Iterator[Finding]:
    """What the web server's configuration gives away. listen: of pwgserve, to know the files that speak of it."""
    by_file: dict[Path, list[Line]] = {}
    for line in lines:
        if not line.text.lstrip().startswith("#"):
            by_file.setdefault(line.file, []).append(line)
    address = listen.removeprefix("unix:")
    for own in by_file.values():
        content = "\n".join(line.text for line in own)
        if "pwgserve" not in content and address not in content:
            continue
        for line in own:
            place = f"{line.file}:{line.number} “{line.text.strip()}”"
            if _SPOOFED.search(line.text):
                mend = f"{place} passes on what strangers say of their address; set it to the visitor's own"
                yield Finding(Verdict.ADDRESS, "said", "to come from another address", None, 0, mend)
            if _KEEPS.search(line.text) and _SAFE not in content:
                mend = f"{place} lets the web server keep private pictures for others; see deploy/ for a safe way"
                yield Finding(Verdict.PICTURE, "links", "that somebody else has just opened", None, 0, mend)
