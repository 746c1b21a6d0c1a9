"""How large a derivative is: Piwigo's crop and scale of an upright source, and the quarter turns before it.

Pure geometry. Which sizes a gallery has is in `derivatives`; what is done with pixels is in `pwgserve.render`.
Rules: docs/compatibility.md, "Sizes"; recorded cases: tests/vectors/sizing.jsonl.
"""

from __future__ import annotations

import math
from typing import TypeAlias

Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""


def round_half_up(value: float) -> int:
    """Round like PHP: halves away from zero, where Python goes to the even neighbour."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


def turned(size: Size, rotation: int | None) -> Size:
    """The size after `rotation` quarter turns (`images.rotation`, which counts modulo 4; None is upright)."""
    return (size[1], size[0]) if (rotation or 0) % 2 else size


def compute(
    ideal: Size,
    max_crop: float,
    min_size: Size | None,
    size: Size,
    coi: str | None,
) -> tuple[Box | None, Size | None]:
    """Find what to cut from a source and what to scale the rest to.

    ideal: the box that the result must fit into, in pixels.
    max_crop: how much of a side may be cut away, 0 (nothing) to 1 (all of it).
    min_size: what the result should at least fill when cutting, in pixels; None stands for `ideal`.
    size: the source, already upright, in pixels.
    coi: centre of interest, four letters a..z (left, top, right, bottom in 25ths), or None.

    Returns the crop box in source pixels and the size to scale the crop to; None for either means "leave it".
    """
    left, top, right, bottom = _crop(ideal, max_crop, min_size or ideal, size, coi)
    width, height = right - left, bottom - top
    crop = (left, top, right, bottom) if (width, height) != tuple(size) else None
    return crop, _fit(ideal, (width, height))


def _crop(ideal: Size, max_crop: float, min_size: Size, size: Size, coi: str | None) -> Box:
    width, height = size
    ratio_w, ratio_h = width / ideal[0], height / ideal[1]
    whole = (0, 0, width, height)
    if max_crop <= 0 or max(ratio_w, ratio_h) <= 1:
        return whole
    if ratio_w > ratio_h:
        if height / ratio_w >= min_size[1]:
            return whole
        surplus = width - math.floor(height * ideal[0] / min_size[1])
        start, end = _cut(width, surplus, max_crop, coi, axis=0)
        return (start, 0, end, height)
    if width / ratio_h >= min_size[0]:
        return whole
    surplus = height - math.floor(width * ideal[1] / min_size[0])
    start, end = _cut(height, surplus, max_crop, coi, axis=1)
    return (0, start, width, end)


def _cut(side: int, surplus: int, max_crop: float, coi: str | None, axis: int) -> tuple[int, int]:
    """Cut `surplus` pixels from a side, no more than allowed, keeping the centre of interest where that is possible."""
    pixels = min(surplus, round_half_up(max_crop * side))
    if side <= pixels:
        return 0, side
    before = pixels // 2
    if coi:
        free_before = max(0, math.floor(side * _fraction(coi[axis])))
        free_after = max(0, side - math.ceil(side * _fraction(coi[axis + 2])))
        if free_before + free_after >= pixels:
            if free_before < before:
                before = free_before
            elif free_after < before:
                before = pixels - free_after
    return before, side - (pixels - before)


def _fit(ideal: Size, size: Size) -> Size | None:
    ratio_w, ratio_h = size[0] / ideal[0], size[1] / ideal[1]
    if max(ratio_w, ratio_h) <= 1:
        return None
    if ratio_w > ratio_h:
        return ideal[0], math.floor(1e-6 + size[1] / ratio_w)
    return math.floor(1e-6 + size[0] / ratio_h), ideal[1]


def _fraction(letter: str) -> float:
    return (ord(letter) - ord("a")) / 25
