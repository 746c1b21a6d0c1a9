"""Looks at this machine: which web servers run or are installed, which of their sites shows the gallery, who may what.

Only looks; changes nothing.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pwgserve.setup.confinement import PLACES, is_ours
from pwgserve.setup.sites import FoundSite, best, sites_in
from pwgserve.setup.templates import FOLDERS, WebServer

PROGRAMS = {
    WebServer.NGINX: ("nginx",),
    WebServer.APACHE: ("apache2", "httpd"),
    WebServer.CADDY: ("caddy",),
}
ENABLED = {
    WebServer.NGINX: ("nginx.conf", "sites-enabled/*", "conf.d/*.conf"),
    WebServer.APACHE: ("apache2.conf", "sites-enabled/*", "conf-enabled/*.conf"),
    WebServer.CADDY: ("Caddyfile", "conf.d/*", "sites/*"),
}
"""Where a server's sites are, below its folder."""

UNITS = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))
ENABLED_UNIT = Path("/etc/systemd/system/multi-user.target.wants/pwgserve.service")

XSENDFILE = Path("mods-enabled/xsendfile.load")
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class WebSeen:
    """A web server on this machine. group: as what it runs, None when it does not or cannot be seen.

    site: that of the gallery; others: further ones that show the same folder.
    """

    server: WebServer
    folder: Path
    is_running: bool
    group: str | None
    site: FoundSite | None
    can_xsendfile: bool = False
    others: tuple[FoundSite, ...] = ()


def web_servers(root: Path, proc: Path = Path("/proc"), folders: dict[WebServer, Path] | None = None) -> list[WebSeen]:
    """The web servers of this machine, the one that shows the gallery first. Blocks."""
    running = _running(proc)
    found = []
    for server, folder in (folders or dict(FOLDERS)).items():
        if server not in running and not folder.is_dir():
            continue
        sites = [site for file, text in _configurations(server, folder) for site in sites_in(server, text, file, root)]
        group = running.get(server) or ("www-data" if _has_group("www-data") else None)
        has_module = server is WebServer.APACHE and (folder / XSENDFILE).exists()
        site = best(sites)
        others = tuple(one for one in sites if one is not site)
        found.append(WebSeen(server, folder, server in running, group, site, has_module, others))
    return sorted(found, key=lambda one: (one.site is None, not one.is_running))


def readers_problem(paths: Sequence[Path], user: str) -> str | None:
    """The command that lets a user read these paths, None when that user may already. Blocks."""
    try:
        person = pwd.getpwnam(user)
    except KeyError:
        return None
    groups = {person.pw_gid, *(group.gr_gid for group in grp.getgrall() if user in group.gr_mem)}
    for path in paths:
        for step in [*reversed(path.parents), path]:
            try:
                status = step.stat()
            except OSError:
                break
            needed = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH
            owner_may = status.st_uid == person.pw_uid and status.st_mode & (needed << 6)
            group_may = status.st_gid in groups and status.st_mode & (needed << 3)
            if not (owner_may or group_may or status.st_mode & needed or person.pw_uid == 0):
                if status.st_mode & (needed << 3):
                    return f"usermod -aG {_group_name(status.st_gid)} {user}"
                return f"chmod o+{'x' if stat.S_ISDIR(status.st_mode) else 'r'} {step}"
    return None


def group_exists(name: str) -> bool:
    """Whether this machine has a group."""
    return _has_group(name)


def user_exists(name: str) -> bool:
    """Whether this machine has a user."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def has_unit() -> bool:
    """Whether pwgserve's service is installed. Blocks."""
    return any((folder / "pwgserve.service").exists() for folder in UNITS)


def is_enabled() -> bool:
    """Whether the service starts with the machine. Blocks."""
    return os.path.lexists(ENABLED_UNIT)


def written_drop_ins() -> tuple[Path, ...]:
    """The drop-ins for systemd that an earlier `init` wrote. Blocks."""
    found = []
    for path in PLACES:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found += [path] if is_ours(path.read_text()) else []
    return tuple(found)


def _running(proc: Path) -> dict[WebServer, str | None]:
    """The servers that run, with the group of their workers."""
    found: dict[WebServer, str | None] = {}
    try:
        processes = [entry for entry in proc.iterdir() if entry.name.isdecimal()]
    except OSError:
        return found
    for process in processes:
        try:
            name = (process / "comm").read_text().strip()
            gid = process.stat().st_gid
        except (OSError, UnicodeDecodeError):
            continue
        for server, names in PROGRAMS.items():
            if name in names and (found.get(server) is None or gid != 0):
                found[server] = _group_name(gid) if gid != 0 else found.get(server)
    return found


def _configurations(server: WebServer, folder: Path) -> list[tuple[Path, str]]:
    found: dict[Path, tuple[Path, str]] = {}
    for pattern in ENABLED[server]:
        for file in sorted(folder.glob(pattern)):
            try:
                if file.is_file() and file.stat().st_size <= MAX_BYTES:
                    # A site that is enabled is a link to the file that people edit.
                    real = Path(os.path.realpath(file))
                    found.setdefault(real, (real, file.read_text("utf-8", "replace")))
            except OSError:
                continue
    return list(found.values())


def _has_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
