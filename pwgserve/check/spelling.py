"""How the path of a file may be written so that some server reads it as the same one, and how an answer repeats it.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

_HEX = re.compile("%[0-9A-F]{2}")
_KEPT = "/._-~,;=:@+$!*'()&"


def spellings(base: str, path: str) -> Iterator[tuple[str, str]]:
    """(trick, target) for each way to write the path of a file that some server may read as the same file."""
    first, _, rest = path.partition("/")
    plain, tail, folder = encoded(path), encoded(rest), encoded(first)
    stem, _, extension = plain.rpartition(".")
    ending = f"%{ord(extension[0]):02x}{extension[1:]}" if extension[:1].isalnum() else f"x{extension}"
    start = "".join(f"%{byte:02x}" for byte in first[0].encode())
    letter, whole = start + encoded(first[1:]), "".join(f"%{byte:02X}" for byte in first.encode())
    yield "plain", base + plain
    yield "an encoded letter", f"{base}{letter}/{tail}"
    yield "doubled slashes", base + plain.replace("/", "//")
    yield "another case of the extension", f"{base}{stem}.{extension.swapcase()}"
    yield "another case of the folder", f"{base}{encoded(first.upper())}/{tail}"
    yield "another case of a letter", f"{base}{encoded(first.capitalize())}/{tail}"
    yield "a doubled slash in front", f"/{base}{plain}"
    yield "a doubled slash before the folder", f"{base}/{plain}"
    yield "dots between", base + plain.replace("/", "/./")
    yield "up and down", f"{base}x/../{plain}"
    yield "up and down, encoded", f"{base}x/%2e%2e/{plain}"
    yield "up and down through a folder of its own", f"{base}themes/../{plain}"
    yield "up and down, slashes encoded", f"{base}themes/..%2f{plain}"
    yield "every letter of the folder encoded", f"{base}{whole}/{tail}"
    yield "an encoded letter of the extension", f"{base}{stem}.{ending}"
    yield "an encoded slash", f"{base}{folder}%2F{tail}"
    yield "a backslash", f"{base}{folder}%5C{tail}"
    yield "encoded twice", f"{base}{letter.replace('%', '%25')}/{tail}"
    yield "a slash encoded twice", f"{base}{folder}%252F{tail}"
    for name, end in (
        ("a dot", "."), ("a space", "%20"), ("a slash", "/"), ("a zero byte", "%00"),
        ("a zero byte and a name", "%00.txt"), ("a semicolon", ";x"), ("a style sheet's name", ";.css"),
        ("a program's name", "/x.php"), ("a line's end", "%0a"), ("a query", "?x=.css"),
        ("an encoded question mark", "%3Fx"), ("an encoded hash", "%23x"),
    ):  # fmt: skip
        yield f"{name} behind it", base + plain + end


def repeated(text: str) -> set[str]:
    """How an answer may repeat a text: as it is, or encoded in one of the ways that programs have."""
    ways = {quote(text), quote(text, safe=""), encoded(text)}
    return {text} | ways | {_HEX.sub(lambda found: found[0].lower(), way) for way in ways}


def encoded(path: str) -> str:
    """A path as browsers send it."""
    return quote(path, safe=_KEPT)
