"""Looks at this machine: which web servers run or are installed, which of their sites shows the gallery, who may what.

Only looks; changes nothing.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pwgserve.problems import OwnerError
from pwgserve.setup.confinement import PLACES, is_ours
from pwgserve.setup.reading import group_name
from pwgserve.setup.sites import FoundSite, sites_in
from pwgserve.setup.templates import FOLDERS, WebServer
from pwgserve.setup.webconfig import read

PROGRAMS = {
    WebServer.NGINX: ("nginx",),
    WebServer.APACHE: ("apache2", "httpd"),
    WebServer.CADDY: ("caddy",),
}
UNITS = (Path("/etc/systemd/system"), Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))
ENABLED_UNIT = Path("/etc/systemd/system/multi-user.target.wants/pwgserve.service")

PEOPLE = 1000
"""The first number of an account that is not the system's."""

XSENDFILE = Path("mods-enabled/xsendfile.load")


class LookError(OwnerError):
    """What is here cannot be seen, and must not be guessed."""


@dataclass(frozen=True)
class WebSeen:
    """A web server on this machine. group: as what it runs, None when it does not or cannot be seen.

    sites: those that show the gallery's folder.
    """

    server: WebServer
    folder: Path
    is_running: bool
    group: str | None
    sites: tuple[FoundSite, ...]
    can_xsendfile: bool = False


def web_servers(
    root: Path, proc: Path = Path("/proc"), folders: dict[WebServer, Path] | None = None, name: Path | None = None
) -> list[WebSeen]:
    """The web servers of this machine, the one that shows the gallery first. Blocks.

    root: Piwigo's folder, without symbolic links on the way; name: as its owner calls it.
    """
    find = partial(whole, root, name or root)
    running = _running(proc)
    found = []
    for server, folder in (folders or dict(FOLDERS)).items():
        if server not in running and not folder.is_dir():
            continue
        sites = tuple(site for site in sites_in(read(server, folder), find) if not site.leads_on)
        group = running.get(server) or ("www-data" if group_exists("www-data") else None)
        has_module = server is WebServer.APACHE and (folder / XSENDFILE).exists()
        found.append(WebSeen(server, folder, server in running, group, sites, has_module))
    return sorted(found, key=lambda one: (not one.sites, not one.is_running))


def whole(root: Path, name: Path, folder: Path) -> list[tuple[str, str]]:
    """By which path the gallery lies below a folder that a site shows, whatever of it is a symbolic link. Blocks.

    root: without symbolic links on the way; name: as its owner calls it.
    """
    for gallery, place in ((name, folder), (root, folder), (root, Path(os.path.realpath(folder)))):
        if gallery.is_relative_to(place):
            return [(str(gallery.relative_to(place)), "")]
    with contextlib.suppress(OSError):
        links = (entry for entry in folder.iterdir() if entry.is_symlink())
        return [(link.name, "") for link in links if Path(os.path.realpath(link)) == root]
    return []


def parts(root: Path, tops: Iterable[str], folder: Path) -> list[tuple[str, str]]:
    """By which paths folders of the gallery, or what is in them, lie below a folder where all of it does not. Blocks.

    root: without symbolic links on the way; tops: the folders, below it.
    """
    found = []
    place = Path(os.path.realpath(folder))
    for top in tops:
        inner = Path(os.path.realpath(root / top))
        if inner.is_relative_to(place) and not (inner.is_relative_to(root) and root.is_relative_to(place)):
            found.append((str(inner.relative_to(place)), top))
        elif place.is_relative_to(inner):
            found.append((".", str(Path(top) / place.relative_to(inner))))
    return found


def group_exists(name: str) -> bool:
    """Whether this machine has a group."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


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


def texts(paths: Iterable[Path]) -> dict[Path, str]:
    """The contents of those files that are there. Raises LookError. Blocks."""
    found = {}
    for path in paths:
        try:
            found[path] = path.read_text("utf-8", "replace")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise LookError(f"{path}: cannot read it: {error.strerror}; run this as root (sudo)") from error
    return found


@dataclass(frozen=True)
class _Process:
    name: str
    parent: int
    uid: int
    gid: int


def _running(proc: Path) -> dict[WebServer, str | None]:
    """The servers that run, with the group of their workers.

    Any account may call a program `nginx`, and would be given the pictures. So those count that root's own process of
    that name has started, or else those of the system's accounts.
    """
    processes = dict(_processes(proc))
    found: dict[WebServer, str | None] = {}
    for server, names in PROGRAMS.items():
        named = [one for one in processes.values() if one.name in names]
        masters = {number for number, one in processes.items() if one in named and one.uid == 0}
        trusted = [one for one in named if one.parent in masters] or [one for one in named if one.uid < PEOPLE]
        if trusted:
            groups = [one.gid for one in trusted if one.gid != 0]
            found[server] = group_name(groups[-1]) if groups else None
    return found


def _processes(proc: Path) -> Iterator[tuple[int, _Process]]:
    for entry in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, KeyError):  # it has ended, or is none of ours to see
            lines = (line.partition(":\t") for line in (entry / "status").read_text("utf-8", "replace").splitlines())
            told = {name: value.split("\t") for name, _, value in lines}
            # Of four numbers the second one is that which counts.
            uid, gid = int(told["Uid"][1]), int(told["Gid"][1])
            yield int(entry.name), _Process(told["Name"][0], int(told["PPid"][0]), uid, gid)
