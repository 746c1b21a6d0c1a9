"""Conditional and partial requests (RFC 9110, sections 13 and 14): what to send of a file that has not changed.

Pure: header texts in, decisions out. Sending is in `sending`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import TypeAlias

MAX_RANGES = 10
"""More are answered with the whole file: nobody needs them, and each costs a seek and a part's header."""

Range: TypeAlias = tuple[int, int]
"""First byte and the byte after the last one."""

_SPEC = re.compile(r"\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*")


class UnsatisfiableError(ValueError):
    """None of the ranges lies within the file (416)."""


@dataclass(frozen=True)
class Validators:
    """What tells this version of a file from others. `etag` with its quotes; `modified` in whole seconds since 1970."""

    etag: str
    modified: int


def is_other_version(if_match: str | None, if_unmodified_since: str | None, validators: Validators) -> bool:
    """Whether the asker wants only what another version was (412)."""
    if if_match is not None:
        known = [tag.strip() for tag in if_match.split(",")]
        return "*" not in known and validators.etag not in known
    since = _seconds(if_unmodified_since)
    return since is not None and validators.modified > since


def is_not_modified(if_none_match: str | None, if_modified_since: str | None, validators: Validators) -> bool:
    """Whether the asker has this very version already (304)."""
    if if_none_match is not None:
        known = [tag.strip() for tag in if_none_match.split(",")]
        # Weak comparison: for a GET, a proxy's weakened tag still names the same picture.
        return "*" in known or validators.etag in [tag.removeprefix("W/") for tag in known]
    since = _seconds(if_modified_since)
    return since is not None and validators.modified <= since


def ranges(header: str | None, if_range: str | None, size: int, validators: Validators) -> Sequence[Range] | None:
    """The parts of a file of `size` bytes that are asked for, in the asker's order; None stands for all of it.

    Raises UnsatisfiableError. What is not a range of bytes is as if it were not there, as the RFC wants.
    """
    if header is None or (if_range is not None and not _is_same(if_range.strip(), validators)):
        return None
    unit, equals, specs = header.partition("=")
    # A list may have empty places (RFC 9110, section 5.6.1).
    parts = [part for part in specs.split(",", MAX_RANGES) if part.strip()]
    if unit.strip().lower() != "bytes" or not equals or not 0 < len(parts) <= MAX_RANGES:
        return None
    found = []
    for part in parts:
        match = _SPEC.fullmatch(part)
        if match is None or not (match[1] or match[2]):
            return None
        if match[1] and match[2] and int(match[1]) > int(match[2]):
            return None
        span = _span(match[1], match[2], size)
        if span is not None:
            found.append(span)
    if not found:
        raise UnsatisfiableError
    # Overlapping ranges would make a small request into a large answer.
    return None if sum(end - start for start, end in found) > size else found


def _span(first: str, last: str, size: int) -> Range | None:
    if not first:
        length = min(int(last), size)
        return (size - length, size) if length else None
    start = int(first)
    if start >= size:
        return None
    return start, min(int(last) + 1, size) if last else size


def _is_same(if_range: str, validators: Validators) -> bool:
    """A strong comparison: parts of two versions must never be put together."""
    if if_range.startswith('"'):
        return if_range == validators.etag
    return _seconds(if_range) == validators.modified


@lru_cache(4096)
def http_date(seconds: int) -> str:
    """A moment, in seconds since 1970, as HTTP's headers have it."""
    return formatdate(seconds, usegmt=True)


def _seconds(date: str | None) -> int | None:
    if date is None:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError, TypeError):
        return None
