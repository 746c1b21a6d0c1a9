"""Files that a camera or a friend might have sent: JPEG, PNG, GIF and WebP of the scenes, with grain and EXIF."""

from __future__ import annotations

from pathlib import Path

import pyvips

from pwgserve.demo.scenes import svg

GRAIN = 5.0
"""Strength of the noise of the camera that never was; without it drawings compress like no photograph does."""

GRAIN_TILE = 512
DRAWN_SIDE = 3000
FRAMES = 12
FRAME_MILLISECONDS = 110


def photograph(file: Path, scene: str, seed: int, width: int, height: int, exif_orientation: int = 1) -> None:
    """Write a scene to a file in the format of its extension. Width and height: upright, in pixels.

    exif_orientation: how the camera was held; 6 stores an upright scene lying on its side, as cameras do.
    """
    lies_on_its_side = exif_orientation == 6
    image = _with_grain(_drawn(scene, seed, width, height), seed)
    if lies_on_its_side:
        image = image.rot270()
    image = image.copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Model", "Imagined Camera 1")
    if exif_orientation != 1:
        image.set_type(pyvips.GValue.gint_type, "orientation", exif_orientation)
    if file.suffix == ".webp":
        image.webpsave(str(file), Q=85, effort=1)
    else:
        image.jpegsave(str(file), Q=88)


def cutout(file: Path, scene: str, seed: int, width: int, height: int) -> None:
    """Write a scene as a PNG whose empty parts are transparent."""
    pyvips.Image.svgload_buffer(svg(scene, seed, width, height)).pngsave(str(file), compression=3)


def animation(file: Path, scene: str, seed: int, width: int, height: int) -> None:
    """Write a scene as an animated GIF of FRAMES pictures."""
    frames = [_drawn(scene, seed, width, height, moment=index / FRAMES) for index in range(FRAMES)]
    film = pyvips.Image.arrayjoin(frames, across=1).copy()
    film.set_type(pyvips.GValue.gint_type, "page-height", height)
    film.set_type(pyvips.GValue.array_int_type, "delay", [FRAME_MILLISECONDS] * FRAMES)
    film.set_type(pyvips.GValue.gint_type, "loop", 0)
    film.gifsave(str(file), effort=3)


def frame(scene: str, seed: int, width: int, height: int, moment: float) -> bytes:
    """One frame of a film: rows of red, green and blue bytes."""
    return bytes(_drawn(scene, seed, width, height, moment).write_to_memory())


def _drawn(scene: str, seed: int, width: int, height: int, moment: float = 0.0) -> pyvips.Image:
    # Very large drawings take their time, and grain hides that they were enlarged.
    reduction = max(1, round(max(width, height) / DRAWN_SIDE))
    image = pyvips.Image.svgload_buffer(svg(scene, seed, width // reduction, height // reduction, moment))
    image = image.flatten().copy_memory().copy(interpretation="srgb")
    if reduction > 1:
        image = image.resize(width / image.width, vscale=height / image.height, kernel="linear")
    return image


def _with_grain(image: pyvips.Image, seed: int) -> pyvips.Image:
    tile = pyvips.Image.gaussnoise(GRAIN_TILE, GRAIN_TILE, sigma=GRAIN, mean=0, seed=seed).cast("char").copy_memory()
    grain = tile.replicate(-(-image.width // GRAIN_TILE), -(-image.height // GRAIN_TILE))
    grainy = image + grain.crop(0, 0, image.width, image.height)
    return grainy.cast("uchar").copy(interpretation="srgb")
