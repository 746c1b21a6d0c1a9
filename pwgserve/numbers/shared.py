"""Puts the numbers of several server processes together, through files in a private folder of theirs.

Each process writes its numbers into one file of its own, now and then and not at every request. Who is asked adds up
all files. What a dead process had counted goes into one file for all that have been, so that counters never go back
and the folder does not grow. Loses at most the last moment of a process that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

Samples: TypeAlias = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""(name of a sample, its labels by name) → its value."""

PUBLISH_SECONDS = 1.0
"""How often processes tell each other their numbers."""

_OF_COUNTERS = ("_total", "_count", "_sum", "_bucket")
_PAST = "past.json"


class SharedNumbers:
    """The numbers of this process and its siblings. directory: private to them, best in memory (/run)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._name = secrets.token_hex(8)
        # Held as long as the process lives; the kernel lets it go however that ends.
        with self._folding():  # nobody must find the file unlocked and take us for dead
            self._alive = os.open(self._lock_of(self._name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._alive, fcntl.LOCK_EX)

    def publish(self, own: Samples) -> None:
        """Tell this process's numbers. Blocks."""
        with contextlib.suppress(OSError):
            _write(self._directory / f"{self._name}.json", own)

    def together(self, own: Samples, same: frozenset[str]) -> Samples:
        """This process's numbers and all others'. same: names of which every process knows the whole. Blocks."""
        result = dict(own)
        others = [_read(self._directory / _PAST)]
        with contextlib.suppress(OSError), self._folding():
            for name in self._siblings():
                file = self._directory / f"{name}.json"
                if self._is_dead(name):
                    self._fold(name)
                else:
                    others.append(_read(file))
            others[0] = _read(self._directory / _PAST)
        for samples in others:
            for key, value in samples.items():
                result[key] = max(result.get(key, 0.0), value) if key[0] in same else result.get(key, 0.0) + value
        return result

    def _siblings(self) -> list[str]:
        return [file.stem for file in self._directory.glob("*.lock") if file.stem not in (self._name, "past")]

    def _is_dead(self, name: str) -> bool:
        with _opened(self._lock_of(name)) as descriptor:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def _fold(self, name: str) -> None:
        """Add what a dead process counted to what all dead ones did."""
        file, past = self._directory / f"{name}.json", _read(self._directory / _PAST)
        for key, value in _read(file).items():
            if key[0].endswith(_OF_COUNTERS):
                past[key] = past.get(key, 0.0) + value
        _write(self._directory / _PAST, past)
        file.unlink(missing_ok=True)
        self._lock_of(name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _folding(self) -> Iterator[None]:
        with _opened(self._lock_of("past")) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def _lock_of(self, name: str) -> Path:
        return self._directory / f"{name}.lock"


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[int]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(file: Path, samples: Samples) -> None:
    text = json.dumps([[name, labels, value] for (name, labels), value in samples.items()])
    temporary = file.with_suffix(f".{secrets.token_hex(4)}")
    try:
        temporary.write_text(text)
        temporary.replace(file)
    except BaseException:
        # Each has a name of its own: on a full disk there would soon be thousands.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _read(file: Path) -> Samples:
    try:
        content = json.loads(file.read_text())
        return {(name, tuple((key, value) for key, value in labels)): float(number) for name, labels, number in content}
    except (OSError, ValueError, TypeError):
        return {}
