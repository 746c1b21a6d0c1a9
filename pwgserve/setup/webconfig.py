"""A web server's configuration as the server reads it: from its main file on, what is included in its place.

Looks at files; changes nothing. What it means is in `sites`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from pwgserve.setup.statements import Line, pieces
from pwgserve.setup.templates import WebServer

MAIN = {
    WebServer.NGINX: ("nginx.conf",),
    WebServer.APACHE: ("apache2.conf", "httpd.conf", "conf/httpd.conf"),
    WebServer.CADDY: ("Caddyfile",),
}
"""Where a server begins to read, below its folder."""

MAX_FILES = 5_000
MAX_BYTES = 5_000_000

_INCLUDE = {
    WebServer.NGINX: re.compile(r"include (.+);"),
    WebServer.APACHE: re.compile(r"Include(?:Optional)?\s+(\S.*)", re.IGNORECASE),
    WebServer.CADDY: re.compile(r"import\s+(\S+).*"),
}
_LEFT = re.compile(r"(~|\.(bak|old|orig|save|swp|disabled|off|before|new|dpkg-\w+|ucf-\w+|rpm\w+))$", re.IGNORECASE)


@dataclass(frozen=True)
class WebConfig:
    """What a web server reads. server: None where none is known.

    parts: statements as they count, each with what it includes behind it; one part from each file where it begins.
    lines: those of all these files as they are written. unread: what is included and cannot be read here.
    """

    server: WebServer | None = None
    parts: tuple[tuple[Line, ...], ...] = ()
    lines: tuple[Line, ...] = ()
    unread: tuple[str, ...] = ()


def read(server: WebServer, folder: Path) -> WebConfig:
    """The configuration below a folder. Where no file is the main one, each counts that is not left over. Blocks."""
    reader = _Reader(server, folder)
    main = next((folder / name for name in MAIN[server] if os.path.lexists(folder / name)), None)
    parts = [reader.part(file) for file in ([main] if main else _loose(folder))]
    return WebConfig(server, tuple(filter(None, parts)), tuple(reader.lines()), tuple(reader.unread))


class _Reader:
    """Follows what files include. unread: what could not be followed."""

    def __init__(self, server: WebServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._texts: dict[Path, str] = {}
        self._defined: dict[str, str] = {}
        self._number = 0
        self.unread: list[str] = []

    def part(self, file: Path) -> tuple[Line, ...]:
        """All statements of a file."""
        found = list[Line]()
        self._file(file, found, ())
        return tuple(found)

    def lines(self) -> Iterator[Line]:
        """All lines of all files that were read."""
        for file, text in self._texts.items():
            yield from (Line(file, number, line) for number, line in enumerate(text.splitlines(), 1))

    def _file(self, file: Path, found: list[Line], above: tuple[Path, ...]) -> None:
        # A site that is enabled is a link to the file that people edit.
        real = Path(os.path.realpath(file))
        self._number += 1
        if real in above or self._number > MAX_FILES:
            self.unread.append(f"{file} (included over and over)")
            return
        if real not in self._texts:
            try:
                self._texts[real] = _text(real)
            except OSError as error:
                self.unread.append(f"{file} ({error.strerror})")
                return
        for number, piece in pieces(self._server, self._texts[real]):
            line = Line(real, number, self._known(piece))
            found.append(line)
            if include := _INCLUDE[self._server].fullmatch(line.text):
                self._include(include[1].strip("\"'"), real, found, (*above, real))

    def _known(self, piece: str) -> str:
        """A line of Apache with the values of names that were defined before it."""
        if self._server is not WebServer.APACHE:
            return piece
        if defined := re.fullmatch(r"Define\s+(\S+)\s+\"?([^\"]*)\"?", piece, re.IGNORECASE):
            self._defined[defined[1]] = defined[2]
        if base := re.fullmatch(r"ServerRoot\s+\"?(/[^\"]*)\"?", piece, re.IGNORECASE):
            self._folder = Path(base[1])
        return re.sub(r"\$\{(\w+)\}", lambda name: self._defined.get(name[1], name[0]), piece)

    def _include(self, named: str, file: Path, found: list[Line], above: tuple[Path, ...]) -> None:
        if self._server is WebServer.CADDY and (snippet := _snippets(found).get(named)):
            found += snippet
            return
        base = file.parent if self._server is WebServer.CADDY else self._folder
        pattern = base / named
        plain = list(takewhile(lambda part: not re.search(r"[*?[]", part), pattern.parts))
        start = Path(*plain)
        if closed := _closed(start.parent if start == pattern else start, start != pattern):
            self.unread.append(f"{closed} (Permission denied)")
            return
        rest = re.sub(r"\*+", "*", str(pattern.relative_to(start)))
        files = [start] if start == pattern else sorted(one for one in start.glob(rest) if one.name[0] != ".")
        for one in files:
            if one.is_dir() and self._server is WebServer.APACHE:
                for inner in sorted(path for path in one.rglob("*") if path.is_file()):
                    self._file(inner, found, above)
            elif os.path.lexists(one) and not one.is_dir():
                self._file(one, found, above)


def _closed(folder: Path, lists: bool) -> Path | None:
    """The folder on the way to this one that may not be looked into. lists: whether this one is to be listed."""
    for one in (*reversed(folder.parents), folder):
        needed = os.X_OK | (os.R_OK if lists and one == folder else 0)
        if not os.access(one, needed):
            return one if one.is_dir() else None
    return None


def _text(file: Path) -> str:
    """The text of a file. Raises OSError."""
    if not file.is_file():
        raise FileNotFoundError(0, "no such file")
    if file.stat().st_size > MAX_BYTES:
        raise OSError(0, "it is very large")
    return file.read_text("utf-8", "replace").replace("\0", "")


def _snippets(lines: list[Line]) -> dict[str, list[Line]]:
    """What of a Caddyfile has a name in parentheses, to be imported by that."""
    found: dict[str, list[Line]] = {}
    depth, name = 0, ""
    for line in lines:
        if depth == 0 and (opened := re.match(r"\(([^)\s]+)\)\s*\{", line.text)):
            name = opened[1]
            found[name] = []
        elif name and (depth > 1 or "}" not in line.text):
            found[name].append(line)
        depth += line.text.count("{") - line.text.count("}")
        name = name if depth else ""
    return found


def _loose(folder: Path) -> list[Path]:
    """The files of a folder, without what is only available and what editors and packages leave behind."""
    found = []
    for path in sorted(folder.rglob("*")):
        is_spare = any(part.endswith("-available") for part in path.parts) or _LEFT.search(path.name)
        if path.is_file() and not is_spare:
            found.append(path)
    return found
