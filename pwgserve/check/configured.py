"""Mistakes as they stand in the configurations: pwgserve's own and the web server's.

Pure. Those of the web server are tried in `reflection`; here is the line to mend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pwgserve.check.mending import Line
from pwgserve.check.report import Finding
from pwgserve.check.verdicts import Verdict
from pwgserve.settings import Settings

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
    if settings.cache.dir.is_relative_to(settings.piwigo.root):
        mend = "cache.dir: the cache lies below Piwigo's folder, which the web server serves; move it out"
        yield Finding(Verdict.PICTURE, "cache", "its place", None, 0, mend)


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
