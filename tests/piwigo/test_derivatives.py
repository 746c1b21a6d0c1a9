import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.derivatives import (
    DEFAULTS,
    DerivativeParams,
    DerivativeSettingsError,
    Watermark,
    from_config,
)


def params(width, height, sharpen="0", crop="0", minimum="N;"):
    sizing = f'O:12:"SizingParams":3:{{s:10:"ideal_size";a:2:{{i:0;i:{width};i:1;s:{len(str(height))}:"{height}";}}'
    sizing += f's:8:"max_crop";d:{crop};s:8:"min_size";{minimum}}}'
    return f'O:16:"DerivativeParams":3:{{s:13:"last_mod_time";i:7;s:6:"sizing";{sizing}s:7:"sharpen";i:{sharpen};}}'


def row(types, rest=""):
    items = "".join(f's:{len(name)}:"{name}";{value}' for name, value in types.items())
    count = 1 + rest.count("s:1:")
    return f'a:{count}:{{s:1:"d";a:{len(types)}:{{{items}}}{rest}}}'.encode()


def test_no_row_stands_for_the_defaults():
    assert from_config(None) is DEFAULTS
    assert from_config(b"") is DEFAULTS
    assert list(DEFAULTS.types) == ["sq", "th", "2s", "xs", "sm", "me", "la", "xl", "xx"]
    assert DEFAULTS.types["sq"] == DerivativeParams((120, 120), 1, (120, 120))
    assert DEFAULTS.quality == 95


def test_an_owners_number_for_no_limit_is_a_size():
    assert from_config(row({"xxlarge": params(99999, 99999)})).types["xx"].ideal == (99999, 99999)
    assert from_config(row({"xxlarge": params(10**9, 1)})).types["xx"].ideal == (10**9, 1)


def test_a_row_is_read_whichever_way_php_stored_its_numbers():
    found = from_config(
        row(
            {
                "medium": params(800, 600, sharpen="20"),
                "square": params(100, 100, crop="1", minimum="a:2:{i:0;i:9;i:1;i:8;}"),
            },
            's:1:"q";s:2:"80";s:1:"c";a:2:{s:4:"s300";i:1;i:500;i:1;}',
        )
    )
    assert found.types["me"] == DerivativeParams((800, 600), 0, None, 20)
    assert found.types["sq"] == DerivativeParams((100, 100), 1, (9, 8), 0)
    assert list(found.types) == ["sq", "me"], "in the order of their sizes"
    assert found.quality == 80
    assert found.custom == {"s300", "500"}


def test_the_watermark_is_read():
    mark = (
        'O:15:"WatermarkParams":8:{s:4:"file";s:5:"a.png";s:8:"min_size";a:2:{i:0;i:300;i:1;i:200;}s:4:"xpos";s:2:"90";'
    )
    mark += 's:4:"ypos";i:10;s:7:"xrepeat";i:2;s:7:"yrepeat";i:1;s:7:"opacity";i:60;s:1:"z";N;}'
    found = from_config(row({"medium": params(800, 600)}, f's:1:"w";{mark}').replace(b'a:3:{s:1:"d"', b'a:2:{s:1:"d"'))
    assert found.watermark == Watermark("a.png", (300, 200), 90, 10, 2, 1, 60)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"i:1;",
        b"a:0:{}",
        b'a:1:{s:1:"d";i:1;}',
        row({"medium": "i:1;"}),
        row({"medium": params(0, 5)}),
        row({"medium": params(10**9 + 1, 5)}),
    ],
)
def test_a_row_that_makes_no_sense_is_an_error(data):
    with pytest.raises(DerivativeSettingsError):
        from_config(data)


@given(st.binary(max_size=200))
def test_any_row_gives_settings_or_the_one_error(data):
    with contextlib.suppress(DerivativeSettingsError):
        from_config(data)


@pytest.mark.parametrize(
    ("given_", "token"),
    [
        (DerivativeParams((300, 300)), "s300"),
        (DerivativeParams((300, 200)), "s300x200"),
        (DerivativeParams((300, 200), 1, (300, 200)), "e300x200"),
        (DerivativeParams((120, 120), 1, (120, 120)), "e120"),
        (DerivativeParams((400, 300), 0.52, (200, 150)), "400x300_n_200x150"),
    ],
)
def test_a_custom_size_has_one_spelling(given_, token):
    assert given_.token() == token


def test_a_custom_size_is_offered_if_used_and_as_sharp_as_the_others_on_average():
    found = from_config(
        row(
            {"medium": params(800, 600, sharpen="20"), "small": params(500, 400, sharpen="25")},
            's:1:"c";a:1:{s:4:"s300";i:1;}',
        )
    )
    assert found.params("cu", DerivativeParams((300, 300))).sharpen == 23
    assert found.params("cu", DerivativeParams((301, 301))) is None
    assert found.params("cu") is None
    assert found.params("la") is None


@pytest.mark.parametrize(("code", "expected"), [("me", 95), ("xx", 95), ("3x", 75), ("4x", 75)])
def test_the_huge_types_have_a_cap_of_quality(code, expected):
    assert DEFAULTS.quality_of(code) == expected


@pytest.mark.parametrize(
    ("size", "rotation", "expected"),
    [
        ((1656, 1242), 0, True),
        ((1657, 1242), 0, False),
        ((1656, 1243), 0, False),
        ((100, 100), 1, False),
        (None, 0, False),
        ((100, 100), None, True),
    ],
)
def test_a_type_shows_the_original_when_it_fits_as_it_is(size, rotation, expected):
    assert DEFAULTS.shows_original("xx", size, rotation) is expected


def test_a_watermark_makes_a_type_something_else_than_the_original():
    marked = from_config(
        row({"xxlarge": params(1656, 1242)}, 's:1:"w";O:1:"W":1:{s:4:"file";s:5:"a.png";}').replace(
            b'a:3:{s:1:"d"', b'a:2:{s:1:"d"'
        )
    )
    assert not marked.shows_original("xx", (600, 400), 0)
    assert marked.shows_original("xx", (400, 300), 0), "too small to be marked"


@pytest.mark.parametrize(("size", "expected"), [((500, 10), True), ((10, 500), True), ((499, 499), False)])
def test_a_watermark_applies_from_its_smallest_size_in_either_direction(size, expected):
    assert Watermark("a.png").applies(size) is expected
    assert not Watermark("").applies(size)
