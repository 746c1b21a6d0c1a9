"""What the answer to an attempt gives away, compared with the answer for a photo that does not exist.

Pure. A picture is recognized by the bytes of the real files, or else by being a picture at all; that there is a photo,
by any difference that stays when both are asked again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

COMPARED = 2048
"""Bytes that make two files the same one."""

LEAST = 16
"""Bytes of a body that say whose they are."""

_MEDIA = ("image/", "video/", "audio/", "application/pdf")
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"%PDF-")
_TELLING = ("x-accel-redirect", "x-sendfile")
_FIGURES = re.compile(r"\d+")
_RANGE = re.compile(r"bytes (\d+)-\d+/")
TOO_MANY = 429


class Verdict(StrEnum):
    """What an attempt came to."""

    CLOSED = "closed"
    PICTURE = "picture"
    EXISTENCE = "existence"
    PATH = "path"
    NUMBERS = "numbers"
    ADDRESS = "address"
    UNCLEAR = "unclear"

    @property
    def is_leak(self) -> bool:
        """Whether a stranger got something."""
        return self not in (Verdict.CLOSED, Verdict.UNCLEAR)


IN_WORDS = {
    Verdict.PICTURE: "a stranger gets the picture",
    Verdict.EXISTENCE: "a stranger can tell that there is a photo",
    Verdict.PATH: "a stranger is told where files lie",
    Verdict.NUMBERS: "a stranger can read pwgserve's own pages",
    Verdict.ADDRESS: "a stranger can say from which address he comes",
    Verdict.UNCLEAR: "no clear answer",
}


@dataclass(frozen=True)
class Answer:
    """An answer as far as it was read. headers: by lower-case names. body: its beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_unclear(self) -> bool:
        """Whether it says nothing about what was asked: the server is busy, or what should answer is away."""
        return self.status >= 500 or self.status == TOO_MANY


@dataclass(frozen=True)
class KnownFile:
    """A file that must not get out, as far as it is needed to recognize it: its size, first and last bytes."""

    size: int
    head: bytes
    tail: bytes

    def has(self, start: int, part: bytes) -> bool:
        """Whether these are its bytes from `start` on, as far as they are known."""
        if start < len(self.head):
            known = self.head[start : start + len(part)]
        else:
            known = self.tail[max(0, start - self.size + len(self.tail)) :][: len(part)]
        return len(known) >= LEAST and part[: len(known)] == known


def judge(answer: Answer, twin: Answer, files: Sequence[KnownFile]) -> Verdict:
    """What an answer gives away. twin: the answer for the photo that is none. files: what must not get out."""
    if tells_path(answer):
        return Verdict.PATH
    if _is_of(answer, files) or (_is_media(answer) and answer.body != twin.body):
        return Verdict.PICTURE
    if _is_media(answer) and not answer.body and not _is_media(twin):
        return Verdict.PICTURE
    if answer.is_unclear or twin.is_unclear:
        return Verdict.UNCLEAR
    return Verdict.CLOSED


def tells_path(answer: Answer) -> bool:
    """Whether an answer holds what is meant for the web server alone: where a file lies."""
    return any(name in answer.headers for name in _TELLING)


def differs(answer: Answer, twin: Answer, words: Sequence[str], is_steady: bool) -> bool:
    """Whether the two answers can be told apart by more than what they repeat of the requests.

    words: of both requests, since a page may hold one of them without repeating it. is_steady: whether this address
    gives the same page each time; otherwise only status, type and way are compared.
    """
    first, second = seen(answer, words), seen(twin, words)
    return first != second if is_steady else first[:3] != second[:3]


def differs_in_figures(answer: Answer, twin: Answer, words: Sequence[str]) -> bool:
    """Whether two answers that differ do so in figures alone, as pages do that tell how long they took."""
    first, second = seen(answer, words), seen(twin, words)
    return first[:3] == second[:3] and _FIGURES.sub("0", first[3]) == _FIGURES.sub("0", second[3])


def seen(answer: Answer, words: Sequence[str]) -> tuple[int, str, str, str]:
    """What a stranger sees of an answer: status, type, where it leads, page; without these words."""
    location, page = answer.headers.get("location", ""), answer.body.decode("utf-8", "replace")
    for word in words:
        location, page = location.replace(word, "…"), page.replace(word, "…")
    return answer.status, answer.kind, location, page


def leads_to(answer: Answer) -> str:
    """The other scheme, host and port that an answer sends its visitor to, empty if to none."""
    location = answer.headers.get("location", "")
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    is_redirect = answer.status in (301, 302, 303, 307, 308)
    return f"{parts.scheme}://{parts.netloc}" if is_redirect and parts.scheme and parts.netloc else ""


def is_ops(answer: Answer) -> bool:
    """Whether this is one of the daemon's own pages."""
    text = answer.body[:4096]
    own = text in (b"alive\n", b"ready\n") or text.startswith(b"not ready: ") or b"pwgserve_responses_total" in text
    is_status = b"<title>pwgserve" in text or b"pwgserve_" in text
    return own or (answer.status == 200 and is_status)


def _is_of(answer: Answer, files: Sequence[KnownFile]) -> bool:
    match = _RANGE.match(answer.headers.get("content-range", "")) if answer.status == 206 else None
    start = int(match[1]) if match else 0
    return any(file.has(start, answer.body[:COMPARED]) for file in files)


def _is_media(answer: Answer) -> bool:
    if answer.status not in (200, 203, 206):
        return False
    is_film = answer.body[4:8] == b"ftyp" or (answer.body[:4] == b"RIFF" and answer.body[8:12] == b"WEBP")
    return answer.kind.startswith(_MEDIA) or answer.body.startswith(_MAGIC) or is_film
