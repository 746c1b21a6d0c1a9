"""What is refused before it is decoded, what is rendered alone, and what machines of all sizes are given."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.render.limits import MEGABYTE, SMALL, Header, Limits, memory_for_one, needed_memory, workers_for

LIMITS = Limits(max_pixels=100_000_000, max_frames=100, max_source=10**9, max_memory=600 * MEGABYTE)
PHOTO = Header((6000, 4000), 1, 3, 3, "jpeg", is_interlaced=False, is_subsampled=True)
SMALL_SERVER = 1_000 * MEGABYTE
XXLARGE = (1656, 1242)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"size": (10_000, 10_000)}, None),
        ({"size": (10_001, 10_000)}, "10001x10000 pixels, more than render.max_megapixels"),
        ({"size": (1000, 1000), "frames": 100}, None),
        ({"size": (1001, 1000), "frames": 100}, "1001x1000 pixels in 100 frames"),
        ({"size": (1, 1), "frames": 101}, "101 frames, more than render.max_frames"),
        ({"size": (2**31 - 1, 2**31 - 1)}, "more than render.max_megapixels"),
    ],
)
def test_what_is_too_much_is_named_with_the_setting_that_says_so(change, words):
    problem = replace(PHOTO, **change).problem(LIMITS)
    assert problem is None if words is None else words in problem


def test_a_photo_of_a_camera_is_rendered_beside_others_on_any_machine():
    assert needed_memory(PHOTO, XXLARGE, "jpeg") < SMALL


def test_a_small_server_renders_what_the_project_promises():
    """1 GB, 2 cores: 100 megapixels of JPEG, baseline and progressive, and 50 megapixels of PNG."""
    allowed = memory_for_one(SMALL_SERVER)
    baseline = replace(PHOTO, size=(11_547, 8_660))
    assert needed_memory(baseline, XXLARGE, "jpeg") < SMALL
    assert needed_memory(replace(baseline, is_interlaced=True), XXLARGE, "jpeg") < allowed
    assert needed_memory(replace(PHOTO, size=(8_165, 6_124), loader="png"), XXLARGE, "jpeg") < allowed


@given(st.integers(1, 256), st.integers(128, 2**20))
def test_workers_and_their_pictures_fit_the_machine(cores, megabytes):
    machine = megabytes * MEGABYTE
    workers = workers_for(cores, machine)
    assert 1 <= workers <= cores
    assert workers == 1 or workers * 150 * MEGABYTE + 400 * MEGABYTE <= machine
    assert 256 * MEGABYTE <= memory_for_one(machine) <= 2_000 * MEGABYTE


@given(
    st.builds(
        Header,
        st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)),
        st.integers(1, 50),
        st.integers(1, 4),
        st.integers(1, 8),
        st.sampled_from(["jpeg", "png", "gif", "webp", "unknown"]),
        st.booleans(),
        st.booleans(),
    ),
    st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
)
def test_more_pixels_never_need_less(header, output):
    larger = replace(header, size=(header.size[0] + 100, header.size[1] + 100))
    assert needed_memory(larger, output, "jpeg") >= needed_memory(header, output, "jpeg") > 0
    assert needed_memory(header, output, "avif") > needed_memory(header, output, "webp")
