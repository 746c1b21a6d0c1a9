"""What the service's units must be allowed besides, on a machine that is not as usual: drop-ins for systemd.

Pure. What the units allow by themselves is in systemd/; who needs something else writes it with `systemctl edit`.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path

from pwgserve.settings import Listen

SERVICES = ("pwgserve", "pwgserve-gc", "pwgserve-check")
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome= hides."""

USUAL_GROUP = "www-data"
USUAL_SOCKET = "unix:/run/pwgserve/pwgserve.sock"
"""Where pwgserve.socket listens, as in `server.listen`."""

HEADER = "# Written by `pwgserve init`: what this machine needs besides. Your own changes: `systemctl edit`.\n"


def place(unit: str) -> Path:
    """Where the drop-in of a unit lies; `systemctl edit` writes another file beside it, which wins."""
    return Path(f"/etc/systemd/system/{unit}.d/init.conf")


OF_SOCKET = place("pwgserve.socket")
PLACES = (*(place(f"{service}.service") for service in SERVICES), OF_SOCKET)
"""All places where drop-ins may lie."""


def drop_ins(
    reads: Sequence[Path], writes: Sequence[Path], group: str | None, addresses: Sequence[str], listen: str
) -> Mapping[Path, str]:
    """Drop-ins by their paths, none where the units are right as they are.

    reads, writes: folders besides those of the units themselves. group: that the web server runs as. addresses: of a
    database on another machine. listen: as in `server.listen`.
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
            found[place(f"{service}.service")] = f"{HEADER}[Service]\n" + "\n".join([*lines, *own]) + "\n"
    socket_lines = _socket_lines(listen, group)
    if socket_lines:
        found[OF_SOCKET] = f"{HEADER}[Socket]\n" + "\n".join(socket_lines) + "\n"
    return found


def _socket_lines(listen: str, group: str | None) -> list[str]:
    """What the unit that may hold the address for the service has to say; it knows no names of machines."""
    lines = []
    address = Listen.parse(listen)
    if listen != USUAL_SOCKET:
        with contextlib.suppress(ValueError):
            stream = address.path or f"{_bracketed(address.host)}:{address.port}"
            # Empty first, or the line of the unit itself would count as well.
            lines += ["ListenStream=", f"ListenStream={stream.replace('%', '%%')}"]
    if address.path and group not in (None, USUAL_GROUP):
        lines.append(f"SocketGroup={group}")
    return lines


def _bracketed(host: str) -> str:
    """An address as systemd wants it before a port. Raises ValueError for a name."""
    address = ipaddress.ip_address(host)
    return f"[{address}]" if address.version == 6 else str(address)


def is_ours(content: str) -> bool:
    """Whether a drop-in was written by `init`, not by the owner."""
    return content.startswith(HEADER)


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"'
