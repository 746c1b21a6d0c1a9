import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.render.quality import LARGE, MEDIUM, SIZES, is_reached, quality_like, webp_effort

qualities = st.integers(1, 100)


pairs = st.sampled_from([("jpeg", "avif"), ("jpeg", "webp"), ("webp", "avif")])


@given(qualities, qualities, pairs, st.sampled_from(SIZES))
def test_a_better_quality_is_never_worse_in_another_encoding(one, other, pair, pixels):
    low, high = (quality_like(quality, *pair, pixels) for quality in sorted((one, other)))
    assert 1 <= low <= high <= 100


@pytest.mark.parametrize("file_format", ["jpeg", "png", "gif", "webp"])
def test_derivatives_in_their_sources_own_format_have_the_owners_number(file_format):
    assert [quality_like(quality, file_format, file_format) for quality in (1, 75, 95, 100)] == [1, 75, 95, 100]


def test_no_quality_stands_for_one_that_an_encoder_cannot_reach():
    assert is_reached(95, "jpeg", "webp")
    assert not is_reached(96, "jpeg", "webp")
    assert not is_reached(99, "jpeg", "avif")
    assert is_reached(100, "png", "webp-lossless")


def test_what_is_lossless_knows_no_worse():
    assert {quality_like(quality, "png", "webp-lossless") for quality in (1, 50, 100)} == {100}


@given(qualities, pairs)
def test_a_large_picture_never_needs_a_higher_quality_than_a_small_one(quality, pair):
    assert quality_like(quality, *pair, LARGE) <= quality_like(quality, *pair)


def test_a_webp_of_medium_size_needs_a_higher_quality_and_more_effort():
    sizes = (MEDIUM - 1, MEDIUM, LARGE - 1, LARGE)
    assert [quality_like(95, "jpeg", "webp", size) for size in sizes] == [97, 99, 99, 97]
    assert [webp_effort(size) for size in sizes] == [4, 5, 5, 4]
