import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.derivatives import DerivativeParams
from pwgserve.piwigo.sizing import compute, round_half_up, turned

VECTORS = Path(__file__).parents[1] / "vectors/sizing.jsonl"


def _tuple(value):
    return tuple(value) if value is not None else None


def test_every_recorded_result_of_piwigo_is_reproduced():
    cases = [json.loads(line) for line in VECTORS.read_text().splitlines()]
    assert len(cases) == 4000
    # What the cases call "final" is what Piwigo writes into its pages; where it only crops, its pictures differ from it.
    wrong = []
    for case in cases:
        given_ = (_tuple(case["ideal"]), case["max_crop"], _tuple(case["min"]), _tuple(case["in"]), case["coi"])
        crop, scale = compute(*given_)
        token = "cu_" + DerivativeParams(*given_[:3]).token()
        expected = (_tuple(case["crop"]), _tuple(case["scale"]), case["custom"])
        if (crop, scale, token) != expected:
            wrong.append(case)
    assert wrong == []


sides = st.integers(1, 20_000)
sizes = st.tuples(sides, sides)
coi = st.none() | st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=4)


@given(sizes, st.floats(0, 1), st.none() | sizes, sizes, coi)
def test_a_crop_lies_inside_and_a_scale_never_enlarges(ideal, max_crop, min_size, size, centre):
    crop, scale = compute(ideal, max_crop, min_size, size, centre)
    left, top, right, bottom = crop or (0, 0, *size)
    assert 0 <= left <= right <= size[0]
    assert 0 <= top <= bottom <= size[1]
    if scale:
        assert scale[0] <= ideal[0]
        assert scale[1] <= ideal[1]
        assert scale[0] <= right - left
        assert scale[1] <= bottom - top


@given(sizes, sizes, coi)
def test_without_cropping_the_centre_of_interest_changes_nothing(ideal, size, centre):
    crop, scale = compute(ideal, 0, None, size, centre)
    assert crop is None
    assert (scale is None) == (size[0] <= ideal[0] and size[1] <= ideal[1])


@pytest.mark.parametrize(
    ("value", "expected"), [(0.5, 1), (1.5, 2), (2.5, 3), (-0.5, -1), (-2.5, -3), (2.4, 2), (0, 0)]
)
def test_halves_are_rounded_away_from_zero_as_in_php(value, expected):
    assert round_half_up(value) == expected


@pytest.mark.parametrize(("rotation", "expected"), [(None, (3, 2)), (0, (3, 2)), (1, (2, 3)), (2, (3, 2)), (5, (2, 3))])
def test_quarter_turns_swap_the_sides(rotation, expected):
    assert turned((3, 2), rotation) == expected
