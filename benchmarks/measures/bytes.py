"""How many bytes derivatives take in each encoding, how like they are to the picture, and what encoding them costs.

The pictures are drawn, with the grain of a camera. Likeness is SSIM to the derivative before it is encoded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pyvips

from benchmarks.compare_pictures import ssim
from benchmarks.lab import Lab
from benchmarks.results import Bar, Row, Table
from pwgserve.demo.photographs import photograph
from pwgserve.demo.scenes import SCENES
from pwgserve.piwigo.derivatives import DEFAULTS
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.engine import render
from pwgserve.render.limits import Limits
from pwgserve.render.plan import RenderPlan, plan_for

LIMITS = Limits(max_pixels=10**9, max_frames=1, max_source=10**9, max_memory=10**10)
SIZE = (3600, 2400)
PHOTO = Photo(1, "./a.jpg", "a.jpg", 0, *SIZE, 0, None, None, ())
BARS = {"avif": Bar(at_most=0.60), "webp": Bar(at_most=0.75)}
CODES = ("2s", "me", "xl")
NOTE = "The bar is for all of them together: a size saves more or less by how much grain its scaling leaves."


def measure(lab: Lab) -> Iterator[Table]:
    """Bytes by type and encoding, at the quality that a gallery has by default."""
    folder = lab.folder()
    scenes = []
    for number, scene in enumerate(list(SCENES)[: 2 if lab.quick else None]):
        scenes.append(folder / f"{scene}.jpg")
        photograph(scenes[-1], scene, number, *SIZE)
    rows, likeness, costs = [], [], []
    totals = dict.fromkeys(("jpeg", *BARS), 0)
    for code in CODES[: 1 if lab.quick else None]:
        of_jpeg = _plan(code, None)
        exact = [_opened(_made(scene, replace(of_jpeg, format="png"))[0]) for scene in scenes]
        jpegs = [_made(scene, of_jpeg) for scene in scenes]
        rows.append(Row(f"{code}: JPEG", fmean(len(jpeg) for jpeg, _ in jpegs) / 1000))
        totals["jpeg"] += sum(len(jpeg) for jpeg, _ in jpegs)
        jpegs_cost = fmean(seconds for _, seconds in jpegs)
        costs.append(Row(f"{code}: JPEG", jpegs_cost * 1000))
        jpegs_alike = fmean(ssim(true, _opened(jpeg)) for true, (jpeg, _) in zip(exact, jpegs, strict=True))
        likeness.append(Row(f"{code}: JPEG", jpegs_alike))
        for encoding in BARS:
            others = [_made(scene, _plan(code, encoding)) for scene in scenes]
            share = fmean(len(other) / len(jpeg) for (other, _), (jpeg, _) in zip(others, jpegs, strict=True))
            rows.append(Row(f"{code}: {encoding}", fmean(len(other) for other, _ in others) / 1000, share))
            totals[encoding] += sum(len(other) for other, _ in others)
            cost = fmean(seconds for _, seconds in others)
            costs.append(Row(f"{code}: {encoding}", cost * 1000, cost / jpegs_cost))
            alike = fmean(ssim(true, _opened(other)) for true, (other, _) in zip(exact, others, strict=True))
            # A thousandth is less than anybody sees.
            likeness.append(Row(f"{code}: {encoding}", alike, alike / jpegs_alike, Bar(at_least=0.999)))
    for encoding, bar in BARS.items():
        share = totals[encoding] / totals["jpeg"]
        rows.append(Row(f"all of them: {encoding}", totals[encoding] / len(scenes) / 1000, share, bar))
    title = f"Bytes of {len(scenes)} pictures at quality {DEFAULTS.quality}"
    yield Table("bytes", title, "kilobytes each", "the JPEG", rows, NOTE)
    yield Table("likeness", "How like the picture they are", "SSIM", "the JPEG", likeness)
    yield Table("encoding-cost", "Decoding, scaling and encoding", "milliseconds of processor time", "the JPEG", costs)


def _plan(code: str, encoding: str | None) -> RenderPlan:
    plan = plan_for(PHOTO, Wanted(code=code, encoding=encoding), "jpg", DEFAULTS)
    if plan is None:
        raise ValueError(code)
    return plan


def _made(source: Path, plan: RenderPlan) -> tuple[bytes, float]:
    """A derivative, and the seconds of processor time that it took."""
    output = os.memfd_create("output")
    try:
        with source.open("rb") as reader:
            started = time.process_time()
            render(plan, reader.fileno(), output, None, LIMITS, lambda needed: None)
            return os.pread(output, os.fstat(output).st_size, 0), time.process_time() - started
    finally:
        os.close(output)


def _opened(content: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(content, "").colourspace("srgb").copy_memory()
