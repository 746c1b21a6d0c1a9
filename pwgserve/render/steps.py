"""The steps of a rendering, each done by libvips: open, shrink, crop, scale, colours, turn, sharpen, mark, write.

Files are open descriptors. In which order and within which limits says `engine`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pyvips

from pwgserve.piwigo.sizing import Size, turned
from pwgserve.render.limits import Header
from pwgserve.render.metadata import PRIVATE_NAMES
from pwgserve.render.plan import (
    Layout,
    RenderPlan,
    as_it_lies,
    fitted_watermark,
    sharpen_kernel,
    watermark_places,
)
from pwgserve.render.quality import WHOLE_CHROMA, webp_effort

KERNEL = "cubic"
"""How pixels are weighed when scaling: the kernel whose results are most like both of Piwigo's usual libraries'."""

LEFT_TO_SCALE, LEFT_OF_FINISHED = 1.7, 2.0
"""By how much a photo, and a finished derivative, which was scaled before, are at least scaled after a JPEG was shrunk
while it was decoded, which weighs pixels less well. Results look as if nothing had been shrunk: docs/decisions/0028."""

AVIF_EFFORT, AVIF_BITS = 1, 10
"""More effort costs twice the time for few bytes less; ten bits have the same look in fewer bytes. Decision 25."""

_BYTES = {"ushort": 2, "short": 2, "uint": 4, "int": 4, "float": 4, "double": 8}
_TURNS = {1: "d270", 2: "d180", 3: "d90"}


@dataclass(frozen=True)
class Source:
    """A picture to render from: an open descriptor, and what its file says before any pixel is decoded."""

    descriptor: int
    image: pyvips.Image
    header: Header

    @classmethod
    def of(cls, descriptor: int, plan: RenderPlan) -> Source:
        """The picture in a descriptor, as a plan sees it (as an animation or as its first frame)."""
        image = opened(descriptor)
        return cls(descriptor, image, header_of(plan, image))

    def layout(self, plan: RenderPlan) -> Layout:
        """What a plan means for this picture."""
        # Of other formats Piwigo reads no EXIF.
        is_noted = self.header.loader == "jpeg" and self.image.get_typeof("orientation")
        return plan.layout(self.header.size, self.image.get("orientation") if is_noted else 1)


def opened(descriptor: int, **options: object) -> pyvips.Image:
    """A picture of which only the header was read; `options` as libvips' loaders have them."""
    # libvips reads a descriptor from where it stands.
    os.lseek(descriptor, 0, os.SEEK_SET)
    source = pyvips.Source.new_from_descriptor(descriptor)
    return pyvips.Image.new_from_source(source, "", access="sequential", fail_on="truncated", **options)


def header_of(plan: RenderPlan, image: pyvips.Image) -> Header:
    """What the file says of its picture; of an animation that becomes a still picture, of its first frame."""
    is_animated = plan.rules.animate and plan.format in ("gif", "webp") and image.get_typeof("n-pages")

    def told(name: str) -> str:
        return str(image.get(name)) if image.get_typeof(name) else ""

    return Header(
        size=(image.width, image.height),
        frames=int(image.get("n-pages")) if is_animated else 1,
        bands=image.bands,
        pixel_bytes=image.bands * _BYTES.get(image.format, 1),
        loader=told("vips-loader").partition("load")[0],
        is_interlaced=told("interlaced") == "1" or told("jpeg-multiscan") == "1",
        is_subsampled=told("jpeg-chroma-subsample") == "4:2:0",
    )


def done(plan: RenderPlan, image: pyvips.Image, layout: Layout, mark: pyvips.Image | None) -> pyvips.Image:
    """One picture (or frame) with all steps done but writing; `layout` speaks of the picture as it was loaded."""
    image = in_srgb(cropped_and_scaled(image, layout))
    if layout.turns or plan.sharpen or mark is not None:
        # These steps do not read line by line. Without them a thread encodes what another one still decodes.
        image = image.copy_memory()
    image = image.rot(_TURNS[layout.turns]) if layout.turns else image
    if plan.sharpen:
        image = _sharpened(image, plan.sharpen)
    return _marked(image, plan, mark, layout.output) if mark is not None else image


def loaded(
    descriptor: int, header: pyvips.Image, layout: Layout, left: float = LEFT_TO_SCALE
) -> tuple[pyvips.Image, Layout]:
    """The picture, a JPEG already shrunk while it is decoded, and the layout in its pixels.

    header: the picture as `opened` gave it. left: by how much it must still be larger than its result then.
    """
    size = (header.width, header.height)
    factor = _shrink_on_load(layout, size, left) if header.get("vips-loader").startswith("jpeg") else 1
    image = opened(descriptor, shrink=factor) if factor > 1 else opened(descriptor)
    if factor > 1 and layout.crop:
        x, y, right, bottom = (round(side / factor) for side in layout.crop)
        box = (x, y, min(right, image.width), min(bottom, image.height))
        layout = Layout(box, layout.scale, layout.turns, layout.output)
    return image, layout


def loaded_from_finished(finished: int, kept: Layout, layout: Layout) -> tuple[pyvips.Image, Layout] | None:
    """A finished derivative to make a smaller one from, and the layout of that in its pixels, which are upright.

    kept: the layout of the finished one; layout: of the smaller one, in the pixels of `kept.scale` as the source lies.
    """
    picture = opened(finished)
    if (picture.width, picture.height) != kept.output or layout.scale is None:
        return None
    crop = as_it_lies(layout.crop, kept.output, -layout.turns % 4) if layout.crop else None
    upright = Layout(crop, turned(layout.scale, layout.turns), 0, layout.output)
    return loaded(finished, picture, upright, LEFT_OF_FINISHED)


def _shrink_on_load(layout: Layout, size: Size, left: float) -> int:
    if layout.scale is None:
        return 1
    box = layout.crop or (0, 0, *size)
    shrink = min((box[2] - box[0]) / layout.scale[0], (box[3] - box[1]) / layout.scale[1])
    return next((factor for factor in (8, 4, 2) if shrink >= left * factor), 1)


def cropped_and_scaled(image: pyvips.Image, layout: Layout) -> pyvips.Image:
    """What a layout wants of a picture, before it is turned."""
    if layout.crop:
        left, top, right, bottom = layout.crop
        image = image.crop(left, top, right - left, bottom - top)
    if layout.scale:
        width, height = layout.scale
        has_alpha = image.hasalpha()
        band_format = image.format
        image = image.premultiply() if has_alpha else image
        image = image.resize(width / image.width, vscale=height / image.height, kernel=KERNEL)
        image = image.unpremultiply().cast(band_format) if has_alpha else image
    return image


def in_srgb(image: pyvips.Image) -> pyvips.Image:
    """Eight bits per channel in sRGB (or its grey), whatever the source was: the profile goes, the colours stay."""
    how = {"intent": "relative", "black_point_compensation": True}
    is_cmyk = image.interpretation == "cmyk"
    if image.get_typeof("icc-profile-data"):
        try:
            image = image.icc_transform("srgb", embedded=True, **how)
        except pyvips.Error:
            # A damaged profile is no reason to show nothing.
            image = image.icc_transform("srgb", input_profile="cmyk", **how) if is_cmyk else image
    elif is_cmyk:
        image = image.icc_transform("srgb", input_profile="cmyk", **how)
    wanted = "b-w" if image.interpretation in ("b-w", "grey16") else "srgb"
    if image.interpretation != wanted:
        image = image.colourspace(wanted)
    return image.cast("uchar") if image.format != "uchar" else image


def _sharpened(image: pyvips.Image, amount: float) -> pyvips.Image:
    kernel, total = sharpen_kernel(amount)
    colours = image[: image.bands - 1] if image.hasalpha() else image
    sharp = colours.conv(pyvips.Image.new_from_array(kernel, scale=total), precision="float").cast("uchar")
    return sharp.bandjoin(image[image.bands - 1]) if image.hasalpha() else sharp


def watermark(mark: pyvips.Image, output: Size, opacity: float) -> pyvips.Image:
    """A watermark as it is laid on a result of this size: fitted, with its opacity (percent)."""
    mark = in_srgb(mark.copy_memory()).colourspace("srgb")
    size = fitted_watermark(output, (mark.width, mark.height))
    if size != (mark.width, mark.height):
        mark = cropped_and_scaled(mark, Layout(None, size, 0, size)).copy_memory()
    mark = mark if mark.hasalpha() else mark.bandjoin(255)
    mark = mark * [1, 1, 1, opacity / 100]
    return mark.cast("uchar").copy(interpretation="srgb")


def _marked(image: pyvips.Image, plan: RenderPlan, mark: pyvips.Image, output: Size) -> pyvips.Image:
    if plan.watermark is None:
        return image
    had_alpha = image.hasalpha()
    places = watermark_places(plan.watermark, output, (mark.width, mark.height))
    xs, ys = [x for x, _ in places], [y for _, y in places]
    marked = image.colourspace("srgb").composite([mark] * len(places), ["over"] * len(places), x=xs, y=ys)
    marked = marked if had_alpha else marked.flatten()
    return marked.cast("uchar")


def write(image: pyvips.Image, plan: RenderPlan, target: pyvips.Target) -> None:
    """Encode a picture with all its steps done."""
    image = image.copy()
    # It is upright now, whatever the camera noted. AVIF tells browsers to turn even where no metadata are kept.
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    keep = "none"
    if plan.keeps_metadata((image.width, image.height)) and plan.format != "gif":
        image, keep = _with_harmless_metadata(image, plan.rules.strip_gps), "exif|iptc|xmp"
    match plan.format:
        case "jpeg":
            # JPEG has no transparency; Piwigo's libraries put white behind it.
            image = image.flatten(background=255) if image.hasalpha() else image
            image.jpegsave_target(target, Q=plan.quality, optimize_coding=True, keep=keep)
        case "png":
            image.pngsave_target(target, keep=keep)
        case "gif":
            image.gifsave_target(target, keep=keep)
        case "webp":
            # Where the source is one, the owner's number is a WebP's own, as in Piwigo.
            image.webpsave_target(target, Q=plan.quality, effort=webp_effort(plan.pixels), keep=keep)
        case "webp-lossless":
            image.webpsave_target(target, lossless=True, keep=keep)
        case "avif":
            chroma = "off" if plan.quality >= WHOLE_CHROMA else "on"
            how = {"compression": "av1", "effort": AVIF_EFFORT, "bitdepth": AVIF_BITS, "subsample_mode": chroma}
            image.heifsave_target(target, Q=plan.quality, keep=keep, **how)


def _with_harmless_metadata(image: pyvips.Image, strip_gps: bool) -> pyvips.Image:
    """The picture with what its source told, but for what is wrong of a derivative or what the owner keeps private."""
    image = image.copy()
    for name in image.get_fields():
        # The camera's own small preview may show what was cropped away or painted over since.
        is_private = name.startswith("exif-ifd3") or any(part in name for part in PRIVATE_NAMES)
        if name.startswith(("jpeg-thumbnail", "exif-ifd1")) or (strip_gps and is_private):
            image.remove(name)
    if strip_gps:
        # XMP and IPTC may repeat position, owner and serial numbers in ways of their own.
        for name in ("xmp-data", "iptc-data"):
            if image.get_typeof(name):
                image.remove(name)
    return image
