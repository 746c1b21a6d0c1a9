"""What of a photo is wanted: the element itself, its representative, another format, or a derivative of one of them.
Of a derivative also, whether it is wanted in another encoding than its source's.

Pure. `requests` finds it in URLs; `links` carries it in its short spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pwgserve.piwigo.derivatives import CODES, CUSTOM, MIN_CUSTOM_SIDE, DerivativeParams
from pwgserve.piwigo.sizing import Size

ENCODINGS: Mapping[str, str] = {"avif": "image/avif", "webp": "image/webp"}
"""Encodings that a derivative may have instead of its source's, the smallest first, and their content types."""


class Part(StrEnum):
    """Which file of a photo, in the letters of Piwigo's `action.php`."""

    ELEMENT = "e"
    REPRESENTATIVE = "r"
    FORMAT = "f"


@dataclass(frozen=True)
class Wanted:
    """One thing to be served of a photo.

    code: a derivative type's code (`me`, `cu`, …), or None for the file itself. custom: the sizes behind `cu`.
    format_id: which of the photo's other formats, for Part.FORMAT. encoding: of a derivative, one of ENCODINGS, or None
    for its source's own.
    """

    part: Part = Part.ELEMENT
    code: str | None = None
    custom: DerivativeParams | None = None
    format_id: int | None = None
    encoding: str | None = None

    def spelled(self) -> str:
        """The one short spelling: `me`, `cu_s300`, `me-avif`, `e`, `r`, `f12`, `r-me` (of the representative)."""
        if self.code is None:
            return f"f{self.format_id}" if self.part is Part.FORMAT else self.part.value
        derivative = f"{self.code}_{self.custom.token()}" if self.custom else self.code
        derivative += f"-{self.encoding}" if self.encoding else ""
        return derivative if self.part is Part.ELEMENT else f"{self.part.value}-{derivative}"

    @classmethod
    def parse(cls, text: str) -> Wanted | None:
        """What `spelled` wrote, or None; nothing else is understood."""
        wanted = cls._parse(text)
        return wanted if wanted is not None and wanted.spelled() == text else None

    @classmethod
    def _parse(cls, text: str) -> Wanted | None:
        if text in (Part.ELEMENT, Part.REPRESENTATIVE):
            return cls(Part(text))
        if _FORMAT.fullmatch(text):
            return cls(Part.FORMAT, format_id=int(text[1:]))
        is_representative = text.startswith(f"{Part.REPRESENTATIVE}-")
        derivative, dash, encoding = text.removeprefix(f"{Part.REPRESENTATIVE}-").partition("-")
        if dash and encoding not in ENCODINGS:
            return None
        code, *tokens = derivative.split("_")
        custom = custom_params(tokens) if code == CUSTOM else None
        if isinstance(custom, str) or (code not in CODES and custom is None) or (code != CUSTOM and tokens):
            return None
        part = Part.REPRESENTATIVE if is_representative else Part.ELEMENT
        return cls(part, code, custom, encoding=encoding or None)


def custom_params(tokens: list[str]) -> DerivativeParams | str:
    """The sizes that the tokens behind `cu_` ask for, or what is wrong with them, in a few words."""
    if not tokens:
        return "a custom size without a size"
    first, crop, min_size = tokens[0], 0.0, None
    if first[:1] == "s":
        ideal = _size(first[1:])
    elif first[:1] == "e":
        ideal = min_size = _size(first[1:])
        crop = 1.0
    elif len(tokens) >= 3:
        ideal, min_size = _size(first), _size(tokens[2])
        crop = (ord(tokens[1][:1] or "\0") - ord("a")) / 25
    else:
        return "a custom size with too few parts"
    if min(ideal) < MIN_CUSTOM_SIDE:
        return f"a custom size with a side under {MIN_CUSTOM_SIDE} pixels"
    if not 0 <= crop <= 1:
        return "a custom size that crops less than nothing or more than all"
    return DerivativeParams(ideal, crop, min_size)


_FORMAT = re.compile(r"f[1-9][0-9]{0,9}")
_LEADING_NUMBER = re.compile(r"[ \t\n\r\v\f]*[+-]?[0-9]{1,9}(?:\.[0-9]{0,9})?(?:[eE][+-]?[0-9]{1,2})?")


def _size(text: str) -> Size:
    width, x, height = text.partition("x")
    return (_whole(width), _whole(height if x else width))


def _whole(text: str) -> int:
    """A number as PHP takes it from the front of a text: `120abc` is 120, `1e3` is 1000, anything else is 0."""
    match = _LEADING_NUMBER.match(text)
    value = int(float(match.group())) if match else 0
    return value if abs(value) < 10**9 else 0
