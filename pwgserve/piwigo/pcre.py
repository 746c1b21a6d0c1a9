"""PHP's regular expressions (`/^[a-z]+$/i`), as those of Python's `regex` that find the same.

Pure. Without the modifier `u`, PHP looks at bytes. What the two languages would read differently is written so that it
means the same, or raises ValueError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import regex

_CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}
_FLAGS = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "x": regex.VERBOSE}
_WITHOUT_EFFECT = frozenset("uADUSXJ \n")
"""`u`, `A`, `D` and `U` are minded elsewhere; the others change nothing of what is found."""

_CODE = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_PROPERTY = re.compile(r"\\(?P<sign>[pP])(?:\{(?P<name>\^?[A-Za-z_]+)\}|(?P<letter>[A-Z]))")
_BLANK = r" \t\xa0"
_BLANKS = _BLANK + r"\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"
_POSIX = re.compile(r"\[:\^?[a-z]+:\]")
_TIMES = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_GROUP = re.compile(r"\((?!\*)(?:(?!\?)|\?(?:[:=!>|]|<[=!]|P?<[A-Za-z_]|[imsx-]+[:)]))")
_GREEDY_MATTERS = re.compile(r"\(\?>|[*+?}]\+")
_SAME_ESCAPES = frozenset("dDwWsSbBAnrtfx0123456789")
_NAMED = {"[:alpha:]": r"\p{L}", "[:alnum:]": r"\p{L}\p{N}"}
"""What PHP takes these for with modifier `u`."""


@dataclass(frozen=True)
class PhpPattern:
    """A regular expression. is_anchored: it must match from the beginning on (modifier `A`)."""

    pattern: regex.Pattern[str] | regex.Pattern[bytes]
    is_anchored: bool

    @classmethod
    def parse(cls, source: str) -> PhpPattern:
        """From a text with delimiters and modifiers. Raises ValueError, which says what is wrong in a few words."""
        text = source.lstrip()
        end = text.rfind(_CLOSING.get(text[:1], text[:1]))
        flags = text[end + 1 :]
        is_delimited = len(text) > 1 and end > 0 and not text[0].isalnum() and text[0] != "\\"
        if not is_delimited or set(flags) - _WITHOUT_EFFECT - set(_FLAGS):
            raise ValueError("is not a regular expression that PHP would take")
        inner = text[1:end]
        if "U" in flags and _GREEDY_MATTERS.search(inner):
            raise ValueError("has modifier U, which is not understood here")
        is_unicode = "u" in flags
        chosen = sum(_FLAGS[flag] for flag in set(flags) & set(_FLAGS))
        try:
            written = _written(inner, is_unicode, ends_only="D" in flags and "m" not in flags)
            compiled = regex.compile(written, chosen) if is_unicode else regex.compile(written.encode(), chosen)
        except regex.error as error:
            raise ValueError(str(error)) from error
        return cls(compiled, "A" in flags)

    def is_found_in(self, text: str, seconds: float) -> bool:
        """Whether the text has it. Raises TimeoutError when that takes too long."""
        data = text.encode("utf-8", "surrogatepass")
        pattern: regex.Pattern[Any] = self.pattern
        find = pattern.match if self.is_anchored else pattern.search
        return find(data if isinstance(pattern.pattern, bytes) else text, timeout=seconds) is not None


def _written(source: str, is_unicode: bool, ends_only: bool) -> str:
    """The expression in the other language. ends_only: `$` is the very end, not a line's end before it."""
    parts: list[str] = []
    place, class_start = 0, None
    while place < len(source):
        taken = source[place]
        if taken == "\\":
            taken, written = _escape(source[place:], is_unicode, class_start is not None)
        elif class_start is not None:
            taken, written = _in_class(source[place:], is_unicode, is_first=place == class_start)
            class_start = None if written == "]" else class_start
        elif taken == "[":
            taken = "[^" if source.startswith("[^", place) else "["
            written, class_start = taken, place + len(taken)
        else:
            written = _outside(source[place:], ends_only)
        parts.append(written)
        place += len(taken)
    return "".join(parts)


def _escape(rest: str, is_unicode: bool, is_in_class: bool) -> tuple[str, str]:
    code = _CODE.match(rest)
    if code:
        number = int(code[1], 16)
        if number > (0x10FFFF if is_unicode else 0xFF):
            raise ValueError(f"has the character {code[0]}, which needs modifier u or does not exist")
        return code[0], f"\\U{number:08x}" if is_unicode else f"\\x{number:02x}"
    if named := _PROPERTY.match(rest):
        written = f"\\{named['sign']}{{{named['name'] or named['letter']}}}"
        return named[0], written if is_unicode else _bytes_of(written, is_in_class)
    taken = rest[:2]
    match taken[1:]:
        case "z" if not is_in_class:
            return taken, r"\Z"
        case "Z" if not is_in_class:
            return taken, r"(?=\n?\Z)"
        case "h":
            blanks = _BLANKS if is_unicode else _BLANK
            return taken, blanks if is_in_class else f"[{blanks}]"
        case "w" if is_unicode:
            # Also what counts without being a figure: "80 m²".
            return taken, r"\w\p{N}" if is_in_class else r"[\w\p{N}]"
        case letter if letter and letter.isascii() and letter.isalnum() and letter not in _SAME_ESCAPES:
            raise ValueError(f"has {taken}, which is not understood here")
    return taken, taken


def _bytes_of(named: str, is_in_class: bool) -> str:
    """The bytes that have a property, each as the character of its number."""
    found = "".join(f"\\x{number:02x}" for number in range(256) if regex.match(named, chr(number)))
    # There is no empty class; what is searched is a part of a path, and has no slash.
    found = found or "/"
    return found if is_in_class else f"[{found}]"


def _in_class(rest: str, is_unicode: bool, is_first: bool) -> tuple[str, str]:
    if named := _POSIX.match(rest):
        return named[0], _NAMED.get(named[0], named[0]) if is_unicode else named[0]
    if rest[0] == "[":
        return "[", r"\["
    return rest[0], r"\]" if rest[0] == "]" and is_first else rest[0]


def _outside(rest: str, ends_only: bool) -> str:
    """The next character. A brace that counts nothing stands for itself in PHP."""
    if rest[0] == "{" and not _TIMES.match(rest):
        return r"\{"
    if rest[0] == "(" and not _GROUP.match(rest):
        raise ValueError("has a group that is not understood here")
    return r"\Z" if rest[0] == "$" and ends_only else rest[0]
