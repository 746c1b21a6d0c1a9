"""Compares our derivatives with those that a real Piwigo made of the same photos: same sizes, and how alike they look.

    python -m benchmarks.compare_pictures FOLDER

FOLDER holds `sources/NAME.EXT`, one folder for each of Piwigo's graphics libraries with `NAME-CODE.EXT` as i.php sent
it, and optionally `derivatives.txt` (row `derivatives` of table `config`), `watermark.png`, and `photos.json` with
`{"NAME.EXT": {"rotation": 3, "coi": "abcd"}}`. Prints a table in Markdown; exit code 1 when a size differs or a picture
that is not tiny is less alike than the bar.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pyvips

from pwgserve.piwigo.derivatives import CODES, from_config
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.engine import render
from pwgserve.render.limits import Limits
from pwgserve.render.plan import plan_for

NO_LIMITS = Limits(max_pixels=10**9, max_frames=10**4, max_source=10**9, max_memory=10**10)
BAR = 0.97
TINY = 150
"""Pixels of the longer side below which likeness is not judged: a pixel's shift is much of such a picture."""


def ssim(one: pyvips.Image, other: pyvips.Image) -> float:
    """Structural similarity of two pictures of one size, by their lightness (Wang et al. 2004, window of sigma 1.5)."""
    x, y = (image.cast("float") for image in (_lightness(one), _lightness(other)))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def mean(image: pyvips.Image) -> pyvips.Image:
        return image.gaussblur(1.5, precision="float")

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x * mean_x, mean(y * y) - mean_y * mean_y
    covariance = mean(x * y) - mean_x * mean_y
    likeness = ((mean_x * mean_y * 2 + c1) * (covariance * 2 + c2)) / (
        (mean_x * mean_x + mean_y * mean_y + c1) * (variance_x + variance_y + c2)
    )
    return likeness.avg()


def _lightness(image: pyvips.Image) -> pyvips.Image:
    image = image.flatten(background=255) if image.hasalpha() else image
    if image.get_typeof("icc-profile-data"):
        with contextlib.suppress(pyvips.Error):
            image = image.icc_transform("srgb", embedded=True)
    elif image.interpretation == "cmyk":
        image = image.icc_transform("srgb", input_profile="cmyk")
    return image.colourspace("b-w")[0]


class References:
    """The folder's photos and settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        row = folder / "derivatives.txt"
        self.settings = from_config(row.read_bytes().strip() if row.exists() else None)
        rows = folder / "photos.json"
        self._photos = json.loads(rows.read_text()) if rows.exists() else {}
        mark = folder / "watermark.png"
        self._mark = mark if mark.exists() else None

    def ours(self, source: Path, code: str) -> pyvips.Image | None:
        """Our derivative of a source, None when there is none of this type."""
        known = self._photos.get(source.name, {})
        width, height = pyvips.Image.new_from_file(str(source)).width, pyvips.Image.new_from_file(str(source)).height
        photo = Photo(
            1, f"./{source.name}", source.name, 0, width, height, known.get("rotation"), known.get("coi"), None, ()
        )
        plan = plan_for(photo, Wanted(code=code), source.suffix[1:], self.settings)
        if plan is None:
            return None
        with source.open("rb") as reader, tempfile.NamedTemporaryFile() as writer:
            mark = os.open(self._mark, os.O_RDONLY) if self._mark and plan.watermark else None
            try:
                render(plan, reader.fileno(), writer.fileno(), mark, NO_LIMITS, lambda needed: None)
            finally:
                if mark is not None:
                    os.close(mark)
            return pyvips.Image.new_from_buffer(Path(writer.name).read_bytes(), "").copy_memory()


def main(folder: Path) -> int:
    references = References(folder)
    sources = {source.stem: source for source in (folder / "sources").iterdir()}
    failures = []
    print("| Library | Type | Pictures | Same size | SSIM, least | SSIM, median |")
    print("|---|---|---|---|---|---|")
    for library in sorted(entry for entry in folder.iterdir() if entry.is_dir() and entry.name != "sources"):
        likeness, same, count = defaultdict(list), defaultdict(int), defaultdict(int)
        for file in sorted(library.iterdir()):
            name, _, code = file.stem.rpartition("-")
            ours = references.ours(sources[name], code)
            if ours is None:
                continue
            theirs = pyvips.Image.new_from_file(str(file))
            count[code] += 1
            if (ours.width, ours.height) != (theirs.width, theirs.height):
                failures.append(
                    f"{library.name}/{file.name}: {ours.width}x{ours.height}, not {theirs.width}x{theirs.height}"
                )
                continue
            same[code] += 1
            found = ssim(ours, theirs)
            if max(ours.width, ours.height) >= TINY:
                likeness[code].append(found)
                if found < BAR:
                    failures.append(f"{library.name}/{file.name}: SSIM {found:.4f}")
        for code in (code for code in CODES if count[code]):
            values = sorted(likeness[code])
            least, median = (f"{values[0]:.4f}", f"{values[len(values) // 2]:.4f}") if values else ("tiny", "tiny")
            print(f"| {library.name} | {CODES[code]} | {count[code]} | {same[code]} | {least} | {median} |")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
