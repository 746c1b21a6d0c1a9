"""Versions of files, and of what is made from them: what names cache files and goes into links.

Pure. Which version a file is of is found out in `originals` and `answers.sources`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class SourceFacts:
    """What tells one version of a file from another. `size` in bytes, `mtime` in nanoseconds since 1970."""

    path: str
    size: int
    mtime: int

    def __iter__(self) -> Iterator[str]:
        """The facts as texts, for keyed hashes."""
        return iter((self.path, str(self.size), str(self.mtime)))


@dataclass(frozen=True)
class Version:
    """One version of a target. `facts` describe it completely; `modified` in seconds since 1970."""

    facts: tuple[str, ...]
    modified: int
    source: SourceFacts
    watermark: SourceFacts | None

    @classmethod
    def of(cls, made: tuple[str, ...], source: SourceFacts, watermark: SourceFacts | None = None) -> Version:
        """The version of what is made (`Target.facts`) from these versions of its files."""
        return cls(facts_of(made, source, watermark), source.mtime // 10**9, source, watermark)


def facts_of(made: tuple[str, ...], source: SourceFacts, watermark: SourceFacts | None = None) -> tuple[str, ...]:
    """What describes a version completely: what is made of which versions of files."""
    return (*made, *source, *(watermark or ()))
