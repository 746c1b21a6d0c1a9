import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.http import charts

VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1e15)), max_size=120)


def numbers_in(svg):
    root = ET.fromstring(svg)
    for element in root.iter():
        for name in ("x", "y", "width", "height", "cx", "cy"):
            if name in element.attrib and not element.tag.endswith("text"):
                yield name, float(element.attrib[name])
        for pair in element.attrib.get("points", "").split():
            x, y = pair.split(",")
            yield "x", float(x)
            yield "y", float(y)


@given(VALUES, VALUES)
def test_whatever_the_numbers_the_drawing_stays_inside_its_frame(first, second):
    length = min(len(first), len(second))
    series = [("red", "one <of>", first[:length]), ("blue", "two & more", second[:length])]
    times = [f"{index}:00" for index in range(length)]
    for svg in (charts.bars(series, times, str), charts.lines(series, times, str)):
        for name, number in numbers_in(svg):
            assert -1 <= number <= (charts.WIDTH if name in ("x", "width", "cx") else charts.HEIGHT) + 1


def test_bars_lie_on_top_of_each_other():
    svg = charts.bars([("a", "a", [1.0]), ("b", "b", [1.0])], ["now"], str)
    rects = [e.attrib for e in ET.fromstring(svg) if e.tag.endswith("rect") and e.attrib["class"] in "ab"]
    assert float(rects[0]["y"]) == pytest.approx(float(rects[1]["y"]) + float(rects[1]["height"]), abs=0.2)


def test_a_gap_is_a_gap():
    svg = charts.lines([("a", "a", [1.0, 2.0, None, 3.0, 1.0])], list("12345"), str)
    assert svg.count("<polyline") == 2


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.7, 1), (1, 1), (1.1, 2), (3, 5), (99, 100), (101, 200), (7e9, 1e10)]
)
def test_scales_end_with_round_numbers(value, top):
    assert charts.nice(value) == top


def test_pointing_at_a_time_tells_its_values():
    svg = charts.lines([("a", "hit rate", [0.5])], ["12:00"], lambda value: f"{value:.0%}")
    assert "<title>12:00\nhit rate: 50%</title>" in svg
