"""Does what a plan says, with libvips. Files come and go as open descriptors: the engine opens nothing by name.

Runs in worker processes only. What to do is in `plan`; limits that end a worker from outside are in `pool`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass

import pyvips

from pwgserve.piwigo.sizing import Size, turned
from pwgserve.piwigo.wanted import ENCODINGS
from pwgserve.render.limits import MEGABYTE, SMALL, Header, Limits, needed_memory
from pwgserve.render.metadata import PRIVATE_NAMES
from pwgserve.render.plan import (
    FINISHED_SHRINK,
    SHARED_SHRINK,
    Layout,
    RenderPlan,
    as_it_lies,
    fitted_watermark,
    layout_within,
    sharpen_kernel,
    watermark_places,
)
from pwgserve.render.quality import WHOLE_CHROMA, webp_effort

LOADERS = ("VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadNsgif", "VipsForeignLoadWebp")
"""The only decoders that exist for us: those of the formats that a gallery shows."""

KERNEL = "cubic"
"""How pixels are weighed when scaling: the kernel whose results are most like both of Piwigo's usual libraries'."""

AVIF_EFFORT, AVIF_BITS = 1, 10
"""More effort costs twice the time for few bytes less; ten bits have the same look in fewer bytes. Decision 25."""

_BYTES = {"ushort": 2, "short": 2, "uint": 4, "int": 4, "float": 4, "double": 8}
_OF_WARM_UP = Limits(max_pixels=10_000, max_frames=1, max_source=100_000, max_memory=2**40)
_TURNS = {1: "d270", 2: "d180", 3: "d90"}


class UnrenderableError(Exception):
    """The picture cannot be rendered, today and tomorrow: broken, too large, or not a picture."""


@dataclass(frozen=True)
class Rendered:
    """What a rendering made. `size` in pixels."""

    size: Size


class Shared:
    """One decoding for several sizes of a picture: it is scaled to the largest one, from which the others are scaled.

    What is kept has neither been turned, sharpened, marked nor encoded, so that nothing is done twice to any size.
    finished: descriptor of the largest as it was made and encoded some time ago; then nothing else is decoded.
    """

    def __init__(self, largest: RenderPlan, finished: int | None = None) -> None:
        self._largest = largest
        self._finished = finished
        self._scaled: pyvips.Image | None = None

    def layout(self, header: Header, orientation: int, limits: Limits) -> Layout | None:
        """How the largest is made; None when no other can be made from it, or when keeping it takes too much memory."""
        layout = self._largest.layout(header.size, orientation)
        if header.frames > 1 or layout.crop is not None or layout.scale is None:
            return None
        return layout if self.needed_memory(header, layout) <= limits.max_memory else None

    @staticmethod
    def needed_memory(header: Header, layout: Layout) -> int:
        """Bytes that it takes to make what is kept, and to keep it."""
        return needed_memory(header, layout.output, "jpeg") + 4 * layout.output[0] * layout.output[1]

    def loaded(
        self, source: int, opened: pyvips.Image, kept: Layout, layout: Layout
    ) -> tuple[pyvips.Image, Layout] | None:
        """The picture and a size's layout in its pixels, like `_load`; None when this size needs its own decoding.

        kept: the layout of the largest.
        """
        shrink = SHARED_SHRINK if self._finished is None else FINISHED_SHRINK
        within = layout_within(kept, layout, (opened.width, opened.height), shrink)
        if self._finished is not None:
            return _from_finished(self._finished, kept, within) if within else None
        if within is None and layout != kept:
            return None
        if self._scaled is None:
            self._scaled = _in_srgb(_crop_and_scale(*_load(source, opened, kept))).copy()
            # Its colours were converted: the profile no longer speaks of them.
            self._scaled.remove("icc-profile-data")
        return self._scaled, within or Layout(None, None, layout.turns, layout.output)


def confine() -> None:
    """Switch off every decoder that no gallery needs, and caches that only grow. Call once, before anything else."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in LOADERS:
        pyvips.operation_block_set(loader, False)
    pyvips.cache_set_max(0)


def warm_up() -> tuple[str, ...]:
    """Render a small picture of every format, so that all that is loaded when first needed is loaded now.

    Returns those of ENCODINGS that this libvips can write. Raises UnrenderableError when it lacks a source's format.
    """
    image = pyvips.Image.black(64, 48, bands=3).copy(interpretation="srgb")
    with contextlib.ExitStack() as stack:
        for file_format in ("jpeg", "png", "gif", "webp"):
            source, output = (_temporary(stack) for _ in range(2))
            try:
                _save(image, _plan_of_warm_up((64, 48), file_format), source)
            except pyvips.Error as error:
                raise UnrenderableError(_first_line(error)) from error
            render(_plan_of_warm_up((32, 24), file_format), source, output, None, _OF_WARM_UP, lambda needed: None)
        return tuple(name for name in ENCODINGS if _can_write(image, name, _temporary(stack)))


def _can_write(image: pyvips.Image, encoding: str, descriptor: int) -> bool:
    try:
        _save(image, _plan_of_warm_up((64, 48), encoding), descriptor)
    except pyvips.Error:
        return False
    return True


def _plan_of_warm_up(size: Size, file_format: str) -> RenderPlan:
    return RenderPlan(size, 1, None, None, 1, 50, 90, file_format, None)


def _temporary(stack: contextlib.ExitStack) -> int:
    descriptor = os.memfd_create("warm-up")
    stack.callback(os.close, descriptor)
    return descriptor


def render(
    plan: RenderPlan,
    source: int,
    output: int,
    watermark: int | None,
    limits: Limits,
    ask: Callable[[int], None],
    shared: Shared | None = None,
) -> Rendered:
    """Render the picture in descriptor `source` into descriptor `output`.

    watermark: descriptor of the watermark's picture, None when the gallery has none. limits: what is beyond is refused
    before any pixel is decoded. ask: is called with the bytes of memory that the rendering will take when they are
    many, and returns when they may be taken. shared: what several renderings of this picture have in common. Raises
    UnrenderableError.
    """
    try:
        image = _open(source)
        header = _header(plan, image)
        problem = header.problem(limits)
        if problem is not None:
            raise UnrenderableError(problem)
        orientation = image.get("orientation") if image.get_typeof("orientation") else 1
        layout = plan.layout(header.size, orientation)
        kept = shared.layout(header, orientation, limits) if shared else None
        mark = _watermark(plan, watermark, layout.output, limits)
        needed = needed_memory(header, layout.output, plan.format)
        if needed > limits.max_memory:
            raise UnrenderableError(f"needs {needed // MEGABYTE} MB of memory, more than render.max_memory allows")
        if shared and kept:
            needed = max(needed, shared.needed_memory(header, kept))
        if needed > SMALL:
            ask(needed)
        if header.frames > 1:
            image = _animated(plan, source, layout, mark)
        else:
            loaded = shared.loaded(source, image, kept, layout) if shared and kept else None
            image = _steps(plan, *(loaded or _load(source, image, layout)), mark)
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


def _header(plan: RenderPlan, image: pyvips.Image) -> Header:
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


def _from_finished(finished: int, kept: Layout, layout: Layout) -> tuple[pyvips.Image, Layout] | None:
    """A finished derivative to make a smaller one from, and the layout of that in its pixels, which are upright.

    kept: the layout of the finished one; layout: of the smaller one, in the pixels of `kept.scale` as the source lies.
    """
    picture = _open(finished)
    if (picture.width, picture.height) != kept.output or layout.scale is None:
        return None
    crop = as_it_lies(layout.crop, kept.output, -layout.turns % 4) if layout.crop else None
    return _load(finished, picture, Layout(crop, turned(layout.scale, layout.turns), 0, layout.output))


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


def _watermark(plan: RenderPlan, descriptor: int | None, output: Size, limits: Limits) -> pyvips.Image | None:
    """The watermark as it is laid on a result of this size: fitted, with its opacity; None when there is none."""
    if plan.watermark is None or descriptor is None or not plan.is_marked(output):
        return None
    mark = _open(descriptor)
    problem = _header(plan, mark).problem(limits)
    if problem is not None:
        raise UnrenderableError(f"the watermark {problem}")
    mark = _in_srgb(mark.copy_memory()).colourspace("srgb")
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
    # It is upright now, whatever the camera noted.
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    return image


def _first_line(error: pyvips.Error) -> str:
    detail = str(getattr(error, "detail", error)).strip().splitlines()
    return detail[0][:200] if detail else "cannot be decoded"
