"""The engine with the real libvips, on pictures as cameras, scanners and attackers make them."""

import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import pyvips
from pictures import corner_colours, corners, is_near, write

from pwgserve.piwigo.derivatives import DerivativeParams, Watermark
from pwgserve.piwigo.sizing import compute
from pwgserve.render.engine import UnrenderableError, render
from pwgserve.render.limits import Limits
from pwgserve.render.plan import FORMATS, RenderPlan, RenderRules

LIMITS = Limits(max_pixels=10**9, max_frames=1000, max_source=10**9, max_memory=10**10)
MEDIUM = DerivativeParams((300, 200))
SQUARE = DerivativeParams((120, 120), 1, (120, 120))


def plan(params=MEDIUM, file_format="jpeg", rotation=0, **changes):
    base = {"ideal": params.ideal, "max_crop": params.max_crop, "min_size": params.min_size, "coi": None}
    base |= {"rotation": rotation, "sharpen": 0, "quality": 90, "format": file_format, "watermark": None}
    return RenderPlan(**base | changes)


def rendered(source: Path, made: RenderPlan, watermark: Path | None = None, **limits: int) -> pyvips.Image:
    output = source.parent / "output"
    with source.open("rb") as reader, output.open("wb+") as writer:
        mark = os.open(watermark, os.O_RDONLY) if watermark else None
        try:
            render(made, reader.fileno(), writer.fileno(), mark, replace(LIMITS, **limits), lambda needed: None)
        finally:
            if mark is not None:
                os.close(mark)
    return pyvips.Image.new_from_buffer(output.read_bytes(), "")


SIZES = [
    (3000, 2000),
    (2000, 3000),
    (301, 200),
    (300, 201),
    (299, 199),
    (4001, 7),
    (7, 4001),
    (1, 1),
    (1, 5000),
    (640, 639),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("extension", ["jpg", "png", "gif", "webp"])
@pytest.mark.parametrize("params", [MEDIUM, SQUARE], ids=["fit", "crop"])
def test_a_derivative_has_exactly_the_size_that_piwigo_computes(tmp_path, size, extension, params):
    source = write(corners(*size), tmp_path / f"a.{extension}")
    crop, scale = compute(params.ideal, params.max_crop, params.min_size, size, None)
    left, top, right, bottom = crop or (0, 0, *size)
    expected = tuple(max(1, side) for side in scale) if scale else (right - left, bottom - top)
    image = rendered(source, plan(params, FORMATS[extension]))
    assert (image.width, image.height) == expected
    assert image.get("vips-loader").startswith(FORMATS[extension])


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (0, ["red", "green", "white", "blue"]),
        (1, ["green", "white", "blue", "red"]),
        (2, ["white", "blue", "red", "green"]),
        (3, ["blue", "red", "green", "white"]),
    ],
)
@pytest.mark.parametrize("params", [MEDIUM, SQUARE], ids=["fit", "crop"])
@pytest.mark.parametrize("size", [(900, 600), (2400, 1600)])
def test_quarter_turns_are_counter_clockwise(tmp_path, rotation, expected, params, size):
    image = rendered(write(corners(*size), tmp_path / "a.jpg"), plan(params, rotation=rotation))
    assert corner_colours(image) == expected


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_a_photo_only_while_piwigo_has_not_noted_its_turn(tmp_path, orientation):
    image = corners(900, 600).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    source = write(image, tmp_path / "a.jpg")
    turns = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)
    assert corner_colours(rendered(source, plan(rotation=None))) == corner_colours(
        rendered(source, plan(rotation=turns))
    )
    assert corner_colours(rendered(source, plan(rotation=0))) == ["red", "green", "white", "blue"]


@pytest.mark.parametrize("extension", ["png", "webp"])
def test_exif_turns_nothing_but_jpegs(tmp_path, extension):
    image = corners(900, 600).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    source = write(image, tmp_path / f"a.{extension}")
    made = rendered(source, plan(file_format=FORMATS[extension], rotation=None))
    assert (made.width, made.height) == (300, 200)
    assert corner_colours(made) == ["red", "green", "white", "blue"]


@pytest.mark.parametrize(("coi", "side"), [("aaea", "left"), ("vazz", "right"), (None, "middle")])
def test_a_centre_of_interest_moves_the_crop(tmp_path, coi, side):
    image = rendered(write(corners(2400, 600), tmp_path / "a.jpg"), plan(SQUARE, coi=coi))
    left, right = corner_colours(image)[:2]
    assert {"left": ("red", "red"), "right": ("green", "green"), "middle": ("red", "green")}[side] == (left, right)


def test_shrinking_while_decoding_looks_like_shrinking_after_it(tmp_path):
    big = pyvips.Image.zone(4000, 3000).copy(interpretation="srgb").gaussblur(4)
    image = big.cast("uchar") if big.format == "uchar" else ((big + 1) * 127.5).cast("uchar")
    jpeg, png = write(image, tmp_path / "a.jpg", Q=98), write(image, tmp_path / "a.png")
    from_jpeg, from_png = rendered(jpeg, plan(file_format="png")), rendered(png, plan(file_format="png"))
    assert (from_jpeg - from_png).abs().avg() < 3


@pytest.mark.parametrize("unseen", [0, 255])
@pytest.mark.parametrize("is_deep", [False, True])
def test_transparency_stays_and_has_no_fringe_of_what_is_not_seen(tmp_path, unseen, is_deep):
    alpha = (pyvips.Image.xyz(900, 600)[0] > 451).ifthenelse(255, 0).cast("uchar")
    image = (alpha > 0).ifthenelse([100] * 3, [unseen] * 3).cast("uchar").bandjoin(alpha)
    image = (image.cast("ushort") * 257).copy(interpretation="rgb16") if is_deep else image.copy(interpretation="srgb")
    image = rendered(write(image, tmp_path / "a.png"), plan(file_format="png"))
    assert (image.bands, image.format) == (4, "uchar")
    assert image(290, 100)[3] == 255
    assert image(10, 100)[3] == 0
    edge = [image(x, 100) for x in range(image.width) if 20 < image(x, 100)[3] < 235]
    assert edge and all(is_near(pixel[:3], (100, 100, 100), 6) for pixel in edge)


def test_a_transparent_picture_under_a_jpegs_name_gets_a_white_ground(tmp_path):
    source = write(corners(900, 600).bandjoin(0).copy(interpretation="srgb"), tmp_path / "a.png")
    assert is_near(rendered(source, plan())(10, 10), (255, 255, 255))


def test_sixteen_bits_grey_and_palettes_become_eight_bits_of_the_same_colours(tmp_path):
    deep = (corners(900, 600).cast("ushort") * 257).copy(interpretation="rgb16")
    assert corner_colours(rendered(write(deep, tmp_path / "deep.png"), plan(file_format="png")))[0] == "red"
    palette = tmp_path / "palette.png"
    corners(900, 600).pngsave(str(palette), palette=True)
    assert corner_colours(rendered(palette, plan(file_format="png"))) == ["red", "green", "white", "blue"]
    grey = rendered(write(corners(900, 600).colourspace("b-w"), tmp_path / "grey.jpg"), plan())
    assert (grey.bands, grey.format) == (1, "uchar")


def test_cmyk_with_and_without_a_profile_becomes_rgb(tmp_path):
    for keep in ("all", "none"):
        cmyk = corners(900, 600).icc_transform("cmyk", input_profile="srgb")
        source = write(cmyk, tmp_path / f"{keep}.jpg", keep=keep)
        image = rendered(source, plan())
        assert image.bands == 3
        red, green = image(30, 30), image(270, 30)
        assert red[0] > red[1] + 60
        assert green[1] > green[0] + 40


def test_colours_of_a_wide_profile_stay_right(tmp_path):
    wide = corners(900, 600).icc_transform("p3", input_profile="srgb")
    assert not is_near(wide(30, 30), (220, 20, 20), 10), "the numbers differ in this profile"
    assert corner_colours(rendered(write(wide, tmp_path / "p3.jpg"), plan())) == ["red", "green", "white", "blue"]


def test_a_damaged_profile_is_no_reason_to_show_nothing(tmp_path):
    image = corners(900, 600).copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", b"not a profile" * 50)
    source = tmp_path / "a.jpg"
    image.jpegsave(str(source))
    assert corner_colours(rendered(source, plan()))[0] == "red"


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = pyvips.Image.arrayjoin([corners(90, 60), corners(90, 60).rot180()], across=1).copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 60)
    for extension in ("gif", "webp"):
        source = write(frames, tmp_path / f"a.{extension}")
        image = rendered(source, plan(DerivativeParams((45, 30)), extension))
        assert (image.width, image.height) == (45, 30)
        assert corner_colours(image)[0] == "red"


def test_metadata_are_left_behind(tmp_path):
    image = corners(900, 600).copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "47/1 0/1 0/1")
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Model", "Camera")
    source = write(image, tmp_path / "a.jpg")
    assert b"Camera" in source.read_bytes()
    names = rendered(source, plan()).get_fields()
    assert [name for name in names if name.startswith(("exif", "xmp", "iptc"))] == []


def test_sharpening_makes_edges_steeper(tmp_path):
    source = write(corners(900, 600).gaussblur(2), tmp_path / "a.png")
    soft, sharp = (rendered(source, plan(file_format="png", sharpen=amount)) for amount in (0, 60))
    steepness = [(image.crop(1, 0, 299, 200) - image.crop(0, 0, 299, 200)).abs().max() for image in (soft, sharp)]
    assert steepness[1] > steepness[0] * 1.1
    assert is_near(sharp(20, 20), soft(20, 20), 3), "even areas keep their colour"


def test_sharpening_leaves_transparency_as_it_is(tmp_path):
    alpha = pyvips.Image.xyz(300, 200)[0].linear(255 / 299, 0).cast("uchar")
    source = write(corners(300, 200).bandjoin(alpha).copy(interpretation="srgb"), tmp_path / "a.png")
    image = rendered(source, plan(file_format="png", sharpen=60))
    assert image.bands == 4
    assert (image[3] - alpha).abs().max() == 0


def mark_file(tmp_path, colour=(255, 255, 0), alpha=255, size=(60, 40)):
    image = pyvips.Image.black(*size, bands=3).linear(1, list(colour)).bandjoin(alpha).cast("uchar")
    return write(image.copy(interpretation="srgb"), tmp_path / "mark.png")


@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_a_watermark_lies_where_it_should_with_its_opacity(tmp_path, extension):
    source = write(corners(900, 600), tmp_path / f"a.{extension}")
    watermark = Watermark("mark.png", (100, 100), xpos=0, ypos=0, opacity=100)
    image = rendered(source, plan(file_format=FORMATS[extension], watermark=watermark), mark_file(tmp_path))
    assert is_near(image(30, 20), (255, 255, 0))
    assert is_near(image(80, 60), (220, 20, 20))
    assert image.bands == 3
    half = plan(file_format=FORMATS[extension], watermark=Watermark("mark.png", (100, 100), 0, 0, opacity=50))
    assert is_near(rendered(source, half, mark_file(tmp_path))(30, 20), (238, 138, 10))
    clear = rendered(source, half, mark_file(tmp_path, alpha=0))
    assert is_near(clear(30, 20), (220, 20, 20))


@pytest.mark.parametrize("bands", [1, 2, 3])
def test_a_watermark_may_be_grey_or_opaque(tmp_path, bands):
    mark = pyvips.Image.black(60, 40) + 255
    mark = mark.bandjoin([255] * (bands - 1)).cast("uchar").copy(interpretation="b-w" if bands < 3 else "srgb")
    source = write(corners(900, 600), tmp_path / "a.png")
    made = plan(file_format="png", watermark=Watermark("mark.png", (100, 100), 0, 0, opacity=50))
    image = rendered(source, made, write(mark, tmp_path / "mark.png"))
    assert is_near(image(30, 20), (237, 137, 137))
    assert is_near(image(80, 60), (220, 20, 20))


def test_a_small_output_has_no_watermark(tmp_path):
    source = write(corners(900, 600), tmp_path / "a.png")
    made = plan(file_format="png", watermark=Watermark("mark.png", (301, 201), 0, 0))
    assert is_near(rendered(source, made, mark_file(tmp_path))(30, 20), (220, 20, 20))


def test_a_watermark_larger_than_the_picture_is_shrunk(tmp_path):
    source = write(corners(900, 600), tmp_path / "a.png")
    made = plan(file_format="png", watermark=Watermark("mark.png", (10, 10), 50, 50))
    image = rendered(source, made, mark_file(tmp_path, size=(3000, 1000)))
    assert is_near(image(150, 100), (255, 255, 0))
    assert is_near(image(150, 20), (220, 20, 20), 250)


def test_a_grey_picture_takes_a_coloured_watermark(tmp_path):
    source = write(corners(900, 600).colourspace("b-w"), tmp_path / "a.jpg")
    made = plan(watermark=Watermark("mark.png", (10, 10), 0, 0))
    assert is_near(rendered(source, made, mark_file(tmp_path))(30, 20), (255, 255, 0), 30)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    source = write(corners(900, 600), tmp_path / "a.jpg")
    size = source.stat().st_size
    rendered(source, plan(), max_source=size)
    with pytest.raises(UnrenderableError, match=r"larger than render\.max_source"):
        rendered(source, plan(), max_source=size - 1)


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path):
    source = write(corners(900, 600), tmp_path / "a.jpg")
    with pytest.raises(UnrenderableError, match=r"900x600 pixels, more than render\.max_megapixels"):
        rendered(source, plan(), max_pixels=539_999)


@pytest.mark.parametrize("extension", ["jpg", "png", "gif", "webp"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.98])
def test_a_truncated_picture_is_refused_and_never_half_shown(tmp_path, extension, share):
    grain = pyvips.Image.gaussnoise(900, 600, sigma=20, mean=128, seed=1).cast("uchar")
    source = write(grain, tmp_path / f"a.{extension}")
    content = source.read_bytes()
    source.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnrenderableError):
        rendered(source, plan(file_format=FORMATS[extension]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.4",
        b"P6 9 9 255 ",
        b"RIFF____WEBP",
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, content):
    source = tmp_path / "a.jpg"
    source.write_bytes(content)
    with pytest.raises(UnrenderableError):
        rendered(source, plan())


CONFINED = """
import sys, pyvips
from pwgserve.render import engine
engine.confine()
for name in sys.argv[1:]:
    try:
        pyvips.Image.new_from_file(name).avg()
        print(name, "decoded")
    except pyvips.Error:
        print(name, "refused")
"""


def test_a_confined_process_decodes_the_gallerys_formats_and_no_other(tmp_path):
    image = corners(30, 20)
    names = [str(write(image, tmp_path / f"a.{extension}")) for extension in ("jpg", "png", "gif", "webp", "tif", "v")]
    svg = tmp_path / "a.svg"
    svg.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, *names, str(svg)], capture_output=True, text=True, check=True
    )
    outcome = {Path(line.split()[0]).suffix: line.split()[1] for line in done.stdout.splitlines()}
    decoded = {suffix for suffix, word in outcome.items() if word == "decoded"}
    assert decoded == {".jpg", ".png", ".gif", ".webp"}
    assert len(outcome) == 7


LARGE = DerivativeParams((900, 600))
TAGS = {
    "exif-ifd0-Model": "Camera",
    "exif-ifd2-BodySerialNumber": "SERIAL77",
    "exif-ifd2-CameraOwnerName": "OWNER77",
    "exif-ifd3-GPSLatitude": "47/1 0/1 0/1",
    "exif-ifd1-Compression": "6",
}


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
def test_a_large_derivative_keeps_what_the_camera_noted_but_not_where_and_whose(tmp_path, extension):
    image = corners(1200, 800).copy()
    for name, text in TAGS.items():
        image.set_type(pyvips.GValue.gstr_type, name, text)
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    image.set_type(
        pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta><exif:GPSLatitude>47</exif:GPSLatitude></x:xmpmeta>"
    )
    source = write(image, tmp_path / f"a.{extension}")
    made = rendered(source, plan(LARGE, FORMATS[extension]))
    content = (tmp_path / "output").read_bytes()
    assert b"Camera" in content
    for word in (b"SERIAL77", b"OWNER77", b"GPS"):
        assert word not in content
    assert [name for name in made.get_fields() if "GPS" in name or name.startswith("exif-ifd1")] == []
    assert made.get("orientation") == 1, "it is as the gallery says, and not turned again by browsers"

    kept = rendered(source, plan(LARGE, FORMATS[extension], rules=RenderRules(strip_gps=False)))
    assert kept.get_typeof("exif-ifd3-GPSLatitude")


def with_preview(jpeg: bytes, preview: bytes) -> bytes:
    """A JPEG whose EXIF names a camera and holds a preview, as cameras write it."""
    model = b"Camera\0"
    second = 8 + 2 + 12 + 4 + len(model) + 1
    at = second + 2 + 3 * 12 + 4
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8)
    exif += struct.pack("<HHHIII", 1, 0x110, 2, len(model), 26, second) + model + b"\0"
    tags = [(0x103, 3, 1, 6), (0x201, 4, 1, at), (0x202, 4, 1, len(preview))]
    exif += struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0) + preview
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("strip_gps", [True, False])
def test_the_cameras_own_preview_goes_in_any_case(tmp_path, strip_gps):
    """It may show what was cut away, or painted over, since."""
    preview = corners(90, 60).jpegsave_buffer(keep="none") + b"PREVIEW"
    source = tmp_path / "a.jpg"
    source.write_bytes(with_preview(corners(1200, 800).jpegsave_buffer(keep="none"), preview))
    assert pyvips.Image.new_from_file(str(source)).get("jpeg-thumbnail-data") == preview
    rendered(source, plan(LARGE, rules=RenderRules(strip_gps=strip_gps)))
    content = (tmp_path / "output").read_bytes()
    assert b"Camera" in content
    assert b"PREVIEW" not in content


@pytest.mark.parametrize("strip_gps", [True, False])
def test_words_of_the_press_stay_only_where_all_may_stay(tmp_path, strip_gps):
    """IPTC, which repeats places and names."""
    image = corners(1200, 800).copy()
    words = b"\x1c\x02\x5a\x00\x08Chiemsee"
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(words)) + words + b"\0"
    image.set_type(pyvips.GValue.blob_type, "iptc-data", block)
    source = write(image, tmp_path / "a.jpg")
    assert b"Chiemsee" in source.read_bytes()
    rendered(source, plan(LARGE, rules=RenderRules(strip_gps=strip_gps)))
    assert (b"Chiemsee" in (tmp_path / "output").read_bytes()) is not strip_gps


def test_from_which_size_on_metadata_stay_is_the_gallerys_choice(tmp_path):
    image = corners(1200, 800).copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Model", "Camera")
    source = write(image, tmp_path / "a.jpg")
    for threshold, expected in ((540_000, True), (540_001, False)):
        rendered(source, plan(LARGE, rules=RenderRules(keep_metadata_from=threshold)))
        assert (b"Camera" in (tmp_path / "output").read_bytes()) is expected


@pytest.mark.parametrize("extension", ["gif", "webp"])
@pytest.mark.parametrize(
    "params", [DerivativeParams((45, 30)), DerivativeParams((30, 30), 1, (30, 30))], ids=["fit", "crop"]
)
def test_an_animation_stays_one_if_the_owner_wants_it(tmp_path, extension, params):
    frames = pyvips.Image.arrayjoin([corners(90, 60), corners(90, 60).rot180()] * 3, across=1).copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 60)
    frames.set_type(pyvips.GValue.array_int_type, "delay", [50, 70] * 3)
    frames.set_type(pyvips.GValue.gint_type, "loop", 0)
    source = write(frames, tmp_path / f"a.{extension}")
    rendered(source, plan(params, extension, rules=RenderRules(animate=True)))
    film = pyvips.Image.new_from_file(str(tmp_path / "output"), n=-1)
    assert (film.width, film.get("page-height"), film.get("n-pages")) == (*params.ideal, 6)
    assert film.get("delay") == [50, 70] * 3
    second = film.crop(0, params.ideal[1], *params.ideal)
    assert corner_colours(second) == ["white", "blue", "red", "green"]


@pytest.mark.parametrize(("animate", "expected"), [(False, 1), (True, 3)])
def test_an_animated_gif_that_is_cut_short_shows_the_frames_that_it_has(tmp_path, animate, expected):
    grain = [pyvips.Image.gaussnoise(90, 60, sigma=20, mean=128, seed=seed).cast("uchar") for seed in range(5)]
    frames = pyvips.Image.arrayjoin(grain, across=1).copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 60)
    source = write(frames, tmp_path / "a.gif")
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    rendered(source, plan(DerivativeParams((45, 30)), "gif", rules=RenderRules(animate=animate)))
    film = pyvips.Image.new_from_file(str(tmp_path / "output"), n=-1)
    assert film.height // 30 == expected


def test_all_frames_of_an_animation_count_as_pixels(tmp_path):
    frames = pyvips.Image.arrayjoin([corners(90, 60), corners(90, 60).rot180()], across=1).copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 60)
    source = write(frames, tmp_path / "a.gif")
    animated = plan(DerivativeParams((45, 30)), "gif", rules=RenderRules(animate=True))
    with pytest.raises(UnrenderableError, match="90x60 pixels in 2 frames"):
        rendered(source, animated, max_pixels=10_000)
    assert rendered(source, plan(DerivativeParams((45, 30)), "gif"), max_pixels=10_000).width == 45


def sampling_of(jpeg: bytes) -> int:
    """How often lightness is sampled for each sample of colour: 0x11 is as often, 0x22 twice in both directions."""
    position = 2
    while jpeg[position + 1] not in (0xC0, 0xC2):
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
    return jpeg[position + 11]


@pytest.mark.parametrize(("quality", "expected"), [(95, 0x11), (90, 0x11), (89, 0x22), (75, 0x22)])
def test_chroma_is_whole_at_high_quality_and_halved_below(tmp_path, quality, expected):
    rendered(write(corners(900, 600), tmp_path / "a.png"), plan(quality=quality))
    rendered(write(corners(900, 600), tmp_path / "a.jpg"), plan(quality=quality))
    assert sampling_of((tmp_path / "output").read_bytes()) == expected


@pytest.mark.parametrize(
    "options", [{"interlace": True}, {"interlace": True, "restart_interval": 1}, {"subsample_mode": "off"}]
)
def test_jpegs_of_all_builds_are_the_same_picture(tmp_path, options):
    source = tmp_path / "a.jpg"
    corners(3000, 2000).jpegsave(str(source), **options)
    image = rendered(source, plan())
    assert (image.width, image.height) == (300, 200)
    assert corner_colours(image) == ["red", "green", "white", "blue"]


def test_a_huge_picture_comes_out(tmp_path):
    source = tmp_path / "a.jpg"
    corners(12_000, 9_000).jpegsave(str(source), Q=60)
    image = rendered(source, plan(SQUARE))
    assert (image.width, image.height) == (120, 120)
    assert corner_colours(image) == ["red", "green", "white", "blue"]
