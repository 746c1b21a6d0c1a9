"""Pictures of 24 megapixels made smaller: our confined workers on all cores against libvips alone doing the same, all
sizes of one photo against its largest, one size against the libraries that i.php may use, and every size against the
fastest of them.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyvips

from benchmarks.lab import Lab, photograph
from benchmarks.results import Bar, Row, Table, interleaved
from pwgserve.piwigo.derivatives import DEFAULTS
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.sizing import Size
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.limits import Limits
from pwgserve.render.plan import RenderPlan, plan_for
from pwgserve.render.pool import RenderPool
from pwgserve.render.turns import Client
from pwgserve.render.workers import NICENESS, PoolSettings

SIZE = (6000, 4000)
QUICK_SIZE = (3000, 2000)
AS_A_CAMERA = {"Q": 90, "subsample_mode": "on"}
"""Phones and most cameras keep colour at half the resolution; libvips by itself would not, at this quality."""
GRAINY = {"Q": 95, "subsample_mode": "on"}
"""The same with nearly twice the bytes, as high ISO or a careful setting gives."""

CORES = os.cpu_count() or 1
OURS, RAW, GD = "pwgserve", "libvips", "PHP with GD"
LIMITS = Limits(max_pixels=10**9, max_frames=1, max_source=10**9, max_memory=2 * 10**9)
PHOTO = Photo(1, "./a.jpg", "a.jpg", 0, *SIZE, 0, None, None, ())
NICE = ["nice", f"-n{NICENESS}"]
"""So that nobody has the processor before the other."""

MEDIUM = DEFAULTS.types["me"].ideal

PHP = """
[$way, $source, $target] = array_slice($argv, 1, 3);
[$left, $top, $right, $bottom, $width, $height, $times] = array_map('intval', array_slice($argv, 4));
$started = microtime(true);
for ($n = 0; $n < $times; $n++) {
    if ($way === 'gd') {
        $picture = imagecreatefromjpeg($source);
        $small = imagecreatetruecolor($width, $height);
        imagecopyresampled(
            $small, $picture, 0, 0, $left, $top, $width, $height, $right - $left, $bottom - $top
        );
        imagejpeg($small, $target, 95);
    } else {
        $picture = new Imagick($source);
        $picture->resizeImage($width, $height, Imagick::FILTER_LANCZOS, 0.9);
        $picture->setImageCompressionQuality(95);
        $picture->writeImage($target);
    }
}
echo (microtime(true) - $started) / $times;
"""
"""What PHP programs do with these libraries: a stand-in for i.php, which also starts up and asks its database."""


def measure(lab: Lab) -> Iterator[Table]:
    """Renderings a second, and seconds for one photo."""
    folder = lab.folder()
    source = folder / "photo.jpg"
    grainy = folder / "grainy.jpg"
    picture = photograph(*(QUICK_SIZE if lab.quick else SIZE)).copy_memory()
    picture.jpegsave(str(source), **AS_A_CAMERA)
    picture.jpegsave(str(grainy), **GRAINY)
    # One thread for a picture, as in our workers: a process reads this when it loads libvips, before `_as_a_worker`.
    os.environ["VIPS_CONCURRENCY"] = "1"
    with ProcessPoolExecutor(CORES, get_context("spawn"), _as_a_worker) as processes, asyncio.Runner() as runner:
        pool = RenderPool(PoolSettings(CORES, 1000, 60.0, LIMITS))
        runner.run(pool.start())
        try:
            # All workers of both are started and warm before anything is measured.
            _raw_rate(processes, source, folder, "sq", CORES * 2)
            _rate(runner, pool, source, "sq", CORES * 2)
            yield _by_type(lab, processes, runner, pool, source, folder)
            yield _all_sizes(lab, runner, pool, source)
            yield _libraries(lab, runner, pool, source, folder)
            if _php_has("gd"):
                yield from _every_size(lab, runner, pool, source, grainy, folder)
        finally:
            runner.run(pool.close())


def _by_type(
    lab: Lab, processes: ProcessPoolExecutor, runner: asyncio.Runner, pool: RenderPool, source: Path, folder: Path
) -> Table:
    rows = []
    for code in ("sq", "th", "me", "xx") if not lab.quick else ("th",):
        count = CORES * (2 if lab.quick else 12)
        contenders = {
            OURS: lambda code=code, count=count: _rate(runner, pool, source, code, count),
            RAW: lambda code=code, count=count: _raw_rate(processes, source, folder, code, count),
        }
        found = interleaved(contenders, lab.rounds if lab.quick else lab.rounds * 3)
        rows.append(Row(f"{code}: {RAW} in {CORES} processes", found.median(RAW)))
        ratio = found.ratio(OURS, RAW)
        rows.append(Row(f"{code}: {OURS}", found.median(OURS), ratio, Bar(at_least=0.95), against=RAW))
    note = "Both on all cores, at the same priority, from file to JPEG; ours through its queue and its sandbox."
    return Table("renders", "Renderings of 24 megapixels, all cores", "pictures per second", RAW, rows, note)


def _all_sizes(lab: Lab, runner: asyncio.Runner, pool: RenderPool, source: Path) -> Table:
    every, largest = "all nine sizes, asked for at once", "the largest size alone"
    contenders = {
        every: lambda: _seconds(runner, pool, source, list(DEFAULTS.types)),
        largest: lambda: _seconds(runner, pool, source, ["xx"]),
    }
    found = interleaved(contenders, lab.rounds if lab.quick else lab.rounds * 3)
    rows = [
        Row(largest, found.median(largest) * 1000),
        Row(every, found.median(every) * 1000, found.ratio(every, largest), Bar(at_most=1.7)),
    ]
    return Table("all-sizes", "All sizes of one photo of 24 megapixels", "milliseconds", "the largest alone", rows)


def _libraries(lab: Lab, runner: asyncio.Runner, pool: RenderPool, source: Path, folder: Path) -> Table:
    script = folder / "small.php"
    script.write_text("<?php" + PHP)
    contenders: dict[str, Callable[[], float]] = {OURS: lambda: _seconds(runner, pool, source, ["me"])}
    for way, extension in (("GD", "gd"), ("Imagick", "imagick")):
        if _php_has(extension):
            contenders[f"PHP with {way}"] = lambda extension=extension: _php(script, extension, source, folder)
    program = _imagemagick()
    if program is not None:
        contenders["ImageMagick's command"] = lambda: _command(program, source, folder)
    found = interleaved(contenders, lab.rounds)
    others = [name for name in contenders if name != OURS]
    rows = [Row(name, found.median(name) * 1000) for name in others]
    fastest = min(others, key=found.median, default=None)
    for name in others:
        bar = Bar(at_least=5) if name == fastest else None
        rows.append(Row(OURS, found.median(OURS) * 1000, found.ratio(name, OURS), bar, against=name))
    if not others:
        # Never a table without its bar that looks as if all was well.
        rows.append(Row(OURS, found.median(OURS) * 1000, note="none of PHP's libraries is installed to compare with"))
    note = "Decoding, resizing and encoding alone, a stand-in for i.php, which does more. Ratio: how often as fast."
    return Table("libraries", f"24 megapixels to {MEDIUM[0]}x{MEDIUM[1]}", "milliseconds", "the library", rows, note)


def _every_size(
    lab: Lab, runner: asyncio.Runner, pool: RenderPool, source: Path, grainy: Path, folder: Path
) -> Iterator[Table]:
    script = folder / "small.php"
    script.write_text("<?php" + PHP)
    note = (
        "As above, each size alone, and nothing made before. Most of our time is reading the JPEG: libvips shrinks "
        "while it reads, but all Huffman codes must be read all the same (docs/decisions/0028)."
    )
    for key, file, says in (
        ("every-size", source, note),
        ("every-size-grainy", grainy, "The same photo with more of its grain kept: more codes to read."),
    ):
        rows = []
        for code in DEFAULTS.types if not lab.quick else ("th",):
            contenders = {
                OURS: lambda code=code, file=file: _seconds(runner, pool, file, [code]),
                GD: lambda code=code, file=file: _php(script, "gd", file, folder, code, times=1),
            }
            found = interleaved(contenders, lab.rounds if lab.quick else lab.rounds * 2 - 1)
            rows.append(Row(f"{code}: {GD}", found.median(GD) * 1000))
            rows.append(
                Row(f"{code}: {OURS}", found.median(OURS) * 1000, found.ratio(GD, OURS), Bar(at_least=5), against=GD)
            )
        title = f"24 megapixels in {file.stat().st_size / 1e6:.1f} MB to every size"
        yield Table(key, title, "milliseconds", GD, rows, says)


def _plan(code: str) -> RenderPlan:
    plan = plan_for(PHOTO, Wanted(code=code), "jpg", DEFAULTS)
    if plan is None:
        raise ValueError(code)
    return plan


def _rate(runner: asyncio.Runner, pool: RenderPool, source: Path, code: str, count: int) -> float:
    """Pictures a second, of as many different visitors' pictures."""
    started = time.perf_counter()
    runner.run(_all(pool, [(source, f"file {n}", code) for n in range(count)]))
    return count / (time.perf_counter() - started)


def _seconds(runner: asyncio.Runner, pool: RenderPool, source: Path, codes: Sequence[str]) -> float:
    started = time.perf_counter()
    file = secrets.token_hex(8)
    runner.run(_all(pool, [(source, file, code) for code in codes]))
    return time.perf_counter() - started


async def _all(pool: RenderPool, wanted: Sequence[tuple[Path, str, str]]) -> None:
    await asyncio.gather(*(_render(pool, *one) for one in wanted))


async def _render(pool: RenderPool, source: Path, file: str, code: str) -> None:
    output = os.memfd_create("output")
    descriptor = os.open(source, os.O_RDONLY)
    try:
        await pool.render(secrets.token_hex(8), Client("bench"), _plan(code), descriptor, output, None, file)
        os.pread(output, os.fstat(output).st_size, 0)
    finally:
        os.close(descriptor)
        os.close(output)


def _as_a_worker() -> None:
    os.nice(NICENESS)
    pyvips.cache_set_max(0)


def _raw_rate(processes: ProcessPoolExecutor, source: Path, folder: Path, code: str, count: int) -> float:
    started = time.perf_counter()
    list(processes.map(_raw, [str(source)] * count, [str(folder)] * count, [code] * count))
    return count / (time.perf_counter() - started)


def _raw(source: str, folder: str, code: str) -> None:
    """What `vipsthumbnail` does, without starting a program for each picture."""
    width, height = DEFAULTS.types[code].ideal
    crop = {"crop": "centre"} if code == "sq" else {}
    image = pyvips.Image.thumbnail(source, width, height=height, size="down", **crop)
    image.jpegsave(f"{folder}/{os.getpid()}.jpg", Q=95, optimize_coding=True, keep="none")


def _size_of(source: Path) -> Size:
    picture = pyvips.Image.new_from_file(str(source))
    return picture.width, picture.height


def _php_has(extension: str) -> bool:
    php = shutil.which("php")
    return php is not None and extension in subprocess.run([php, "-m"], capture_output=True, text=True).stdout.split()


def _php(script: Path, way: str, source: Path, folder: Path, code: str = "me", times: int = 2) -> float:
    """Seconds for one picture."""
    size = _size_of(source)
    layout = _plan(code).layout(size)
    numbers = (*(layout.crop or (0, 0, *size)), *layout.output, times)
    given = ["php", "-d", "memory_limit=-1", str(script), way, str(source), str(folder / f"{way}.jpg")]
    given += [str(number) for number in numbers]
    return float(subprocess.run([*NICE, *given], capture_output=True, text=True, check=True).stdout)


def _imagemagick() -> str | None:
    """ImageMagick's command, None where there is none: other programs have that name, too."""
    for name in ("magick", "convert-im6", "convert"):
        program = shutil.which(name)
        if (
            program
            and "Version: ImageMagick" in subprocess.run([program, "-version"], capture_output=True, text=True).stdout
        ):
            return program
    return None


def _command(program: str, source: Path, folder: Path) -> float:
    started = time.perf_counter()
    given = [program, str(source), "-resize", "792x594", "-quality", "95", str(folder / "command.jpg")]
    subprocess.run([*NICE, *given], check=True)
    return time.perf_counter() - started
