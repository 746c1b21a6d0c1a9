from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.derivatives import DEFAULTS, DerivativeParams, DerivativeSettings, Watermark
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.wanted import Part, Wanted
from pwgserve.render.plan import (
    Layout,
    RenderPlan,
    RenderRules,
    as_it_lies,
    fitted_watermark,
    is_worth,
    layout_within,
    plan_for,
    sharpen_kernel,
    watermark_places,
)
from pwgserve.render.quality import quality_like


def photo(**columns):
    row = {"path": "./upload/a.jpg", "file": "a.jpg", "level": 0, "width": 3000, "height": 2000, "rotation": 0}
    row |= {"coi": None, "representative_ext": None, "albums": ()} | columns
    return Photo(photo_id=1, **row)


def plan(**changes):
    base = {"ideal": (120, 120), "max_crop": 1, "min_size": (120, 120), "coi": None, "rotation": 0, "sharpen": 0}
    return RenderPlan(**base | {"quality": 95, "format": "jpeg", "watermark": None} | changes)


@pytest.mark.parametrize(
    ("extension", "expected"), [("JPG", "jpeg"), ("jpeg", "jpeg"), ("png", "png"), ("gif", "gif"), ("webp", "webp")]
)
def test_a_derivative_keeps_its_sources_format(extension, expected):
    assert plan_for(photo(), Wanted(code="me"), extension, DEFAULTS).format == expected


@pytest.mark.parametrize("extension", ["mp4", "pdf", "svg", "tiff", "php", ""])
def test_what_is_no_picture_has_no_derivatives(extension):
    assert plan_for(photo(), Wanted(code="me"), extension, DEFAULTS) is None


def test_what_the_gallery_has_not_or_nobody_asked_to_render_has_no_plan():
    assert plan_for(photo(), Wanted(code="4x"), "jpg", DEFAULTS) is None
    assert plan_for(photo(), Wanted(), "jpg", DEFAULTS) is None
    assert plan_for(photo(), Wanted(code="cu", custom=DerivativeParams((50, 50))), "jpg", DEFAULTS) is None


def test_a_centre_of_interest_matters_to_cropping_types_only():
    assert plan_for(photo(coi="abcd"), Wanted(code="sq"), "jpg", DEFAULTS).coi == "abcd"
    assert plan_for(photo(coi="abcd"), Wanted(code="me"), "jpg", DEFAULTS).coi is None


def test_a_representative_has_neither_the_photos_turn_nor_its_centre():
    found = plan_for(photo(coi="abcd", rotation=1), Wanted(Part.REPRESENTATIVE, "sq"), "jpg", DEFAULTS)
    assert (found.coi, found.rotation) == (None, 0)


@pytest.mark.parametrize(
    ("rotation", "orientation", "turns"),
    [
        (0, 6, 0),
        (1, 1, 1),
        (None, 1, 0),
        (None, 3, 2),
        (None, 4, 2),
        (None, 5, 3),
        (None, 6, 3),
        (None, 7, 1),
        (None, 8, 1),
        (None, 99, 0),
    ],
)
def test_the_database_decides_about_turns_and_exif_only_when_it_does_not(rotation, orientation, turns):
    assert plan(rotation=rotation).layout((300, 200), orientation).turns == turns


sides = st.integers(1, 5000)


@given(sides, sides, st.integers(0, 3), st.none() | st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=4))
def test_a_crop_in_the_sources_coordinates_is_the_upright_crop_turned_back(width, height, turns, coi):
    layout = plan(rotation=turns, coi=coi).layout((width, height))
    if layout.crop:
        left, top, right, bottom = layout.crop
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    assert min(layout.output) >= 1
    upright = plan(rotation=0, coi=coi).layout((height, width) if turns % 2 else (width, height))
    assert layout.output == upright.output


@given(
    st.builds(
        plan, coi=st.none() | st.just("azaz"), sharpen=st.floats(0, 100), watermark=st.none() | st.builds(Watermark)
    )
)
def test_a_plan_survives_its_way_to_the_worker(made):
    assert RenderPlan.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("watermark", "places"),
    [
        (Watermark("a", xpos=0, ypos=0), [(0, 0)]),
        (Watermark("a", xpos=100, ypos=100), [(700, 550)]),
        (Watermark("a", xpos=50, ypos=50), [(350, 275)]),
        (Watermark("a", xpos=50, ypos=50, xrepeat=1), [(350, 275), (220, 275), (480, 275)]),
        (Watermark("a", xpos=0, ypos=0, xrepeat=1, yrepeat=1), [(0, 0), (0, 80), (130, 0), (130, 80)]),
        (Watermark("a", xpos=99, ypos=0, xrepeat=9), [(693, 0), (43, 0), (173, 0), (303, 0), (433, 0), (563, 0)]),
    ],
)
def test_watermarks_lie_where_piwigo_puts_them(watermark, places):
    assert watermark_places(watermark, (800, 600), (100, 50)) == places


@pytest.mark.parametrize(
    ("mark", "output", "across", "down"),
    [
        ((200, 160), (801, 600), [0, 250, 500], [0, 200, 400]),  # a quarter of the mark lies between two of them
        ((10, 10), (811, 811), range(0, 801, 40), range(0, 801, 40)),
        ((10, 10), (810, 810), range(0, 761, 40), range(0, 761, 40)),  # none touches the edge
        ((10, 50), (90, 240), [0, 40], [0, 80, 160]),
    ],
)
def test_a_watermark_is_repeated_as_far_as_the_picture_goes(mark, output, across, down):
    found = watermark_places(Watermark("a", xpos=0, ypos=0, xrepeat=99, yrepeat=99), output, mark)
    assert sorted(found) == [(x, y) for x in across for y in down]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [(0, (10, 20, 40, 70)), (1, (230, 10, 280, 40)), (2, (260, 130, 290, 180)), (3, (20, 160, 70, 190))],
)
def test_a_box_of_the_upright_picture_is_found_in_the_source(turns, expected):
    """Of 300 x 200 pixels as it lies; the box begins 10 from the left and 20 from the top of the upright picture."""
    assert as_it_lies((10, 20, 40, 70), (300, 200), turns) == expected


def test_an_absurd_number_of_repetitions_costs_no_more_than_fits():
    found = watermark_places(Watermark("a", xrepeat=10**9, yrepeat=10**9), (3000, 2000), (1, 1))
    assert len(found) < 10_000


@pytest.mark.parametrize(
    ("output", "mark", "expected"),
    [
        ((800, 600), (100, 50), (100, 50)),
        ((100, 100), (400, 200), (100, 50)),
        ((100, 100), (400, 1), (100, 1)),
        ((100, 100), (1, 400), (1, 100)),
    ],
)
def test_a_watermark_larger_than_the_picture_is_fitted(output, mark, expected):
    assert fitted_watermark(output, mark) == expected


@pytest.mark.parametrize(("amount", "centre"), [(1, 47.62), (50, 29.0), (100, 10.0)])
def test_the_kernel_of_sharpening(amount, centre):
    kernel, total = sharpen_kernel(amount)
    assert kernel[1][1] == centre
    assert total == pytest.approx(sum(map(sum, kernel)))


LARGE = {"ideal": (1224, 918), "max_crop": 0, "min_size": None}
MEDIUM = LARGE | {"ideal": (792, 594)}


@pytest.mark.parametrize(
    ("large", "small", "expected"),
    [
        ({}, {}, True),
        ({}, {"max_crop": 1, "min_size": (480, 480), "ideal": (480, 480)}, True),
        ({}, {"max_crop": 1, "min_size": (792, 594)}, False),
        ({}, {"sharpen": 40, "watermark": Watermark("w.png"), "quality": 50, "format": "avif"}, True),
        ({"quality": 90}, {}, True),
        ({"format": "png"}, {"format": "png"}, True),
        # Too little is left of it, or something was done to it that must not be done twice.
        ({"quality": 89}, {}, False),
        ({"format": "gif"}, {"format": "gif"}, False),
        ({"format": "webp"}, {"format": "webp"}, False),
        ({"sharpen": 1}, {}, False),
        ({"watermark": Watermark("w.png")}, {}, False),
        ({"max_crop": 1, "min_size": (1224, 918)}, {}, False),
        # It is turned otherwise, was made by other rules, or is not much larger.
        ({"rotation": 1}, {}, False),
        ({"rotation": None}, {}, False),
        ({"rules": RenderRules(strip_gps=False)}, {}, False),
        ({"ideal": (1008, 756)}, {}, False),
        ({"ideal": (5000, 5000)}, {}, False),
        ({}, {"ideal": (1224, 918)}, False),
        ({"ideal": (576, 432)}, {}, False),
    ],
)
def test_from_which_derivatives_smaller_ones_are_made(large, small, expected):
    assert plan(**LARGE | large).may_become(plan(**MEDIUM | small), (3000, 2000)) is expected


@given(
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    st.integers(0, 3),
    st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    st.sampled_from([0, 0.5, 1]),
)
def test_what_a_smaller_size_needs_of_a_larger_one_lies_within_it(source, rotation, ideal, larger, crop):
    kept = plan(**LARGE | {"ideal": larger, "rotation": rotation}).layout(source)
    layout = plan(ideal=ideal, max_crop=crop, min_size=ideal, rotation=rotation).layout(source)
    within = layout_within(kept, layout, source, 1.3)
    if within is None:
        return
    assert (within.scale, within.turns, within.output) == (layout.scale, layout.turns, layout.output)
    left, top, right, bottom = within.crop or (0, 0, *kept.scale)
    assert 0 <= left < right <= kept.scale[0]
    assert 0 <= top < bottom <= kept.scale[1]
    box = as_it_lies((left, top, right, bottom), kept.output, -rotation % 4)
    assert as_it_lies(box, kept.scale, rotation) == (left, top, right, bottom)


@pytest.mark.parametrize(
    ("changes", "source", "crop", "scale", "output"),
    [
        ({"ideal": (120, 60), "min_size": (120, 60)}, (300, 50), (100, 0, 200, 50), None, (100, 50)),
        ({"ideal": (120, 60), "min_size": (120, 60), "rotation": 1}, (50, 300), (0, 100, 50, 200), None, (100, 50)),
        ({}, (100, 300), (0, 100, 100, 200), None, (100, 100)),
        (MEDIUM, (300, 200), None, None, (300, 200)),
        (MEDIUM | {"rotation": 3}, (200, 300), None, None, (300, 200)),
        # However long a picture is, it stays one.
        (MEDIUM, (30000, 3), None, (792, 1), (792, 1)),
        (MEDIUM, (3, 30000), None, (1, 594), (1, 594)),
    ],
)
def test_a_layout_is_as_large_as_what_is_left_of_its_source(changes, source, crop, scale, output):
    found = plan(**changes).layout(source)
    assert (found.crop, found.scale, found.output) == (crop, scale, output)


KEPT = Layout(None, (1200, 800), 0, (1200, 800))
"""What was kept of a source of 2400 x 1600 pixels."""


@pytest.mark.parametrize(
    ("kept", "crop", "scale", "expected"),
    [
        (KEPT, None, (600, 400), Layout(None, (600, 400), 1, (600, 400))),
        (KEPT, None, (601, 400), None),
        (KEPT, None, (600, 401), None),
        (KEPT, (400, 0, 2000, 1600), (400, 400), Layout((200, 0, 1000, 800), (400, 400), 1, (400, 400))),
        (KEPT, (400, 0, 2000, 1600), (401, 400), None),
        (KEPT, (0, 400, 2400, 1200), (600, 200), Layout((0, 200, 1200, 600), (600, 200), 1, (600, 200))),
        (KEPT, (0, 400, 2400, 1200), (600, 201), None),
        (KEPT, (401, 3, 2001, 1600), (100, 100), Layout((200, 2, 1000, 800), (100, 100), 1, (100, 100))),
        (KEPT, None, None, None),
        (replace(KEPT, crop=(0, 0, 1200, 800)), None, (600, 400), None),
        (replace(KEPT, scale=None), None, (600, 400), None),
    ],
)
def test_a_size_is_made_from_what_was_kept_where_that_is_large_enough(kept, crop, scale, expected):
    assert layout_within(kept, Layout(crop, scale, 1, scale or (1600, 1600)), (2400, 1600), 2.0) == expected


@pytest.mark.parametrize(
    ("encoding", "changes", "expected"),
    [
        ("avif", {"ideal": (1224, 918)}, True),
        ("avif", {"ideal": (1225, 918)}, False),
        ("avif", {"ideal": (2000, 500)}, True),
        ("webp", {"ideal": (1225, 918)}, True),
        ("webp", {"quality": 95}, True),
        ("webp", {"quality": 96}, False),
        ("avif", {"quality": 98}, True),
        ("avif", {"quality": 99}, False),
        ("webp", {"format": "png"}, True),
        ("avif", {"format": "png"}, False),
        ("webp", {"format": "gif"}, False),
        ("webp", {"format": "webp"}, False),
        ("avif", {"format": "webp"}, True),
        ("jxl", {}, False),
    ],
)
def test_an_encoding_is_offered_that_looks_as_well_and_is_made_soon(encoding, changes, expected):
    assert is_worth(encoding, plan(**changes)) is expected


def test_only_large_results_keep_what_the_camera_noted():
    assert plan().keeps_metadata((640, 400))
    assert not plan().keeps_metadata((639, 400))


@pytest.mark.parametrize("code", DEFAULTS.types)
def test_the_quality_of_an_encoding_is_that_for_the_pixels_of_the_type(code):
    wide = DerivativeSettings({name: replace(params, ideal=(3000, 60)) for name, params in DEFAULTS.types.items()})
    for settings in (DEFAULTS, wide):
        width, height = settings.types[code].ideal
        for encoding in ("avif", "webp"):
            found = plan_for(photo(), Wanted(code=code, encoding=encoding), "jpg", settings)
            assert found.quality == quality_like(95, "jpeg", encoding, width * height)


def test_a_plan_follows_the_rules_of_the_gallery():
    rules = RenderRules(keep_metadata_from=1, strip_gps=False, animate=True)
    assert plan_for(photo(), Wanted(code="me"), "jpg", DEFAULTS, rules).rules == rules
