"""Derivatives in other encodings than their source's, with the real encoders: right, smaller, and as like the picture."""

import os
import statistics
import sys
from pathlib import Path

import pytest
import pyvips
from pictures import corner_colours, corners, is_near, write

from pwgserve.demo.photographs import photograph
from pwgserve.piwigo.derivatives import DEFAULTS, DerivativeSettings, Watermark
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render import engine
from pwgserve.render.limits import Limits
from pwgserve.render.plan import RECODED, RenderPlan, RenderRules, plan_for

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from compare_pictures import ssim

LIMITS = Limits(max_pixels=10**9, max_frames=1000, max_source=10**9, max_memory=10**9)
MADE = [(native, encoding) for native, encodings in RECODED.items() for encoding in encodings]
RULES = RenderRules()
EXTENSIONS = {"jpeg": "jpg"}
LOADERS = {"avif": "heif", "webp": "webp"}


def plan(extension, encoding, code="xs", settings=DEFAULTS, rules=RULES, rotation=0):
    photo = Photo(1, f"./a.{extension}", "a", 0, 1200, 800, rotation, None, None, ())
    return plan_for(photo, Wanted(code=code, encoding=encoding), extension, settings, rules)


def content(source: Path, made: RenderPlan, watermark: Path | None = None) -> bytes:
    output = os.memfd_create("output")
    mark = os.open(watermark, os.O_RDONLY) if watermark else None
    try:
        with source.open("rb") as reader:
            engine.render(made, reader.fileno(), output, mark, LIMITS, lambda needed: None)
        return os.pread(output, 10**8, 0)
    finally:
        os.close(output)
        if mark is not None:
            os.close(mark)


def opened(encoded: bytes) -> pyvips.Image:
    """As browsers show it: eight bits."""
    return pyvips.Image.new_from_buffer(encoded, "").colourspace("srgb").copy_memory()


@pytest.mark.parametrize(("native", "encoding"), MADE)
@pytest.mark.parametrize("code", ["sq", "xs"])
@pytest.mark.parametrize("rotation", [0, 1])
def test_every_source_in_every_encoding_it_may_have_is_the_same_picture(tmp_path, native, encoding, code, rotation):
    extension = EXTENSIONS.get(native, native)
    source = write(corners(1200, 800), tmp_path / f"a.{extension}")
    before = opened(content(source, plan(extension, None, code, rotation=rotation)))
    encoded = content(source, plan(extension, encoding, code, rotation=rotation))
    assert pyvips.Image.new_from_buffer(encoded, "").get("vips-loader").startswith(LOADERS[encoding])
    after = opened(encoded)
    assert (after.width, after.height) == (before.width, before.height)
    assert corner_colours(after) == corner_colours(before)
    assert ssim(before, after) > 0.97


@pytest.mark.parametrize(("native", "encoding"), [*MADE, *((native, None) for native in RECODED)])
@pytest.mark.parametrize("code", ["sq", "xs", "xl"])
@pytest.mark.parametrize("rotation", [0, 3])
def test_browsers_are_not_told_to_turn_what_is_upright_already(tmp_path, native, encoding, code, rotation):
    extension = EXTENSIONS.get(native, native)
    plain = corners(1200, 800)
    noted = plain.copy()
    noted.set_type(pyvips.GValue.gint_type, "orientation", 6)
    made = plan(extension, encoding, code, rotation=rotation)
    expected = opened(content(write(plain, tmp_path / f"plain.{extension}"), made))
    shown = opened(content(write(noted, tmp_path / f"noted.{extension}"), made)).autorot()
    assert (shown.width, shown.height) == (expected.width, expected.height)
    assert corner_colours(shown) == corner_colours(expected)


@pytest.mark.parametrize(("native", "encoding"), [("png", "webp"), ("webp", "avif")])
def test_what_is_transparent_stays_transparent(tmp_path, native, encoding):
    alpha = (pyvips.Image.xyz(900, 600)[0] > 450).ifthenelse(255, 0).cast("uchar")
    source = write(corners(900, 600).bandjoin(alpha).copy(interpretation="srgb"), tmp_path / f"a.{native}")
    image = opened(content(source, plan(native, encoding)))
    assert [round(image(x, 100)[3] / 255) for x in (10, image.width - 10)] == [0, 1]


def test_the_webp_of_a_png_has_its_very_pixels_in_fewer_bytes(tmp_path):
    source = tmp_path / "a.png"
    pyvips.Image.new_from_file("tests/vectors/pictures/sources/balloons.jpg").write_to_file(str(source))
    png, webp = content(source, plan("png", None)), content(source, plan("png", "webp"))
    assert (opened(png) - opened(webp)).abs().max() == 0
    assert len(webp) < 0.9 * len(png)


def test_grey_and_cmyk_become_what_they_look_like(tmp_path):
    grey = write(corners(900, 600).colourspace("b-w"), tmp_path / "grey.jpg")
    cmyk = write(corners(900, 600).icc_transform("cmyk", input_profile="srgb"), tmp_path / "cmyk.jpg")
    for encoding in ("avif", "webp"):
        red, green, blue = opened(content(grey, plan("jpg", encoding)))(30, 30)[:3]
        assert max(red, green, blue) - min(red, green, blue) < 6
        image = opened(content(cmyk, plan("jpg", encoding)))
        assert image(30, 30)[0] > image(30, 30)[1] + 60


def test_marks_and_harmless_metadata_are_there_and_positions_are_not(tmp_path):
    image = corners(1200, 800).copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Model", "Imagined Camera 1")
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "47/1 0/1 0/1")
    source = write(image, tmp_path / "a.jpg")
    mark = write(corners(100, 60).bandjoin(255).copy(interpretation="srgb"), tmp_path / "mark.png")
    watermark = Watermark("mark.png", (1, 1), 50, 50, 0, 0, 100)
    settings = DerivativeSettings(DEFAULTS.types, watermark=watermark)
    for encoding in ("avif", "webp"):
        made = plan("jpg", encoding, settings=settings, rules=RenderRules(keep_metadata_from=0))
        encoded = pyvips.Image.new_from_buffer(content(source, made, mark), "")
        assert "Imagined" in encoded.get("exif-ifd0-Model")
        assert not encoded.get_typeof("exif-ifd3-GPSLatitude")
        shown = encoded.colourspace("srgb")
        assert is_near(shown(shown.width // 2 - 40, shown.height // 2 - 25), (220, 20, 20), 40), "the mark's own red"


@pytest.fixture(scope="module", params=[("xs", (1800, 1200)), ("me", (3600, 2400))], ids=["xs", "me"])
def scenes(tmp_path_factory, request):
    """A type, and eight pictures with the grain of a camera for it, each with its exact pixels in that type."""
    code, size = request.param
    folder = tmp_path_factory.mktemp("scenes")
    lossless = RenderPlan(**vars(plan("jpg", None, code)) | {"format": "png"})
    found = []
    for number, scene in enumerate(["lake", "mist", "dunes", "forest", "city", "sea", "balloons", "lighthouse"]):
        file = folder / f"{scene}.jpg"
        photograph(file, scene, number + 1, *size)
        found.append((file, opened(content(file, lossless))))
    return code, found


@pytest.fixture(scope="module", params=[80, 95])
def jpegs(scenes, request):
    """A type and settings with a quality; for each of the pictures its JPEG, and how like the exact pixels that is."""
    code, pictures = scenes
    settings = DerivativeSettings(DEFAULTS.types, quality=request.param)
    made = [content(file, plan("jpg", None, code, settings)) for file, _ in pictures]
    return code, settings, [(jpeg, ssim(exact, opened(jpeg))) for jpeg, (_, exact) in zip(made, pictures, strict=True)]


# A WebP halves the resolution of colours and has fewer steps of lightness: on smooth skies it is a thousandth behind.
@pytest.mark.parametrize(("encoding", "fewer", "least"), [("avif", 0.40, 0), ("webp", 0.25, -0.001)])
def test_photos_take_fewer_bytes_and_look_no_worse(scenes, jpegs, encoding, fewer, least):
    code, settings, made = jpegs
    shares, likeness = [], []
    for (file, exact), (jpeg, its_likeness) in zip(scenes[1], made, strict=True):
        other = content(file, plan("jpg", encoding, code, settings))
        shares.append(len(other) / len(jpeg))
        likeness.append(ssim(exact, opened(other)) - its_likeness)
    assert statistics.fmean(shares) <= 1 - fewer
    assert statistics.fmean(likeness) >= least
