"""Several sizes of one picture from one decoding, or from a size that was finished some time ago."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyvips

from pwgserve.render import steps
from pwgserve.render.limits import Header, Limits, needed_memory
from pwgserve.render.plan import FINISHED_SHRINK, SHARED_SHRINK, Layout, RenderPlan, layout_within
from pwgserve.render.steps import Source

_aside = ThreadPoolExecutor(1, "aside")


class Shared:
    """One decoding for several sizes of a picture: it is scaled to the largest one, from which the others are scaled.

    What is kept has neither been turned, sharpened, marked nor encoded, so that nothing is done twice to any size.
    Once it is there, a thread makes the sizes that will be asked for, the largest first; sizes are asked for in the
    other order, so that two cores have half of them each.

    plans: of all these sizes, the largest last. finished: descriptor of the largest as it was made and encoded some
    time ago; then nothing else is decoded.
    """

    def __init__(self, plans: Sequence[RenderPlan], finished: int | None = None) -> None:
        self._plans = plans
        self._largest = plans[-1]
        self._finished = finished
        self._scaled: pyvips.Image | None = None
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
        return needed_memory(header, layout.output, "jpeg") + 4 * layout.output[0] * layout.output[1]

    def loaded(self, source: Source, kept: Layout, plan: RenderPlan) -> tuple[pyvips.Image, Layout] | None:
        """The picture and a size's layout in its pixels, like `steps.loaded`; None when it needs its own decoding.

        kept: the layout of the largest.
        """
        if self._finished is not None:
            within = layout_within(kept, source.layout(plan), source.header.size, FINISHED_SHRINK)
            return steps.loaded_from_finished(self._finished, kept, within) if within else None
        within = self._within(source, kept, plan)
        if within is None:
            return None
        if self._scaled is None:
            whole = steps.in_srgb(steps.cropped_and_scaled(*steps.loaded(source.descriptor, source.image, kept)))
            self._scaled = whole.copy_memory()
            # Its colours were converted: the profile no longer speaks of them.
            self._scaled.remove("icc-profile-data")
            self._make_aside(self._scaled, source, kept, plan)
        return self._scaled, within

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

    def _within(self, source: Source, kept: Layout, plan: RenderPlan) -> Layout | None:
        layout = source.layout(plan)
        within = layout_within(kept, layout, source.header.size, SHARED_SHRINK)
        return Layout(None, None, layout.turns, layout.output) if within is None and layout == kept else within

    def _make_aside(self, scaled: pyvips.Image, source: Source, kept: Layout, at_once: RenderPlan) -> None:
        for plan in reversed(self._plans):
            within = self._within(source, kept, plan)
            # A watermark comes as a file that is open for its own job only.
            if within is not None and plan != at_once and plan.watermark is None:
                self._made_aside[plan] = _aside.submit(_file, plan, scaled, within)


def _file(plan: RenderPlan, image: pyvips.Image, layout: Layout) -> bytes:
    """The file of a derivative without a watermark; `layout` speaks of the picture as it is kept."""
    target = pyvips.Target.new_to_memory()
    steps.write(steps.done(plan, image, layout, None), plan, target)
    return bytes(target.get("blob"))
