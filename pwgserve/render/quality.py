"""Which quality of one encoder looks like a quality of another. Pure.

The owner chooses one number, Piwigo's for JPEG and WebP. Encoders count differently, so that the number of each is
looked up here, as measured: docs/decisions/0025, `python -m benchmarks.run bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

LOSSLESS = 100
WHOLE_CHROMA = 80
"""From which quality on an AVIF keeps colours at full resolution: where a JPEG of the same look (90) does."""

_LIKE: Mapping[tuple[str, str], Sequence[tuple[int, int]]] = {
    ("jpeg", "avif"): ((1, 10), (60, 50), (75, 60), (85, 72), (90, 80), (95, 88), (98, 94)),
    ("jpeg", "webp"): ((1, 5), (60, 62), (75, 76), (85, 84), (90, 91), (95, 97)),
    ("webp", "avif"): ((1, 10), (60, 50), (80, 62), (90, 76), (95, 84), (98, 88), (100, 92)),
}
"""Format of a derivative, format it is encoded as instead → points of quality in the one and in the other. Beyond the
last point the other encoder does not reach the same look."""

MEDIUM, LARGE = 400_000, 1_000_000
"""From how many pixels on a picture is of medium size, or large: about as Piwigo's medium and xlarge are."""

SIZES = (0, MEDIUM, LARGE)
"""From how many pixels on other points may hold."""

_OF_SIZES: Mapping[tuple[str, str], Mapping[int, Sequence[tuple[int, int]]]] = {
    ("jpeg", "avif"): {LARGE: ((1, 10), (60, 50), (75, 60), (85, 72), (90, 80), (95, 87), (98, 93))},
    ("jpeg", "webp"): {MEDIUM: ((1, 5), (60, 63), (75, 77), (85, 85), (90, 92), (95, 99))},
}
"""Points of one of SIZES alone, where they are others: a JPEG of it is nearer to the picture, or further from it."""


def is_reached(quality: int, native: str, file_format: str) -> bool:
    """Whether `file_format`'s encoder has a quality whose pictures look no worse than `native`'s at this one."""
    points = _LIKE.get((native, file_format))
    return points is None or quality <= points[-1][0]


def quality_like(quality: int, native: str, file_format: str, pixels: int = 0) -> int:
    """The quality for `file_format`'s encoder whose pictures look no worse than `native`'s at the owner's `quality`.

    Qualities 1 to 100; formats as in plans; pixels: of the box it fits into. The highest that was measured
    when none is reached; what is lossless has the highest there is.
    """
    if native == file_format:
        return quality
    points = _LIKE.get((native, file_format))
    if points is None:
        return LOSSLESS
    points = _OF_SIZES.get((native, file_format), {}).get(_size(pixels), points)
    for (left, like_left), (right, like_right) in pairwise(points):
        if quality <= right:
            return round(like_left + (like_right - like_left) * (quality - left) / (right - left))
    return points[-1][1]


def webp_effort(pixels: int) -> int:
    """libwebp's effort for a picture whose box has so many pixels; with it the points above were measured.

    One more saves medium sizes a tenth of their bytes, small and large ones little.
    """
    return 5 if _size(pixels) == MEDIUM else 4


def _size(pixels: int) -> int:
    return max(size for size in SIZES if size <= pixels)
