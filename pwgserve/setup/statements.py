"""A web server's configuration one statement at a time: people write several of nginx in a line, and one over several.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pwgserve.setup.templates import WebServer

_PIECE = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>\#[^\n]*)
      | (?P<end>[;{}])
      | (?P<word>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|\$\{[^}]*\}|[^\s;{}])+)
      | (?P<rest>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Line:
    """A line of a configuration file, or a statement that begins there. number: from 1."""

    file: Path
    number: int
    text: str

    @property
    def place(self) -> str:
        """The line as its owner is told of it."""
        return f"{self.file}:{self.number} “{self.text.strip()}”"


def pieces(server: WebServer, text: str) -> Iterator[tuple[int, str]]:
    """The statements of a text without comments, each with the number of the line where it begins."""
    if server is WebServer.NGINX:
        yield from _statements(text)
        return
    if server is WebServer.APACHE:
        # A line that ends so goes on in the next one.
        text = re.sub(r"\\\n", " \v", text)
    number = 1
    for line in text.split("\n"):
        if plain := re.sub(r"(^|\s)#.*", "", line).strip():
            yield number, plain.replace(" \v", " ")
        number += 1 + line.count("\v")


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """The statements of nginx: `listen 80;`, `server {`, and `}`, with single spaces between their words."""
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


def servers(lines: Iterable[Line]) -> Iterator[tuple[Line, ...]]:
    """The statements of each `server { … }`, wherever it stands; one without a `root` has that of what is around it."""
    depth, start, inner, root = 0, -1, list[Line](), None
    found = list[tuple[Line, ...]]()
    for line in lines:
        if start < 0 and line.text == "server {":
            start, inner = depth, []
        if start >= 0:
            inner.append(line)
        elif line.text.startswith("root "):
            root = line
        depth += line.text.endswith("{") - (line.text == "}")
        if 0 <= start == depth:
            found.append(tuple(inner))
            start = -1
    for block in found:
        has_root = any(text.startswith("root ") for text in outermost(block))
        yield block if has_root or root is None else (block[0], root, *block[1:])


def outermost(lines: Sequence[Line]) -> Iterator[str]:
    """The statements of a block that stand in no block inside it."""
    depth = 0
    for line in lines:
        depth -= line.text == "}"
        if depth == 1:
            yield line.text
        depth += line.text.endswith("{")
