"""Pictures made for tests, whose corners have colours: red, green, blue and white from the top left, clockwise."""

from pathlib import Path

import pyvips

RED, GREEN, WHITE, BLUE = (220, 20, 20), (20, 200, 20), (240, 240, 240), (20, 20, 220)


def corners(width: int, height: int) -> pyvips.Image:
    """Red and green above, blue and white below."""
    if min(width, height) < 2:
        return pyvips.Image.black(width, height, bands=3).linear(1, list(RED)).cast("uchar").copy(interpretation="srgb")
    half_w, half_h = width // 2, height // 2

    def part(colour, w, h):
        return (pyvips.Image.black(w, h, bands=3).linear(1, list(colour))).cast("uchar")

    upper = part(RED, half_w, half_h).join(part(GREEN, width - half_w, half_h), "horizontal")
    lower = part(BLUE, half_w, height - half_h).join(part(WHITE, width - half_w, height - half_h), "horizontal")
    return upper.join(lower, "vertical").copy(interpretation="srgb")


def write(image: pyvips.Image, file: Path, **options: object) -> Path:
    image.write_to_file(str(file), **options)
    return file


def is_near(pixel: list[float], colour: tuple[int, ...], tolerance: int = 25) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, colour, strict=False))


def corner_colours(image: pyvips.Image) -> list[str]:
    """The names of the colours of the corners, clockwise from the top left."""
    names = {"red": RED, "green": GREEN, "white": WHITE, "blue": BLUE}
    x, y = image.width - 1, image.height - 1
    inset_x, inset_y = image.width // 8, image.height // 8
    points = [(inset_x, inset_y), (x - inset_x, inset_y), (x - inset_x, y - inset_y), (inset_x, y - inset_y)]
    found = []
    for px, py in points:
        pixel = image(px, py)[:3]
        found.append(next((name for name, colour in names.items() if is_near(pixel, colour, 40)), str(pixel)))
    return found
