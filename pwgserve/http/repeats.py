"""Answers to requests that repeat: kept complete for a moment, and given again without deciding again.

Many ask for the same picture within one second. For how long a decision counts is said in `freshness`; here is said
which requests are the same: the same address and, unless the link is for everybody, the same words about who asks.
Who may have what is decided in `signed`, and nothing but its answers is ever kept here.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import HttpVersion11, web
from aiohttp.http_parser import RawRequestMessage
from multidict import istr

from pwgserve.answers.freshness import DECISION_AGE, RENEWED_AT
from pwgserve.http.ranges import http_date
from pwgserve.http.visitor import WORDS
from pwgserve.links import Link

CAPACITY = 16_000_000
"""Bytes of answers that are kept at the most."""

OVERHEAD = 2_000
"""Bytes that an answer takes besides its own."""

Question: TypeAlias = tuple[str, ...]

_CONDITIONS = ("If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
_DEPENDS = tuple(istr(name) for name in ("Range", *_CONDITIONS, "Content-Length"))
_WORDS = tuple(istr(name) for name in WORDS)


@dataclass(slots=True)
class Repeat:
    """A complete answer. until: by the loop's clock; expiry: of its link, by the wall's; outcome: as it is counted.

    renewed_at: when the next who asks decides anew for all others; infinite when somebody does. head: once it was given
    again, which most answers never are.
    """

    until: float
    renewed_at: float
    expiry: int
    outcome: str
    headers: Mapping[str, str]
    body: bytes
    head: bytes = b""

    @property
    def parts(self) -> tuple[bytes, bytes]:
        """Head and body as they go out."""
        self.head = self.head or _head(self.headers, self.body)
        return self.head, self.body


class Repeats:
    """The answers of one process that may be given again."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._size = 0
        self._kept: OrderedDict[Question, Repeat] = OrderedDict()

    def keep(self, request: web.BaseRequest, link: Link, response: web.StreamResponse, decided: float) -> None:
        """Keep the answer to a request for a link, if it is one that may be given again.

        decided: the loop's time from before the first question of the decision was asked.
        """
        message, body = request._message, response.body if type(response) is web.Response else response
        if response.status == 302:
            self.forget(request)
        if response.status != 200 or not _is_plain(message) or not (body is None or isinstance(body, bytes)):
            return
        outcome = response.headers["X-Pwgserve"]
        if outcome == "render":
            return  # said again, it would not be true: the next one has it from the cache
        public = link.audience.is_public
        question = (message.path,) if public else _question(message, request.remote)
        # What the library adds to the response later is about this request only.
        headers = response.headers.copy()
        _refuse_line_breaks(headers)
        renewed_at = decided + DECISION_AGE * RENEWED_AT
        repeat = Repeat(decided + DECISION_AGE, renewed_at, link.expiry, outcome, headers, body or b"")
        self._forget(question)
        self._kept[question] = repeat
        self._size += _weight(repeat)
        while self._kept:
            oldest, kept = next(iter(self._kept.items()))
            if self._size <= self._capacity and kept.until >= decided:
                break
            self._forget(oldest)

    def forget(self, request: web.BaseRequest) -> None:
        """Keep nothing any more for who asks this, because it was decided otherwise: a no is not followed by a yes."""
        self._forget((request._message.path,))
        self._forget(_question(request._message, request.remote))

    def find(self, message: RawRequestMessage, peer: str | None, now: float) -> Repeat | None:
        """The answer to a request that was answered a moment ago. now: the loop's time."""
        found = self._kept.get((message.path,)) or self._kept.get(_question(message, peer))
        if found is None or now >= found.until or time.time() >= found.expiry or not _is_plain(message):
            return None
        if now >= found.renewed_at:
            found.renewed_at = math.inf
            return None
        return found

    def _forget(self, question: Question) -> None:
        repeat = self._kept.pop(question, None)
        if repeat is not None:
            self._size -= _weight(repeat)


def _question(message: RawRequestMessage, peer: str | None) -> Question:
    """A request as one value: its address, and all that `visitor.claims` reads of it."""
    headers = message.headers
    words = [f"{name}\0{value}" for name in _WORDS for value in headers.getall(name, ())]
    return (message.path, peer or "", *words)


def _is_plain(message: RawRequestMessage) -> bool:
    """Whether a request wants a whole picture and nothing else, on a connection that stays."""
    if message.method != "GET" or message.should_close or message.chunked or message.upgrade:
        return False
    if message.version < HttpVersion11:
        return False  # it must be told that its connection stays
    headers = message.headers
    for name in _DEPENDS:  # noqa: SIM110 (`any` takes three times as long, and this is asked for each of the quickest hits)
        if name in headers:
            return False
    return True


def _refuse_line_breaks(headers: Mapping[str, str]) -> None:
    """Raise ValueError for what would break out of its line."""
    text = "".join([*headers.keys(), *headers.values()])
    if "\r" in text or "\n" in text:
        raise ValueError("a header with a line break")


def _head(headers: Mapping[str, str], body: bytes) -> bytes:
    """The status line and the headers as they go out."""
    complete = {**headers, "Content-Length": str(len(body)), "Date": http_date(int(time.time()))}
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in complete.items()), "", ""]
    return "\r\n".join(lines).encode("utf-8")


def _weight(repeat: Repeat) -> int:
    return len(repeat.body) + OVERHEAD
