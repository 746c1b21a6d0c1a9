"""Makes a plan true: writes what differs, leaves what is right, removes what is over, and says which is what.

Blocks.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pwgserve.keys.keys_file import load_or_create
from pwgserve.problems import OwnerError
from pwgserve.setup.plan import Plan, PlannedFile, PlannedFolder

WRITTEN = "written"
CHANGED = "changed"
KEPT = "as it was"
REMOVED = "removed"


class WritingError(OwnerError):
    """Something cannot be written; the message says what and why."""


@dataclass(frozen=True)
class Done:
    """What became of a file or folder. note: where its former content is kept, if it had one."""

    path: Path
    what: str
    note: str = ""


def carry_out(plan: Plan, keys_file: Path | None) -> list[Done]:
    """Make all folders, files and the keys of a plan. Raises WritingError and KeysError.

    keys_file: None where there are keys elsewhere.
    """
    found = [_folder(folder) for folder in plan.folders]
    if keys_file is not None:
        found.append(_keys(plan, keys_file))
    return found + [_file(file) for file in plan.files] + [_removed(path) for path in plan.removals]


def _keys(plan: Plan, file: Path) -> Done:
    existed = file.exists()
    load_or_create(file)
    # The folder is that user's, who may have put a link to a file of root's there.
    was_ours = _owned(file, plan.user, None, follows=False)
    return Done(file, WRITTEN if not existed else KEPT if was_ours else CHANGED)


def _folder(folder: PlannedFolder) -> Done:
    path = folder.path
    try:
        existed = path.is_dir()
        path.mkdir(parents=True, exist_ok=True, mode=0o755)
        was_right = _owned(path, folder.user, folder.group)
        if stat.S_IMODE(path.stat().st_mode) != folder.mode:
            path.chmod(folder.mode)
            was_right = False
    except OSError as error:
        raise WritingError(f"{path}: cannot make this folder: {error.strerror}; run init as root?") from error
    return Done(path, WRITTEN if not existed else KEPT if was_right else CHANGED)


def _file(file: PlannedFile) -> Done:
    path, content = file.path, file.content.encode()
    note = ""
    try:
        before = path.read_bytes() if path.exists() else None
        if before == content:
            was_right = _owned(path, file.user, file.group)
            if stat.S_IMODE(path.stat().st_mode) != file.mode:
                path.chmod(file.mode)
                was_right = False
            return Done(path, KEPT if was_right else CHANGED)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        if before is not None:
            kept = path.with_name(f"{path.name}.before")
            _replace(kept, before, PlannedFile(kept, "", file.mode, file.user, file.group))
            note = f"what it was is in {kept}"
        _replace(path, content, file)
    except OSError as error:
        raise WritingError(f"{path}: cannot write it: {error.strerror}; run init as root, or give --output") from error
    return Done(path, WRITTEN if before is None else CHANGED, note)


def _removed(path: Path) -> Done:
    try:
        path.unlink()
    except OSError as error:
        raise WritingError(f"{path}: cannot remove it: {error.strerror}; run init as root") from error
    return Done(path, REMOVED)


def _replace(path: Path, content: bytes, like: PlannedFile) -> None:
    """Write all of a file or nothing; nobody ever reads it with a wider mode."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        _owned(Path(temporary), like.user, like.group)
        Path(temporary).chmod(like.mode)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def _owned(path: Path, user: str | None, group: str | None, follows: bool = True) -> bool:
    """Give a path to a user and group, where they are said; whether it was theirs already. follows: symbolic links."""
    status = path.stat(follow_symlinks=follows)
    uid = pwd.getpwnam(user).pw_uid if user else status.st_uid
    gid = _gid(group) if group else status.st_gid
    if (uid, gid) == (status.st_uid, status.st_gid):
        return True
    os.chown(path, uid, gid, follow_symlinks=follows)
    return False


def _gid(group: str) -> int:
    """The number of a group; one without a name goes by it. Raises WritingError."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        if group.isdecimal():
            return int(group)
        raise WritingError(
            f"there is no group {group} on this machine; make it, or give another --web-server"
        ) from error
