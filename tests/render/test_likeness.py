"""Our derivatives beside those that a real Piwigo 16.4 made of the same two pictures, with each of its libraries.

The sources were drawn for this; what i.php sent of them is kept in tests/vectors/pictures.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pyvips

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "tests/vectors/pictures"


def compare(folder):
    tool = ROOT / "benchmarks/compare_pictures.py"
    return subprocess.run([sys.executable, str(tool), str(folder)], capture_output=True, text=True)


def test_sizes_are_the_same_and_pictures_alike():
    done = compare(PICTURES)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    assert [row[:4] for row in rows] == [
        [library, name, "2", "2"]
        for library in ("ext_imagick", "gd", "imagick")
        for name in ("square", "2small", "xsmall")
    ]


def test_the_comparison_can_fail(tmp_path):
    shutil.copytree(PICTURES, tmp_path / "pictures")
    for name, change in (("nature-xs.jpg", "fliphor"), ("balloons-2s.jpg", "rot90")):
        file = tmp_path / "pictures/gd" / name
        image = pyvips.Image.new_from_file(str(file)).copy_memory()
        (image.fliphor() if change == "fliphor" else image.rot90()).jpegsave(str(file))
    done = compare(tmp_path / "pictures")
    assert done.returncode == 1
    assert "gd/nature-xs.jpg: SSIM" in done.stderr
    assert "gd/balloons-2s.jpg: 240x160, not 160x240" in done.stderr
