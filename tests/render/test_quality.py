import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.render.quality import quality_like

qualities = st.integers(1, 100)


@given(qualities, qualities, st.sampled_from([("jpeg", "avif"), ("jpeg", "webp"), ("webp", "avif")]))
def test_a_better_quality_is_never_worse_in_another_encoding(one, other, pair):
    low, high = sorted((one, other))
    assert 1 <= quality_like(low, *pair) <= quality_like(high, *pair) <= 100


@pytest.mark.parametrize("file_format", ["jpeg", "png", "gif", "webp"])
def test_derivatives_in_their_sources_own_format_have_the_owners_number(file_format):
    assert [quality_like(quality, file_format, file_format) for quality in (1, 75, 95, 100)] == [1, 75, 95, 100]
