"""Does what a plan says, with libvips. Files come and go as open descriptors: the engine opens nothing by name.

Runs in worker processes only. What to do is in `plan`, how each step is done in `steps`; limits that end a worker from
outside are in `workers`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

import pyvips

from pwgserve.piwigo.sizing import Size
from pwgserve.piwigo.wanted import ENCODINGS
from pwgserve.render import steps
from pwgserve.render.limits import MEGABYTE, SMALL, Limits, needed_memory
from pwgserve.render.plan import Layout, RenderPlan
from pwgserve.render.sharing import Shared
from pwgserve.render.steps import Source

LOADERS = ("VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadNsgif", "VipsForeignLoadWebp")
"""The only decoders that exist for us: those of the formats that a gallery shows."""

_OF_WARM_UP = Limits(max_pixels=10_000, max_frames=1, max_source=100_000, max_memory=2**40)


class UnrenderableError(Exception):
    """The picture cannot be rendered, today and tomorrow: broken, too large, or not a picture."""


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
                _write(image, _plan_of_warm_up((64, 48), file_format), source)
            except pyvips.Error as error:
                raise UnrenderableError(_first_line(error)) from error
            render(_plan_of_warm_up((32, 24), file_format), source, output, None, _OF_WARM_UP, lambda needed: None)
        return tuple(name for name in ENCODINGS if _can_write(image, name, _temporary(stack)))


def _can_write(image: pyvips.Image, encoding: str, descriptor: int) -> bool:
    try:
        _write(image, _plan_of_warm_up((64, 48), encoding), descriptor)
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
) -> None:
    """Render the picture in descriptor `source` into descriptor `output`.

    watermark: descriptor of the watermark's picture, None when the gallery has none. limits: what is beyond is refused
    before any pixel is decoded. ask: is called with the bytes of memory that the rendering will take when they are
    many, and returns when they may be taken. shared: what several renderings of this picture have in common. Raises
    UnrenderableError.
    """
    if os.lseek(source, 0, os.SEEK_END) > limits.max_source:
        raise UnrenderableError("its file is larger than render.max_source allows")
    try:
        picture = Source.of(source, plan)
        problem = picture.header.problem(limits)
        if problem is not None:
            raise UnrenderableError(problem)
        layout = picture.layout(plan)
        kept = shared.layout(picture, limits) if shared else None
        mark = _watermark(plan, watermark, layout.output, limits)
        needed = needed_memory(picture.header, layout.output, plan.format)
        if needed > limits.max_memory:
            raise UnrenderableError(f"needs {needed // MEGABYTE} MB of memory, more than render.max_memory allows")
        if shared and kept:
            needed = max(needed, shared.needed_memory(picture.header, kept))
        if needed > SMALL:
            ask(needed)
        if shared and (made := shared.made(plan)) is not None:
            _write_all(output, made)
        elif picture.header.frames > 1:
            _write(_animated(plan, source, layout, mark), plan, output)
        else:
            loaded = shared.loaded(picture, kept, plan) if shared and kept else None
            loaded = loaded or steps.loaded(source, picture.image, layout)
            _write(steps.done(plan, *loaded, mark), plan, output)
    except pyvips.Error as error:
        raise UnrenderableError(_first_line(error)) from error


def _write(image: pyvips.Image, plan: RenderPlan, descriptor: int) -> None:
    steps.write(image, plan, pyvips.Target.new_to_descriptor(descriptor))


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _animated(plan: RenderPlan, descriptor: int, layout: Layout, mark: pyvips.Image | None) -> pyvips.Image:
    """All frames of an animation, one below the other, as libvips keeps them."""
    film = steps.opened(descriptor, n=-1)
    height = film.get("page-height")
    frames = [film.crop(0, top, film.width, height) for top in range(0, film.height, height)]
    done = [steps.done(plan, frame, layout, mark).copy_memory() for frame in frames]
    joined = pyvips.Image.arrayjoin(done, across=1).copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", layout.output[1])
    return joined


def _watermark(plan: RenderPlan, descriptor: int | None, output: Size, limits: Limits) -> pyvips.Image | None:
    """The watermark as it is laid on a result of this size: fitted, with its opacity; None when there is none."""
    if plan.watermark is None or descriptor is None or not plan.is_marked(output):
        return None
    mark = Source.of(descriptor, plan)
    problem = mark.header.problem(limits)
    if problem is not None:
        raise UnrenderableError(f"the watermark {problem}")
    return steps.watermark(mark.image, output, plan.watermark.opacity)


def _first_line(error: pyvips.Error) -> str:
    detail = str(getattr(error, "detail", error)).strip().splitlines()
    return detail[0][:200] if detail else "cannot be decoded"
