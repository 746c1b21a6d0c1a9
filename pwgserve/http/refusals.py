"""Every answer that gives nothing, in one table: visitors must not learn from a no what there is.

The one place where errors become responses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aiohttp import web

from pwgserve.answers.sources import ChangedError
from pwgserve.originals import MissingOriginalError
from pwgserve.piwigo.gallery import GalleryUnavailableError
from pwgserve.piwigo.requests import MalformedRequestError, UnlistedSizeError, UnservedRequestError
from pwgserve.render.pool import BusyError
from pwgserve.render.workers import RenderFailedError, UnrenderableError
from pwgserve.shortage import ShortageError

SERVER = "pwgserve"
OF_ONE_SITE: Mapping[str, str] = {"Cross-Origin-Resource-Policy": "same-site"}
"""Of every no, and of every yes that is not everybody's: another site that asks as its visitor must not learn which."""

COMMON_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    **OF_ONE_SITE,
    "Server": SERVER,
}

PACE = 0.025
"""Seconds: a no goes out at a multiple of this after its request came in, so that its time tells nothing either."""


@dataclass(frozen=True)
class Answer:
    """A refusal as it goes out."""

    status: int
    text: str
    headers: Mapping[str, str]


class Refusal(Enum):
    """The kinds of no. NOT_FOUND is the one for whatever is forbidden, missing, expired or forged.

    UNRENDERABLE and UNAVAILABLE while rendering are only ever said to who may see the photo.
    """

    NOT_FOUND = Answer(404, "Not found\n", {})
    MALFORMED = Answer(400, "Bad request\n", {})
    UNRENDERABLE = Answer(422, "This picture's file is damaged, or too large to be shown in this size\n", {})
    METHOD = Answer(405, "Only GET and HEAD\n", {"Allow": "GET, HEAD"})
    UNAVAILABLE = Answer(503, "Not now, please try again in a moment\n", {"Retry-After": "3"})

    def response(self) -> web.Response:
        """A new response that says this no."""
        answer = self.value
        return web.Response(status=answer.status, text=answer.text, headers={**COMMON_HEADERS, **answer.headers})


class RefusedError(Exception):
    """The request gets nothing; `reason` is for the log and is never shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_OF_ERROR: Mapping[type[Exception], tuple[Refusal, str]] = {
    MalformedRequestError: (Refusal.MALFORMED, "malformed"),
    UnservedRequestError: (Refusal.NOT_FOUND, "unknown-address"),
    UnlistedSizeError: (Refusal.NOT_FOUND, "unknown-address"),
    MissingOriginalError: (Refusal.NOT_FOUND, "file-missing"),
    UnrenderableError: (Refusal.UNRENDERABLE, "unrenderable"),
    ShortageError: (Refusal.UNAVAILABLE, "machine-short"),
    ChangedError: (Refusal.UNAVAILABLE, "changed-meanwhile"),
    BusyError: (Refusal.UNAVAILABLE, "busy"),
    RenderFailedError: (Refusal.UNAVAILABLE, "rendering-failed"),
    GalleryUnavailableError: (Refusal.UNAVAILABLE, "database-away"),
}


def pause_before_no(elapsed: float) -> float:
    """How long a no has to wait, in seconds, that has taken `elapsed` seconds so far."""
    return PACE - elapsed % PACE


def refusal_of(error: Exception) -> tuple[Refusal, str]:
    """How an error is answered, and the reason in the log. Whatever nobody expected is a "not now"."""
    if isinstance(error, RefusedError):
        return Refusal.NOT_FOUND, error.reason
    return _OF_ERROR.get(type(error), (Refusal.UNAVAILABLE, "unexpected-error"))
