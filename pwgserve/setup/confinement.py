"""What the service's units must be allowed besides, on a machine that is not as usual: drop-ins for systemd.

Pure. What the units allow by themselves is in systemd/; who needs something else writes it with `systemctl edit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SERVICES = ("pwgserve", "pwgserve-gc", "pwgserve-check")
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome= hides."""

USUAL_GROUP = "www-data"
HEADER = (
    "# Written by `pwgserve init`: what this machine needs besides. Your own changes: `systemctl edit`.\n[Service]\n"
)


def place(service: str) -> Path:
    """Where the drop-in of a service lies; `systemctl edit` writes another file beside it, which wins."""
    return Path(f"/etc/systemd/system/{service}.service.d/init.conf")


def drop_ins(
    reads: Sequence[Path], writes: Sequence[Path], group: str | None, addresses: Sequence[str]
) -> Mapping[Path, str]:
    """Drop-ins by their paths, none where the units are right as they are.

    reads, writes: folders besides those of the units themselves. group: that the web server runs as. addresses: of a
    database on another machine.
    """
    lines = []
    if any(path.is_relative_to(home) for path in (*reads, *writes) for home in HOMES):
        lines.append("ProtectHome=read-only")
    lines += [f"ReadWritePaths={_quoted(path)}" for path in writes]
    if group not in (None, USUAL_GROUP):
        lines.append(f"Group={group}")
    found = {}
    for service in SERVICES:
        # Upkeep of the cache talks to nobody, and the check may reach the whole world but for link-local addresses.
        own = [f"IPAddressAllow={address}" for address in addresses] if service == "pwgserve" else []
        if lines or own:
            found[place(service)] = HEADER + "\n".join([*lines, *own]) + "\n"
    return found


def is_ours(content: str) -> bool:
    """Whether a drop-in was written by `init`, not by the owner."""
    return content.startswith(HEADER)


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"'
