"""Does what a plan says, with libvips. Files come and go as open descriptors: the engine opens nothing by name.

Runs in worker processes only. What to do is in `plan`; limits that end a worker from outside are in `pool`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pyvips

from pwgserve.piwigo.sizing import Size
from pwgserve.render.metadata import PRIVATE_NAMES
from pwgserve.render.plan import Layout, RenderPlan, fitted_watermark, sharpen_kernel, watermark_places

LOADERS = ("VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadNsgif", "VipsForeignLoadWebp")
"""The only decoders that exist for us: those of the formats that a gallery shows."""

KERNEL = "cubic"
"""How pixels are weighed when scaling: the kernel whose results are most like both of Piwigo's usual libraries'."""

_TURNS = {1: "d270", 2: "d180", 3: "d90"}


class UnrenderableError(Exception):
    """The picture cannot be rendered, today and tomorrow: broken, too large, or not a picture."""


@dataclass(frozen=True)
class Rendered:
    """What a rendering made. `size` in pixels."""

    size: Size


def confine() -> None:
    """Switch off every decoder that no gallery needs, and caches that only grow. Call once, before anything else."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in LOADERS:
        pyvips.operation_block_set(loader, False)
    pyvips.cache_set_max(0)


def render(plan: RenderPlan, source: int, output: int, watermark: int | None, max_pixels: int) -> Rendered:
    """Render the picture in descriptor `source` into descriptor `output`.

    watermark: descriptor of the watermark's picture, None when the gallery has none. max_pixels: of the source (of all
    its frames, if it stays animated), refused before any is decoded. Raises UnrenderableError.
    """
    try:
        header = _checked(plan, source, max_pixels)
        orientation = header.get("orientation") if header.get_typeof("orientation") else 1
        layout = plan.layout((header.width, header.height), orientation)
        mark = _watermark(plan, watermark, layout.output)
        if _frames(plan, header) > 1:
            image = _animated(plan, source, layout, mark)
        else:
            image = _steps(plan, *_load(source, header, layout), mark)
        _save(image, plan, output)
    except pyvips.Error as error:
        raise UnrenderableError(_first_line(error)) from error
    return Rendered(layout.output)


def _steps(plan: RenderPlan, image: pyvips.Image, layout: Layout, mark: pyvips.Image | None) -> pyvips.Image:
    """One picture (or frame) on its way; `layout` speaks of the picture as it was loaded."""
    image = _crop_and_scale(image, layout)
    image = _in_srgb(image)
    image = image.rot(_TURNS[layout.turns]) if layout.turns else image
    if plan.sharpen:
        image = _sharpen(image, plan.sharpen)
    return _mark(image, plan, mark, layout.output) if mark is not None else image


def _checked(plan: RenderPlan, descriptor: int, max_pixels: int) -> pyvips.Image:
    """The picture's header, if it is not too large to be decoded."""
    header = _open(descriptor)
    frames = _frames(plan, header)
    if header.width * header.height * frames > max_pixels:
        size = f"{header.width}x{header.height} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise UnrenderableError(f"has {size}, more than render.max_megapixels allows")
    return header


def _frames(plan: RenderPlan, header: pyvips.Image) -> int:
    """How many pictures the result has."""
    is_animated = plan.rules.animate and plan.format in ("gif", "webp") and header.get_typeof("n-pages")
    return int(header.get("n-pages")) if is_animated else 1


def _load(descriptor: int, header: pyvips.Image, layout: Layout) -> tuple[pyvips.Image, Layout]:
    """The picture, a JPEG already shrunk while it is decoded, and the layout in its pixels."""
    size = (header.width, header.height)
    factor = _shrink_on_load(layout, size) if header.get("vips-loader").startswith("jpeg") else 1
    image = _open(descriptor, shrink=factor) if factor > 1 else _open(descriptor)
    if factor > 1 and layout.crop:
        left, top, right, bottom = (round(side / factor) for side in layout.crop)
        right, bottom = min(right, image.width), min(bottom, image.height)
        layout = Layout((left, top, right, bottom), layout.scale, layout.turns, layout.output)
    return image, layout


def _animated(plan: RenderPlan, descriptor: int, layout: Layout, mark: pyvips.Image | None) -> pyvips.Image:
    """All frames of an animation, one below the other, as libvips keeps them."""
    film = _open(descriptor, n=-1)
    height = film.get("page-height")
    frames = [film.crop(0, top, film.width, height) for top in range(0, film.height, height)]
    joined = pyvips.Image.arrayjoin([_steps(plan, frame, layout, mark) for frame in frames], across=1).copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", layout.output[1])
    return joined


def _open(descriptor: int, **options: object) -> pyvips.Image:
    # libvips reads a descriptor from where it stands.
    os.lseek(descriptor, 0, os.SEEK_SET)
    source = pyvips.Source.new_from_descriptor(descriptor)
    return pyvips.Image.new_from_source(source, "", access="sequential", fail_on="truncated", **options)


def _shrink_on_load(layout: Layout, size: Size) -> int:
    """By how much a JPEG may be shrunk while it is decoded: at most half of it all; real scaling has the rest."""
    if layout.scale is None:
        return 1
    box = layout.crop or (0, 0, *size)
    shrink = min((box[2] - box[0]) / layout.scale[0], (box[3] - box[1]) / layout.scale[1])
    return next((factor for factor in (8, 4, 2) if shrink >= 2 * factor), 1)


def _crop_and_scale(image: pyvips.Image, layout: Layout) -> pyvips.Image:
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
    # From here on steps read the picture in other orders than line by line; it is small now.
    return image.copy_memory()


def _in_srgb(image: pyvips.Image) -> pyvips.Image:
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


def _sharpen(image: pyvips.Image, amount: float) -> pyvips.Image:
    kernel, total = sharpen_kernel(amount)
    colours = image[: image.bands - 1] if image.hasalpha() else image
    sharp = colours.conv(pyvips.Image.new_from_array(kernel, scale=total), precision="float").cast("uchar")
    return sharp.bandjoin(image[image.bands - 1]) if image.hasalpha() else sharp


def _watermark(plan: RenderPlan, descriptor: int | None, output: Size) -> pyvips.Image | None:
    """The watermark as it is laid on a result of this size: fitted, with its opacity; None when there is none."""
    if plan.watermark is None or descriptor is None or not plan.is_marked(output):
        return None
    mark = _in_srgb(_open(descriptor).copy_memory()).colourspace("srgb")
    size = fitted_watermark(output, (mark.width, mark.height))
    if size != (mark.width, mark.height):
        mark = _crop_and_scale(mark, Layout(None, size, 0, size))
    mark = mark if mark.hasalpha() else mark.bandjoin(255)
    mark = mark * [1, 1, 1, plan.watermark.opacity / 100]
    return mark.cast("uchar").copy(interpretation="srgb")


def _mark(image: pyvips.Image, plan: RenderPlan, mark: pyvips.Image, output: Size) -> pyvips.Image:
    if plan.watermark is None:
        return image
    had_alpha = image.hasalpha()
    places = watermark_places(plan.watermark, output, (mark.width, mark.height))
    xs, ys = [x for x, _ in places], [y for _, y in places]
    marked = image.colourspace("srgb").composite([mark] * len(places), ["over"] * len(places), x=xs, y=ys)
    marked = marked if had_alpha else marked.flatten()
    return marked.cast("uchar")


def _save(image: pyvips.Image, plan: RenderPlan, descriptor: int) -> None:
    target = pyvips.Target.new_to_descriptor(descriptor)
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
            image.webpsave_target(target, Q=plan.quality, keep=keep)


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
    # It is upright now, whatever the camera noted.
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    return image


def _first_line(error: pyvips.Error) -> str:
    detail = str(getattr(error, "detail", error)).strip().splitlines()
    return detail[0][:200] if detail else "cannot be decoded"
