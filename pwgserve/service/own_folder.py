"""The folder that all processes of one supervisor share: gone with it, and what a killed one left, with the next.

Blocks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "pwgserve-"
"""What the folder's name begins with."""


@contextlib.contextmanager
def own_folder(parent: Path | None) -> Iterator[Path]:
    """A new folder that is private to this user, as long as the block runs.

    parent: the service's folder, which may outlive the service; None for the usual place of temporary files.
    """
    if parent is None:
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            yield Path(folder)
        return
    with contextlib.ExitStack() as stack:
        # Nobody looks for what was left between the making of a folder and its lock.
        with _locked(parent):
            _remove_left(parent)
            made = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent)))
            stack.enter_context(_locked(made))
        yield made


def _remove_left(parent: Path) -> None:
    """Remove the folders that no process holds: the kernel takes a lock back when its holder ends in whatever way."""
    for left in parent.glob(f"{PREFIX}*/"):
        with contextlib.suppress(OSError), _locked(left, fcntl.LOCK_NB):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    """Hold a folder. how: fcntl.LOCK_NB, to raise BlockingIOError when somebody else does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)
