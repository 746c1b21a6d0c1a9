"""Lets commands that root runs work as the daemon's user, who must be able to use what they leave."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

from pwgserve.answers.owner_file import DATABASE_FILE
from pwgserve.keys.keywatch import KeyWatch
from pwgserve.settings import Settings


def keys_as_owner(found: Settings) -> KeyWatch:
    """The keys, and from then on this process is the owner of the cache, if it was root. Raises KeysError. Blocks."""
    root = found.piwigo.root
    # As root, who may be the only one to read them; but what is made must belong to the daemon.
    keys = KeyWatch.open(found) if found.links.keys_file.exists() else None
    # Services are given groups that their users do not have by themselves, so that they may read the gallery.
    needed = (root, root / DATABASE_FILE, root / "upload", root / "galleries", *found.piwigo.originals)
    become_owner_of(found.cache.dir, needed)
    return keys or KeyWatch.open(found)


def become_owner_of(folder: Path, reading: Sequence[Path] = ()) -> None:
    """As root, become the user to whom the folder belongs; else do nothing.

    With that user's groups, and those of the files in `reading`. What root puts into the daemon's folders, the daemon
    could neither read nor replace.
    """
    if os.geteuid() != 0:
        return
    try:
        status = folder.stat()
    except OSError:
        return
    if status.st_uid == 0:
        return
    groups = {status.st_gid}
    with contextlib.suppress(KeyError):  # a user that systemd made up for the service has no name when it does not run
        groups |= set(os.getgrouplist(pwd.getpwuid(status.st_uid).pw_name, status.st_gid))
    for file in reading:
        with contextlib.suppress(OSError):
            groups.add(file.stat().st_gid)
    os.setgroups(sorted(groups - {0}))
    os.setresgid(status.st_gid, status.st_gid, status.st_gid)
    os.setresuid(status.st_uid, status.st_uid, status.st_uid)
