"""Lets commands that root runs work as the daemon's user, who must be able to use what they leave."""

from __future__ import annotations

import os
import pwd
from pathlib import Path


def become_owner_of(folder: Path) -> None:
    """As root, become the user to whom the folder belongs, with that user's groups; else do nothing.

    What root puts into the daemon's folders, the daemon could neither read nor replace.
    """
    if os.geteuid() != 0:
        return
    try:
        status = folder.stat()
    except OSError:
        return
    if status.st_uid == 0:
        return
    try:
        os.initgroups(pwd.getpwuid(status.st_uid).pw_name, status.st_gid)
    except (KeyError, OSError):
        # A user that systemd made up for the service has no name when it does not run.
        os.setgroups([status.st_gid])
    os.setresgid(status.st_gid, status.st_gid, status.st_gid)
    os.setresuid(status.st_uid, status.st_uid, status.st_uid)
