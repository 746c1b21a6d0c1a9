"""What is to be done to a picture, as a value: the plan of a rendering, and its layout for a source of a certain size.

Pure. The plan is part of the cache's file names and travels to the worker; the engine's steps read like the layout.
Rules: docs/compatibility.md, "Sizes" and "Pictures".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from pwgserve.piwigo.derivatives import DerivativeSettings, Watermark
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.sizing import Box, Size, compute, round_half_up, turned
from pwgserve.piwigo.wanted import Part, Wanted
from pwgserve.render.quality import is_reached, quality_like

REVISION = 4
"""Raised when the engine makes other pixels from the same plan: everything is then rendered anew."""

FORMATS = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "gif": "gif", "webp": "webp"}
"""Extension of a source → format of its derivatives, which is also the list of what can be rendered."""

LOSSLESS_WEBP = "webp-lossless"
RECODED: Mapping[str, Mapping[str, str]] = {
    "jpeg": {"avif": "avif", "webp": "webp"},
    "png": {"webp": LOSSLESS_WEBP},
    "webp": {"avif": "avif"},
}
"""Format of a derivative → encodings that it may have instead → format of a plan. What a PNG keeps exactly, its WebP
keeps exactly; a GIF, which may move, stays one."""

MAX_AVIF_PIXELS = 1224 * 918
"""Box of the largest type that is offered as AVIF (xlarge), which takes long to encode; docs/decisions/0025."""

EXIF_ROTATION = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}
"""EXIF orientation → quarter turns counter-clockwise, for photos of which Piwigo does not know the rotation yet."""

SHARED_SHRINK, FINISHED_SHRINK = 1.3, 1.5
"""By how much a size must be smaller than another one to be made from its pixels, and from what was encoded of them
or scaled twice."""

HALF_SHRINK = 2.0
"""By how much the size that small ones are made from is smaller than the largest (decision 27)."""

LIKE_THE_ORIGINAL = 90
"""The least quality of a JPEG derivative that smaller ones are made from: nobody sees it in them (decision 27)."""

MIN_WATERMARK_GAP = 30
"""Pixels between repeated watermarks, at the least."""


@dataclass(frozen=True)
class Layout:
    """A plan for a source of known size. `crop` and `scale` in pixels of the source as it lies, before `turns`."""

    crop: Box | None
    scale: Size | None
    turns: int
    output: Size

    @property
    def changes_nothing(self) -> bool:
        """Whether the result has the pixels of the source where they are."""
        return self.crop is None and self.scale is None and self.turns == 0


@dataclass(frozen=True)
class RenderRules:
    """What holds for every derivative. keep_metadata_from: pixels of a result that keeps its source's metadata.

    strip_gps: whether position, serial numbers and owner go in any case. animate: whether animations stay animated.
    """

    keep_metadata_from: int = 256_000
    strip_gps: bool = True
    animate: bool = False


@dataclass(frozen=True)
class RenderPlan:
    """How to make a derivative from a source. Sizes in pixels, `sharpen` as in DerivativeSettings, `quality` 1 to 100
    in the measure of the format's own encoder.

    rotation: quarter turns counter-clockwise to do first, or None to follow the source's EXIF orientation.
    format: of the result, a value of FORMATS or RECODED. watermark: None when this type is never marked.
    """

    ideal: Size
    max_crop: float
    min_size: Size | None
    coi: str | None
    rotation: int | None
    sharpen: float
    quality: int
    format: str
    watermark: Watermark | None
    rules: RenderRules = RenderRules()

    @property
    def pixels(self) -> int:
        """Pixels of the box that a result fits into."""
        return self.ideal[0] * self.ideal[1]

    def layout(self, source: Size, exif_orientation: int = 1) -> Layout:
        """What the plan means for a source of this size (as it lies in the file)."""
        turns = self.rotation if self.rotation is not None else EXIF_ROTATION.get(exif_orientation, 0)
        upright = turned(source, turns)
        crop, scale = compute(self.ideal, self.max_crop, self.min_size, upright, self.coi)
        if scale is not None:
            # A picture a thousand times as long as wide still has one pixel of width.
            scale = (max(1, scale[0]), max(1, scale[1]))
        output = scale or ((crop[2] - crop[0], crop[3] - crop[1]) if crop else upright)
        return Layout(
            crop=as_it_lies(crop, source, turns) if crop else None,
            scale=turned(scale, turns) if scale else None,
            turns=turns,
            output=output,
        )

    def is_marked(self, output: Size) -> bool:
        """Whether a result of this size carries the watermark."""
        return self.watermark is not None and self.watermark.applies(output)

    def keeps_metadata(self, output: Size) -> bool:
        """Whether a result of this size tells what its source told about camera and time."""
        return output[0] * output[1] >= self.rules.keep_metadata_from

    def may_become(self, smaller: RenderPlan, source: Size) -> bool:
        """Whether a derivative in its source's format shows all that a smaller one needs, and nothing else."""
        is_good = self.format == "png" or (self.format == "jpeg" and self.quality >= LIKE_THE_ORIGINAL)
        is_plain = not self.sharpen and self.watermark is None
        is_alike = (self.rotation, self.rules) == (smaller.rotation, smaller.rules)
        within = layout_within(self.layout(source), smaller.layout(source), source, FINISHED_SHRINK)
        return is_good and is_plain and is_alike and within is not None

    def to_json(self) -> str:
        """The plan as one canonical text."""
        return _as_json(self)

    @classmethod
    def from_json(cls, text: str) -> RenderPlan:
        """The plan that `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        watermark = fields.pop("watermark")
        rules = RenderRules(**fields.pop("rules"))
        if watermark is not None:
            watermark = Watermark(**watermark | {"min_size": tuple(watermark["min_size"])})
        for name in ("ideal", "min_size"):
            fields[name] = tuple(fields[name]) if fields[name] is not None else None
        return cls(**fields, watermark=watermark, rules=rules)


def plan_for(
    photo: Photo,
    wanted: Wanted,
    source_extension: str,
    settings: DerivativeSettings,
    rules: RenderRules = RenderRules(),
) -> RenderPlan | None:
    """How to render what is wanted; None when the gallery has no such size, or the source has no such encoding.

    source_extension: of the file that is rendered, the photo's own or its representative's.
    """
    native = FORMATS.get(source_extension.lower())
    file_format = _format_of(native, wanted.encoding, rules) if native else None
    params = settings.params(wanted.code, wanted.custom) if wanted.code else None
    if native is None or file_format is None or params is None or wanted.code is None:
        return None
    # A representative is upright as it is and has no centre of interest: Piwigo's columns speak of the photo.
    of_photo = photo if wanted.part is Part.ELEMENT else None
    return RenderPlan(
        ideal=params.ideal,
        max_crop=params.max_crop,
        min_size=params.min_size,
        coi=of_photo.coi if of_photo and params.max_crop > 0 else None,
        rotation=of_photo.rotation if of_photo else 0,
        sharpen=params.sharpen,
        quality=quality_like(settings.quality_of(wanted.code), native, file_format, params.ideal[0] * params.ideal[1]),
        format=file_format,
        watermark=settings.watermark if settings.watermark.applies(params.ideal) else None,
        rules=rules,
    )


def layout_within(kept: Layout, layout: Layout, source: Size, shrink: float) -> Layout | None:
    """`layout` in the pixels of a picture that was scaled to `kept.scale` and not turned.

    None when that picture does not have all of the source, or less than `shrink` is left to do.
    """
    if kept.crop is not None or kept.scale is None or layout.scale is None:
        return None
    across, down = source[0] / kept.scale[0], source[1] / kept.scale[1]
    box = layout.crop or (0, 0, *source)
    left, top, right, bottom = box[0] / across, box[1] / down, box[2] / across, box[3] / down
    if min((right - left) / layout.scale[0], (bottom - top) / layout.scale[1]) < shrink:
        return None
    crop = (round(left), round(top), round(right), round(bottom)) if layout.crop else None
    return Layout(crop, layout.scale, layout.turns, layout.output)


def is_worth(encoding: str, plan: RenderPlan) -> bool:
    """Whether the derivative of a plan should be offered in an encoding: it must look as well, and be made soon."""
    file_format = RECODED.get(plan.format, {}).get(encoding)
    if file_format is None or not is_reached(plan.quality, plan.format, file_format):
        return False
    return encoding != "avif" or plan.pixels <= MAX_AVIF_PIXELS


def watermark_places(watermark: Watermark, output: Size, mark: Size) -> list[tuple[int, int]]:
    """Left and top, in pixels, of every copy of a watermark of size `mark` (already fitted) on an output."""
    left = round_half_up(watermark.xpos / 100 * (output[0] - mark[0]))
    top = round_half_up(watermark.ypos / 100 * (output[1] - mark[1]))
    pitch_x = mark[0] + max(MIN_WATERMARK_GAP, round_half_up(mark[0] / 4))
    pitch_y = mark[1] + max(MIN_WATERMARK_GAP, round_half_up(mark[1] / 4))
    # Repetitions beyond the output are never drawn; counting only those that fit bounds what a setting can cost.
    columns = min(watermark.xrepeat, output[0] // pitch_x)
    rows = min(watermark.yrepeat, output[1] // pitch_y)
    places = [(left, top)]
    for column in range(-columns, columns + 1):
        for row in range(-rows, rows + 1):
            x, y = left + column * pitch_x, top + row * pitch_y
            fits = x >= 0 and y >= 0 and x + mark[0] < output[0] and y + mark[1] < output[1]
            if fits and (column, row) != (0, 0):
                places.append((x, y))
    return places


def fitted_watermark(output: Size, mark: Size) -> Size:
    """The size that a watermark is shrunk to when it is larger than the output, in pixels."""
    _, scale = compute(output, 0, None, mark, None)
    return (max(1, scale[0]), max(1, scale[1])) if scale else mark


def sharpen_kernel(sharpen: float) -> tuple[list[list[float]], float]:
    """The 3x3 convolution for a sharpening of 0 < n <= 100, and the sum that it is divided by."""
    centre = round_half_up(abs(-48 + sharpen * 0.38) * 100) / 100
    return [[-1, -1, -1], [-1, centre, -1], [-1, -1, -1]], centre - 8


def as_it_lies(box: Box, source: Size, turns: int) -> Box:
    """A box of the upright picture in the coordinates of the source as it lies, `turns` before it is upright."""
    left, top, right, bottom = box
    width, height = source
    match turns:
        case 1:
            return width - bottom, left, width - top, right
        case 2:
            return width - right, height - bottom, width - left, height - top
        case 3:
            return top, height - right, bottom, height - left
    return box


def _format_of(native: str, encoding: str | None, rules: RenderRules) -> str | None:
    if encoding is None:
        return native
    # A WebP may be an animation, which AVIF as browsers know it is not.
    is_animation = rules.animate and native == "webp"
    return None if is_animation else RECODED.get(native, {}).get(encoding)


@lru_cache(4096)
def _as_json(plan: RenderPlan) -> str:
    # Asked for at every request, and a gallery has few different plans.
    return json.dumps(asdict(plan), sort_keys=True, separators=(",", ":"))
