"""Which encodings of a picture a browser says that it shows: the `Accept` header (RFC 9110, section 12.5.1).

Pure. Whoever announces nothing gets what there always was; what is offered is decided in `targets`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

MAX_LENGTH = 2000
"""Longer headers are no browser's; they announce nothing."""

_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def preferred(accept: Sequence[str], offered: Mapping[str, str], native: str) -> str | None:
    """The first of the offered encodings that is announced by its own name, and liked no less than the native type.

    accept: values of the headers. offered: encoding → content type, the best first. native: content type of what is
    sent otherwise. None when there is no such encoding: `*/*` announces nothing, for everybody sends it.
    """
    announced = _announced(accept)
    of_native = next((announced[name] for name in _matching(native) if name in announced), 0.0)
    liked = {name: announced.get(kind, 0.0) for name, kind in offered.items()}
    best = max(liked.values(), default=0.0)
    if best <= 0 or best < of_native:
        return None
    return next(name for name, quality in liked.items() if quality == best)


def _announced(accept: Sequence[str]) -> dict[str, float]:
    """Content type or range → quality, 0 to 1. Parts that are malformed announce nothing."""
    text = ",".join(accept)
    if len(text) > MAX_LENGTH:
        return {}
    found: dict[str, float] = {}
    for part in text.split(","):
        kind, *parameters = (piece.strip(" \t") for piece in part.split(";"))
        quality = _quality(parameters)
        if quality is not None:
            # Of two qualities of one type the lower one counts: nobody is sent what they may not want.
            found[kind.lower()] = min(quality, found.get(kind.lower(), 1.0))
    return found


def _quality(parameters: Iterable[str]) -> float | None:
    """The quality that the parameters of one part give, None when they are malformed or narrow the type."""
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.lower() != "q" or not _QUALITY.fullmatch(value):
            return None
        quality = float(value)
    return quality


def _matching(kind: str) -> tuple[str, str, str]:
    """Content type and the ranges that hold it, the narrowest first."""
    return kind, f"{kind.partition('/')[0]}/*", "*/*"
