"""Several sizes of one picture from one decoding, or from a size that was finished some time ago."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pyvips

from pwgserve.piwigo.sizing import Size
from pwgserve.render import steps
from pwgserve.render.limits import Header, Limits, needed_memory
from pwgserve.render.plan import FINISHED_SHRINK, HALF_SHRINK, SHARED_SHRINK, Layout, RenderPlan, layout_within
from pwgserve.render.steps import Source

_aside = ThreadPoolExecutor(1, "aside")


@dataclass(frozen=True)
class _Kept:
    """The picture scaled to one of its sizes. shrink: by how much another must be smaller to be made from it."""

    image: pyvips.Image
    layout: Layout
    source: Size
    shrink: float

    def within(self, layout: Layout) -> Layout | None:
        """A size's layout in the pixels of this one; None when it must be made from another."""
        if layout == self.layout:
            return Layout(None, None, layout.turns, layout.output)
        return layout_within(self.layout, layout, self.source, self.shrink)


class Shared:
    """One decoding for several sizes of a picture: it is scaled to the largest one, from which the others are scaled.

    The smaller ones are scaled from one of about half its size, which takes less time and is not less like what each is
    when it is made alone. What is kept has neither been turned, sharpened, marked nor encoded, so that nothing is done
    twice to any size. Once it is there, a thread makes the sizes that will be asked for, the largest first; sizes are
    asked for in the other order, so that two cores have half of them each.

    plans: of all these sizes, the largest last. finished: descriptor of the largest as it was made and encoded some
    time ago; then nothing else is decoded. threads: how many decode and scale it, while there is nothing to encode.
    """

    def __init__(self, plans: Sequence[RenderPlan], finished: int | None = None, threads: int = 1) -> None:
        self._plans = plans
        self._threads = threads
        self._largest = plans[-1]
        self._finished = finished
        self._kept: list[_Kept] = []
        self._made_aside: dict[RenderPlan, Future[bytes]] = {}

    def end(self) -> None:
        """Nothing more will be asked for."""
        for made in self._made_aside.values():
            made.cancel()

    def layout(self, source: Source, limits: Limits) -> Layout | None:
        """How the largest is made; None when no other can be made from it, or when keeping it takes too much memory."""
        layout = source.layout(self._largest)
        if source.header.frames > 1 or layout.crop is not None or layout.scale is None:
            return None
        return layout if self.needed_memory(source.header, layout) <= limits.max_memory else None

    @staticmethod
    def needed_memory(header: Header, layout: Layout) -> int:
        """Bytes that it takes to make what is kept, and to keep it."""
        return needed_memory(header, layout.output, "jpeg") + 5 * layout.output[0] * layout.output[1]

    def loaded(self, source: Source, largest: Layout, plan: RenderPlan) -> tuple[pyvips.Image, Layout] | None:
        """The picture and a size's layout in its pixels, like `steps.loaded`; None when it needs its own decoding."""
        layout = source.layout(plan)
        if self._finished is not None:
            within = layout_within(largest, layout, source.header.size, FINISHED_SHRINK)
            return steps.loaded_from_finished(self._finished, largest, within) if within else None
        if layout != largest and layout_within(largest, layout, source.header.size, SHARED_SHRINK) is None:
            return None
        if not self._kept:
            self._keep(*steps.loaded(source.descriptor, source.image, largest), largest, source, SHARED_SHRINK)
            self._make_aside(source, plan)
        return self._nearest(layout)

    def made(self, plan: RenderPlan) -> bytes | None:
        """The file of a size, if the thread has made it or is about to; None when it must be made now."""
        made = self._made_aside.pop(plan, None)
        if made is None or made.cancel():
            return None
        try:
            return made.result()
        except (pyvips.Error, MemoryError):
            # Whether it cannot be made at all tells another attempt, which has all the memory to itself.
            return None

    def _keep(self, image: pyvips.Image, within: Layout, layout: Layout, source: Source, shrink: float) -> None:
        """Scale a picture, as `within` says in its pixels and `layout` in the source's."""
        scaled = steps.in_srgb(steps.cropped_and_scaled(image, within))
        scaled.set_type(pyvips.GValue.gint_type, "concurrency", self._threads)
        kept = scaled.copy_memory()
        # Its colours were converted: the profile no longer speaks of them. And what is made of it has one thread again.
        for name in ("icc-profile-data", "concurrency"):
            kept.remove(name)
        self._kept.append(_Kept(kept, layout, source.header.size, shrink))

    def _nearest(self, layout: Layout) -> tuple[pyvips.Image, Layout] | None:
        """The smallest of what is kept that a size can be made from, and its layout there."""
        for kept in reversed(self._kept):
            if within := kept.within(layout):
                return kept.image, within
        return None

    def _make_aside(self, source: Source, at_once: RenderPlan) -> None:
        largest = self._kept[0]
        for plan in reversed(self._plans):
            layout = source.layout(plan)
            if len(self._kept) == 1 and layout.crop is None:
                half = layout_within(largest.layout, layout, largest.source, HALF_SHRINK)
                if half is not None:
                    self._keep(largest.image, half, layout, source, FINISHED_SHRINK)
            nearest = self._nearest(layout)
            # A watermark comes as a file that is open for its own job only.
            if nearest is not None and plan != at_once and plan.watermark is None:
                self._made_aside[plan] = _aside.submit(_file, plan, *nearest)


def _file(plan: RenderPlan, image: pyvips.Image, layout: Layout) -> bytes:
    """The file of a derivative without a watermark; `layout` speaks of the picture as it is kept."""
    target = pyvips.Target.new_to_memory()
    steps.write(steps.done(plan, image, layout, None), plan, target)
    return bytes(target.get("blob"))
