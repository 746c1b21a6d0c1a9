"""Opens the gallery's own files, and only those: a path from the database must end inside the folders of originals.

Blocks, but for `facts_at_hand`: call it in a thread. Which path may be asked for by whom is decided before, in
`pwgserve.piwigo.permissions`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pwgserve.at_hand import AtHand, NotAtHandError
from pwgserve.shortage import ShortageError, is_missing
from pwgserve.versions import SourceFacts

# Without O_NONBLOCK a named pipe among the originals would hold whoever opens it for ever.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class MissingOriginalError(Exception):
    """There is no such regular file inside the folders of originals."""


@dataclass(frozen=True)
class Source:
    """An open file of the gallery; the descriptor belongs to whoever opened it."""

    descriptor: int
    facts: SourceFacts
    real_path: str


class Originals:
    """The folders below Piwigo's root that hold photos, with what they may lead to by symbolic links.

    root: Piwigo's folder. folders: below the root (`upload`, `galleries`). elsewhere: further folders that links below
    these may lead to; any other way out is refused.
    """

    def __init__(self, root: Path, folders: Sequence[str], elsewhere: Sequence[Path] = ()) -> None:
        self._root = root
        self._at_hand = AtHand(root)
        allowed = [os.path.realpath(folder) for folder in (*(root / folder for folder in folders), *elsewhere)]
        self._allowed = tuple(f"{folder.rstrip('/')}/" for folder in allowed)

    @contextmanager
    def opened(self, path: str) -> Iterator[Source]:
        """The file at a path below the root, open for reading while the block runs. Raises MissingOriginalError."""
        source = self.open(path)
        try:
            yield source
        finally:
            os.close(source.descriptor)

    def open(self, path: str) -> Source:
        """The file at a path below the root; the caller closes its descriptor.

        Raises MissingOriginalError and ShortageError.
        """
        if "\0" in path:
            raise MissingOriginalError
        try:
            return self._judged(path, os.open(self._root / path, _FLAGS))
        except OSError as error:
            if not is_missing(error):
                raise ShortageError from error
            raise MissingOriginalError from error

    def _judged(self, path: str, descriptor: int) -> Source:
        """An open file, if it may be served; otherwise it is closed. Raises MissingOriginalError and OSError."""
        try:
            # What was opened is judged, not what the name meant a moment before.
            status = os.fstat(descriptor)
            # As a text, since this is asked for each picture: the kernel's answer has no `..` and no doubled slash.
            real = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
            if not stat.S_ISREG(status.st_mode) or not real.startswith(self._allowed):
                raise MissingOriginalError
        except BaseException:
            os.close(descriptor)
            raise
        return Source(descriptor, SourceFacts(path, status.st_size, status.st_mtime_ns), real)

    def facts(self, path: str) -> SourceFacts | None:
        """The facts of the file at a path below the root, None when there is none. Raises ShortageError."""
        try:
            with self.opened(path) as source:
                return source.facts
        except MissingOriginalError:
            return None

    def facts_at_hand(self, path: str) -> SourceFacts:
        """The facts of a file, if having them takes no waiting; this does not block.

        Raises NotAtHandError otherwise: then `facts` knows.
        """
        if "\0" in path:
            raise NotAtHandError
        try:
            source = self._judged(path, self._at_hand.open(path, _FLAGS))
        except (OSError, MissingOriginalError) as error:
            raise NotAtHandError from error
        os.close(source.descriptor)
        return source.facts
