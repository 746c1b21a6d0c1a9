"""nginx's configuration one statement at a time: people write several in a line, and one over several lines.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Line = tuple[int, str]
"""The number of the line where something begins, from 1, and its text without comments."""

_PIECE = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>\#[^\n]*)
      | (?P<end>[;{}])
      | (?P<word>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|\$\{[^}]*\}|[^\s;{}])+)
      | (?P<rest>.)""",
    re.VERBOSE | re.DOTALL,
)


def statements(text: str) -> Iterator[Line]:
    """The statements of a text: `listen 80;`, `server {`, and `}`, with single spaces between their words."""
    words, begins, number = list[str](), 0, 1
    for found in _PIECE.finditer(text):
        piece = found[0]
        if found.lastgroup == "end":
            if piece == "}" or not words:
                begins = number
            yield begins, " ".join([*words, piece]) if piece == "{" else "".join([" ".join(words), piece])
            words = []
        elif found.lastgroup not in ("space", "comment"):
            begins = begins if words else number
            words.append(piece)
        number += piece.count("\n")


def servers(lines: Iterator[Line]) -> Iterator[tuple[Line, ...]]:
    """The statements of each `server { … }`, wherever it stands."""
    depth, start, inner = 0, -1, list[Line]()
    for number, line in lines:
        if start < 0 and line == "server {":
            start, inner = depth, []
        if start >= 0:
            inner.append((number, line))
        depth += line.endswith("{") - (line == "}")
        if 0 <= start == depth:
            yield tuple(inner)
            start = -1


def outermost(lines: tuple[Line, ...]) -> Iterator[str]:
    """The statements of a block that stand in no block inside it."""
    depth = 0
    for _, line in lines:
        depth -= line == "}"
        if depth == 1:
            yield line
        depth += line.endswith("{")
