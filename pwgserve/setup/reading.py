"""Whether the daemon's user can read what it has to, and how it is let without letting anybody else.

Only looks; changes nothing.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class _Reader:
    """A user, with its groups. group: that things are given to so that the web server and this user may read them."""

    user: pwd.struct_passwd
    groups: frozenset[int]
    group: str

    def may(self, status: os.stat_result) -> bool:
        """Whether the user may read a file, or go through a folder."""
        needed = _needed(status)
        owner_may = status.st_uid == self.user.pw_uid and status.st_mode & (needed << 6)
        group_may = status.st_gid in self.groups and status.st_mode & (needed << 3)
        return bool(owner_may or group_may or status.st_mode & needed or self.user.pw_uid == 0)


def readers_problem(
    paths: Sequence[Path], user: str, web_group: str | None = None, folders: Sequence[Path] = ()
) -> str | None:
    """The command that lets a user read these paths, None when that user may already. Blocks.

    web_group: the web server's, which the user is to be in. folders: that are let as a whole.
    """
    try:
        person = pwd.getpwnam(user)
    except KeyError:
        return None
    members = {group.gr_gid for group in grp.getgrall() if user in group.gr_mem}
    groups = frozenset({person.pw_gid, *members})
    reader = _Reader(person, groups, web_group or group_name(person.pw_gid))
    for path in paths:
        for step in [*reversed(path.parents), path]:
            try:
                status = step.stat()
            except OSError:
                break
            if not reader.may(status):
                return _command(step, status, reader, folders)
    return None


def group_name(gid: int) -> str:
    """The name of a group, else its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _command(step: Path, status: os.stat_result, reader: _Reader, folders: Sequence[Path]) -> str:
    """Never for everybody: the database's password and private photos are what is read here."""
    if status.st_mode & (_needed(status) << 3) and status.st_gid != 0:
        return f"usermod -aG {group_name(status.st_gid)} {reader.user.pw_name}"
    whole = next((folder for folder in folders if step.is_relative_to(folder)), None)
    option = "-R " if whole else ""
    target = shlex.quote(str(whole or step))
    mode = "g+rX" if whole else "g+x" if stat.S_ISDIR(status.st_mode) else "g+r"
    commands = [f"chmod {option}{mode} {target}"]
    if status.st_gid not in reader.groups:
        gid = _gid(reader.group)
        if gid != status.st_gid:
            commands.insert(0, f"chgrp {option}{reader.group} {target}")
        if gid not in reader.groups:
            commands.insert(0, f"usermod -aG {reader.group} {reader.user.pw_name}")
    return " && ".join(commands)


def _needed(status: os.stat_result) -> int:
    return stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH


def _gid(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
