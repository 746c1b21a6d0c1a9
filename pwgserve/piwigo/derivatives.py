"""Which sizes a gallery has: the derivative types, the allowed custom sizes, quality and watermark.

Pure. Read from row `derivatives` of table `config`; how a size is computed is in `sizing`.
Rules: docs/compatibility.md, "Sizes".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pwgserve.piwigo.phpvalues import PhpObject, PhpValue, PhpValueError, unserialize
from pwgserve.piwigo.sizing import Size, round_half_up

CODES: Mapping[str, str] = {
    "sq": "square",
    "th": "thumb",
    "2s": "2small",
    "xs": "xsmall",
    "sm": "small",
    "me": "medium",
    "la": "large",
    "xl": "xlarge",
    "xx": "xxlarge",
    "3x": "3xlarge",
    "4x": "4xlarge",
}
"""The code of a type in URLs → its name in Piwigo, from the smallest to the largest."""

CUSTOM = "cu"
QUALITY_CAP_OF_HUGE = 75
MIN_CUSTOM_SIDE = 20
MAX_BOX_SIDE = 10**9
"""Owners write such numbers for “no limit”; nothing is ever scaled up."""


class DerivativeSettingsError(ValueError):
    """The gallery's derivative settings cannot be understood."""


@dataclass(frozen=True)
class DerivativeParams:
    """What a derivative type asks for. `ideal` and `min_size` in pixels, `max_crop` 0..1, `sharpen` 0..100."""

    ideal: Size
    max_crop: float = 0.0
    min_size: Size | None = None
    sharpen: float = 0.0

    def token(self) -> str:
        """The type as a custom size is written in a URL, behind `cu_` (canonical: one spelling per size)."""
        if self.max_crop == 0:
            return f"s{_size_token(self.ideal)}"
        if self.max_crop == 1 and self.ideal == self.min_size:
            return f"e{_size_token(self.ideal)}"
        letter = chr(ord("a") + round_half_up(self.max_crop * 25))
        return f"{_size_token(self.ideal)}_{letter}_{_size_token(self.min_size or self.ideal)}"


@dataclass(frozen=True)
class Watermark:
    """The gallery's watermark. Positions and opacity in percent; `min_size` in pixels; `file` below Piwigo's root."""

    file: str = ""
    min_size: Size = (500, 500)
    xpos: int = 50
    ypos: int = 50
    xrepeat: int = 0
    yrepeat: int = 0
    opacity: int = 100

    def applies(self, size: Size) -> bool:
        """Whether something of this size (a type's box, or an output, in pixels) is marked."""
        return bool(self.file) and (self.min_size[0] <= size[0] or self.min_size[1] <= size[1])


@dataclass(frozen=True)
class DerivativeSettings:
    """All sizes of one gallery. `types` maps code → params of the enabled ones; `custom` holds the allowed tokens."""

    types: Mapping[str, DerivativeParams] = field(hash=False)
    custom: frozenset[str] = frozenset()
    quality: int = 95
    watermark: Watermark = field(default_factory=Watermark)

    def params(self, code: str, custom: DerivativeParams | None = None) -> DerivativeParams | None:
        """What to render for a code (with `custom`'s sizes for `cu`), or None when this gallery does not offer it."""
        if code != CUSTOM:
            return self.types.get(code)
        if custom is None or custom.token() not in self.custom:
            return None
        sharpens = [params.sharpen for params in self.types.values()]
        return replace(custom, sharpen=round_half_up(sum(sharpens) / len(sharpens)) if sharpens else 0)

    def shows_original(self, code: str, size: Size | None, rotation: int | None) -> bool:
        """Whether a type shows the file itself: it fits into the box and needs neither a turn nor a watermark.

        size: the photo upright in pixels, None when unknown. A type that is off counts as the next smaller one.
        """
        smaller_or_same = [c for c in CODES if c in self.types and list(CODES).index(c) <= list(CODES).index(code)]
        if size is None or not smaller_or_same or (rotation or 0) % 4:
            return False
        ideal = self.types[smaller_or_same[-1]].ideal
        is_marked = self.watermark.applies(ideal) and self.watermark.applies(size)
        return size[0] <= ideal[0] and size[1] <= ideal[1] and not is_marked

    def quality_of(self, code: str) -> int:
        """JPEG and WebP quality, 1..100: the owner's, capped for the two huge types."""
        return min(self.quality, QUALITY_CAP_OF_HUGE) if code in ("3x", "4x") else self.quality


def _defaults() -> dict[str, DerivativeParams]:
    boxes = {
        "th": (144, 144), "2s": (240, 240), "xs": (432, 324), "sm": (576, 432), "me": (792, 594), "la": (1008, 756),
        "xl": (1224, 918), "xx": (1656, 1242),
    }  # fmt: skip
    square = DerivativeParams((120, 120), max_crop=1, min_size=(120, 120))
    return {"sq": square} | {code: DerivativeParams(box) for code, box in boxes.items()}


DEFAULTS = DerivativeSettings(types=_defaults())
"""What a gallery has that never changed its sizes: 3xlarge and 4xlarge are off."""


def from_config(serialized: bytes | None) -> DerivativeSettings:
    """The settings in row `derivatives`; the defaults when there is none. Raises DerivativeSettingsError."""
    if not serialized:
        return DEFAULTS
    try:
        row = unserialize(serialized)
    except PhpValueError as error:
        raise DerivativeSettingsError(f"row 'derivatives' of table config is damaged: {error}") from error
    if not isinstance(row, dict) or not isinstance(types := row.get(b"d"), dict):
        raise DerivativeSettingsError("row 'derivatives' of table config has no list of types 'd'")
    code_of = {name: code for code, name in CODES.items()}
    found = {}
    for name, value in types.items():
        code = code_of.get(name.decode("utf-8", "replace")) if isinstance(name, bytes) else None
        if code is not None:
            found[code] = _params(value)
    custom = row.get(b"c")
    tokens = [key if isinstance(key, bytes) else b"%d" % key for key in custom] if isinstance(custom, dict) else []
    return DerivativeSettings(
        types={code: found[code] for code in CODES if code in found},
        custom=frozenset(token.decode("ascii", "replace") for token in tokens),
        quality=max(1, min(100, _whole(row.get(b"q"), 95))),
        watermark=_watermark(row.get(b"w")),
    )


def _params(value: PhpValue) -> DerivativeParams:
    if not isinstance(value, PhpObject) or not isinstance(sizing := value.fields.get(b"sizing"), PhpObject):
        raise DerivativeSettingsError("a derivative type without sizes in row 'derivatives' of table config")
    ideal = _size(sizing.fields.get(b"ideal_size"))
    if ideal is None or min(ideal) < 1 or max(ideal) > MAX_BOX_SIDE:
        raise DerivativeSettingsError(f"a derivative type whose sides are not 1 to {MAX_BOX_SIDE} pixels")
    min_size = _size(sizing.fields.get(b"min_size"))
    return DerivativeParams(
        ideal=ideal,
        max_crop=max(0.0, min(1.0, _number(sizing.fields.get(b"max_crop"), 0.0))),
        min_size=min_size if min_size and min(min_size) >= 1 else None,
        sharpen=max(0.0, min(100.0, _number(value.fields.get(b"sharpen"), 0.0))),
    )


def _watermark(value: PhpValue) -> Watermark:
    if not isinstance(value, PhpObject):
        return Watermark()
    fields = value.fields
    file = fields.get(b"file")
    return Watermark(
        file=file.decode("utf-8", "replace") if isinstance(file, bytes) else "",
        min_size=_size(fields.get(b"min_size")) or (500, 500),
        xpos=_whole(fields.get(b"xpos"), 50),
        ypos=_whole(fields.get(b"ypos"), 50),
        xrepeat=max(0, _whole(fields.get(b"xrepeat"), 0)),
        yrepeat=max(0, _whole(fields.get(b"yrepeat"), 0)),
        opacity=max(0, min(100, _whole(fields.get(b"opacity"), 100))),
    )


def _size(value: PhpValue) -> Size | None:
    if not isinstance(value, dict) or value.get(0) is None or value.get(1) is None:
        return None
    return _whole(value[0], 0), _whole(value[1], 0)


def _whole(value: PhpValue, default: int) -> int:
    return int(_number(value, default))


def _number(value: PhpValue, default: float) -> float:
    """A number however PHP stored it: settings that came through a form are numeric strings."""
    try:
        number = float(value) if isinstance(value, bool | int | float | bytes) else float(default)
    except ValueError:
        return float(default)
    return number if abs(number) < 1e15 else float(default)  # excludes inf and nan too


def _size_token(size: Size) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"
