"""Which quality of one encoder looks like a quality of another. Pure.

The owner chooses one number, Piwigo's for JPEG and WebP. Encoders count differently, so that the number of each is
looked up here, as measured: docs/decisions/0025, `python benchmarks/bytes_by_format.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

_LIKE: Mapping[tuple[str, str], Sequence[tuple[int, int]]] = {
    ("jpeg", "avif"): ((1, 20), (60, 50), (75, 60), (85, 72), (90, 84), (95, 92), (100, 97)),
    ("jpeg", "webp"): ((1, 5), (60, 65), (75, 80), (85, 90), (90, 94), (95, 98), (100, 100)),
    ("webp", "avif"): ((1, 20), (60, 50), (75, 60), (85, 72), (90, 84), (95, 92), (100, 97)),
}
"""Format of a derivative, format it is encoded as instead → points of quality in the one and in the other."""


def quality_like(quality: int, native: str, file_format: str) -> int:
    """The quality for `file_format`'s encoder whose pictures look no worse than `native`'s at the owner's `quality`.

    Qualities 1 to 100; formats as in plans. Pairs that were not measured, or lose nothing, keep the owner's number.
    """
    points = _LIKE.get((native, file_format))
    if points is None:
        return quality
    for (left, like_left), (right, like_right) in pairwise(points):
        if quality <= right:
            return round(like_left + (like_right - like_left) * (quality - left) / (right - left))
    return points[-1][1]
