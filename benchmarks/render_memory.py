"""What rendering costs in memory, picture by picture, in the worker that does it; and what we say it costs at most.

    python -m benchmarks.render_memory [--megapixels 100] [--only WebP]

Makes the pictures itself. Prints a table in Markdown: the worker's peak above what it had before, the address space
that it reserved (which is what the kernel limits), our estimate (which decides what is refused and what is alone),
and what it keeps afterwards. Exit code 1 when a picture took more of either than was estimated. Linux only: the peaks
are the kernel's own figures (VmHWM, VmPeak).
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyvips

from pwgserve.piwigo.derivatives import DerivativeParams
from pwgserve.render.limits import MEGABYTE, Limits, needed_memory
from pwgserve.render.plan import RenderPlan, RenderRules
from pwgserve.render.pool import RenderPool
from pwgserve.render.sandbox import RESERVE
from pwgserve.render.steps import Source
from pwgserve.render.turns import Client
from pwgserve.render.workers import PoolSettings

LIMITS = Limits(max_pixels=10**10, max_frames=10_000, max_source=10**10, max_memory=8_000 * MEGABYTE)
Writer = Callable[[pyvips.Image, str], None]

WRITERS: dict[str, tuple[float, str, Writer]] = {
    "JPEG, baseline, 4:2:0": (1, "jpg", lambda i, f: i.jpegsave(f, Q=90, subsample_mode="on")),
    "JPEG, baseline, 4:4:4": (1, "jpg", lambda i, f: i.jpegsave(f, Q=90, subsample_mode="off")),
    "JPEG, progressive, 4:2:0": (1, "jpg", lambda i, f: i.jpegsave(f, Q=90, interlace=True, subsample_mode="on")),
    "JPEG, progressive, 4:4:4": (1, "jpg", lambda i, f: i.jpegsave(f, Q=90, interlace=True, subsample_mode="off")),
    "JPEG, baseline": (0.24, "jpg", lambda i, f: i.jpegsave(f, Q=90)),
    "PNG": (0.5, "png", lambda i, f: i.pngsave(f, compression=1)),
    "PNG, interlaced": (0.5, "png", lambda i, f: i.pngsave(f, compression=1, interlace=True)),
    "PNG, alpha": (0.5, "png", lambda i, f: i.bandjoin(200).pngsave(f, compression=1)),
    "PNG, 16 bits and alpha": (0.5, "png", lambda i, f: i.cast("ushort").bandjoin(65535).pngsave(f, compression=1)),
    "WebP": (0.5, "webp", lambda i, f: i.webpsave(f, effort=0)),
    "GIF": (0.24, "gif", lambda i, f: i.gifsave(f, effort=1)),
}
SIZES = {
    "medium": DerivativeParams((792, 594)),
    "xxlarge": DerivativeParams((1656, 1242)),
    "as it is": DerivativeParams((20_000, 20_000)),
}
FORMATS = {"jpg": "jpeg"}
ENCODINGS = {"jpg": ("webp", "avif"), "png": ("webp-lossless",), "webp": ("avif",)}
"""What derivatives are encoded in for browsers that want it, instead of the source's format."""


def photograph(megapixels: float) -> pyvips.Image:
    """Something with the detail of a photo, so that its file is as large as a photo's."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    noise = pyvips.Image.perlin(width, height, cell_size=256, uchar=True)
    grain = pyvips.Image.gaussnoise(width, height, sigma=8, mean=0)
    return (noise.bandjoin([noise.invert(), noise]) + grain).cast("uchar").copy(interpretation="srgb")


def status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def plan_of(params: DerivativeParams, file_format: str) -> RenderPlan:
    return RenderPlan(params.ideal, 0, None, None, 0, 0, 95, file_format, None, RenderRules())


def estimate(file: Path, plan: RenderPlan) -> int:
    with file.open("rb") as source:
        header = Source.of(source.fileno(), plan).header
        return needed_memory(header, plan.layout(header.size).output, plan.format)


async def measured(file: Path, plan: RenderPlan) -> tuple[int, int, int]:
    """The worker's peak of memory and of address space, and what it keeps, in bytes above what it had before."""
    pool = RenderPool(PoolSettings(1, 10, 600.0, LIMITS))
    await pool.start()
    output = os.memfd_create("output")
    try:
        pid = pool.workers.idle[0].process.pid
        before, space = status(pid, "VmRSS"), status(pid, "VmSize")
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        with file.open("rb") as source:
            await pool.render("job", Client("x"), plan, source.fileno(), output, None)
        return status(pid, "VmHWM") - before, status(pid, "VmPeak") - space, status(pid, "VmRSS") - before
    finally:
        os.close(output)
        await pool.close()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--megapixels", type=float, default=100)
    arguments.add_argument("--only", default="", help="only pictures whose names hold this")
    given = arguments.parse_args()
    largest = given.megapixels
    is_over = False
    print(
        "| picture | megapixels | file | to | peak | reserved | estimated | kept |\n|---|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, (share, extension, write) in WRITERS.items():
            if given.only not in name:
                continue
            file = Path(folder) / f"picture.{extension}"
            write(photograph(largest * share), str(file))
            own = FORMATS.get(extension, extension)
            for size, params in SIZES.items():
                if size == "as it is" and share * largest > 60:
                    continue
                for file_format in (own, *(ENCODINGS.get(extension, ()) if size != "as it is" else ())):
                    plan = plan_of(params, file_format)
                    peak, reserved, kept = asyncio.run(measured(file, plan))
                    said = estimate(file, plan)
                    is_over |= peak > said or reserved > said * RESERVE
                    numbers = [
                        f"{number / MEGABYTE:.0f} MB" for number in (file.stat().st_size, peak, reserved, said, kept)
                    ]
                    target = size if file_format == own else f"{size}, {file_format}"
                    print(
                        f"| {' | '.join([name, f'{largest * share:.0f}', numbers[0], target, *numbers[1:]])} |",
                        flush=True,
                    )
    return int(is_over)


if __name__ == "__main__":
    raise SystemExit(main())
