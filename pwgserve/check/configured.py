"""Mistakes as they stand in the configurations: pwgserve's own and the web server's.

Pure but for `served_cache`. Those of the web server are tried in `reflection`; here is the line to mend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pwgserve.check.report import Finding
from pwgserve.check.verdicts import Verdict
from pwgserve.settings import Settings
from pwgserve.setup.sites import shown
from pwgserve.setup.statements import Line
from pwgserve.setup.templates import Site
from pwgserve.setup.webconfig import WebConfig

WIDE = 65_536
"""Addresses of a public network beyond which trusting it means trusting strangers."""

_SPOOFED = re.compile(
    r"X-Forwarded-For\s+[\"']?(?:\$http_x_forwarded_for|\{(?:http\.request\.)?header\.X-Forwarded-For\})", re.IGNORECASE
)
_KEEPS = re.compile(
    r"proxy_ignore_headers\b.*\bCache-Control\b|CacheStorePrivate\s+On|CacheIgnoreCacheControl\s+On", re.IGNORECASE
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


def served_cache(cache: Path, site: Site, config: WebConfig) -> list[ServedCache]:
    """Where the cache lies below a folder that a web server shows. Looks up symbolic links on the disk."""
    found = []
    inner = _below(cache, site.root)
    if inner is not None:
        mend = "cache.dir: the cache lies below Piwigo's folder, which the web server serves; move it out"
        found.append(ServedCache(f"{site.base}{inner}", _cache_finding(mend)))
    for one in (one for part in config.parts for one in shown(part)):
        inner = _below(cache, one.folder)
        if inner is not None and f"{one.path}{inner}" not in [other.path for other in found]:
            served = f"{one.folder}, which the web server serves ({one.line.place})"
            mend = f"cache.dir: the cache lies below {served}; move it out"
            found.append(ServedCache(f"{one.path}{inner}", _cache_finding(mend)))
    inner = _below(cache, site.document_root)
    if inner is not None and not found:
        mend = f"cache.dir: the cache seems to lie below the web root, {site.document_root}; move it out"
        # Where the configuration can be read, it says itself what is shown.
        found.append(ServedCache(f"/{inner}", None if config.parts else _cache_finding(mend, Verdict.UNCLEAR)))
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
            if _SPOOFED.search(line.text):
                mend = f"{line.place} passes on what strangers say of their address; set it to the visitor's own"
                yield Finding(Verdict.ADDRESS, "said", "to come from another address", None, 0, mend)
            if _KEEPS.search(line.text) and _SAFE not in content:
                mend = f"{line.place} lets the web server keep private pictures for others; see deploy/ for a safe way"
                yield Finding(Verdict.PICTURE, "links", "that somebody else has just opened", None, 0, mend)
