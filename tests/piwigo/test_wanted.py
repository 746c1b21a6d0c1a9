import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.derivatives import CODES, CUSTOM
from pwgserve.piwigo.wanted import ENCODINGS, Part, Wanted, custom_params

sides = st.integers(20, 20_000)
customs = st.one_of(
    st.builds("s{}x{}".format, sides, sides),
    st.builds("e{}x{}".format, sides, sides),
    st.builds("s{}".format, sides),
    st.builds("{}x{}_{}_{}x{}".format, sides, sides, st.sampled_from("abcdefghijklmnopqrstuvwxyz"), sides, sides),
).map(lambda token: custom_params(token.split("_")))
parts = st.sampled_from([Part.ELEMENT, Part.REPRESENTATIVE])
encodings = st.none() | st.sampled_from(sorted(ENCODINGS))
everything = st.one_of(
    st.builds(Wanted, parts),
    st.builds(Wanted, parts, st.sampled_from(sorted(CODES)), encoding=encodings),
    st.builds(Wanted, parts, st.just(CUSTOM), customs, encoding=encodings),
    st.builds(Wanted, st.just(Part.FORMAT), st.none(), st.none(), st.integers(1, 10**9)),
)


@pytest.mark.parametrize("space", ["\x1c", "\x1f", "\xa0", "\x85", "\u3000"])
def test_no_other_space_than_phps_is_before_a_number(space):
    assert isinstance(custom_params([f"s{space}300"]), str)
    assert not isinstance(custom_params(["s \t300"]), str)


PIECES = ["r", "-", "me", "sq", "cu_s300x200", "avif", "webp", "jpeg", "f12", "e"]


@given(everything)
def test_a_spelling_is_understood_again(wanted):
    spelled = wanted.spelled()
    again = Wanted.parse(spelled)
    assert again is not None
    assert again.spelled() == spelled


@given(
    st.text("abcdefrscuxlmeqth0123456789_-", max_size=20) | st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
)
def test_only_the_one_spelling_is_understood(text):
    wanted = Wanted.parse(text)
    assert wanted is None or wanted.spelled() == text


@pytest.mark.parametrize(
    "text",
    ["", "x", "ME", "me_x", "f0", "f01", "f", "e-me", "f-me", "r-e", "r-", "-me", "cu", "cu_s19", "cu_s50x50"],
)
def test_other_spellings_are_not(text):
    assert Wanted.parse(text) is None


@pytest.mark.parametrize(
    "text",
    ["me-", "me-jpeg", "me-AVIF", "me-avif-webp", "me-avif-", "avif-me", "e-avif", "r-avif", "f12-webp", "-avif"],
)
def test_encodings_are_understood_behind_derivatives_only(text):
    assert Wanted.parse(text) is None
