import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.derivatives import CODES, CUSTOM
from pwgserve.piwigo.wanted import Part, Wanted, custom_params

sides = st.integers(20, 20_000)
customs = st.one_of(
    st.builds("s{}x{}".format, sides, sides),
    st.builds("e{}x{}".format, sides, sides),
    st.builds("s{}".format, sides),
    st.builds("{}x{}_{}_{}x{}".format, sides, sides, st.sampled_from("abcdefghijklmnopqrstuvwxyz"), sides, sides),
).map(lambda token: custom_params(token.split("_")))
everything = st.one_of(
    st.builds(Wanted, st.sampled_from([Part.ELEMENT, Part.REPRESENTATIVE]), st.none() | st.sampled_from(sorted(CODES))),
    st.builds(Wanted, st.sampled_from([Part.ELEMENT, Part.REPRESENTATIVE]), st.just(CUSTOM), customs),
    st.builds(Wanted, st.just(Part.FORMAT), st.none(), st.none(), st.integers(1, 10**9)),
)


@given(everything)
def test_a_spelling_is_understood_again(wanted):
    spelled = wanted.spelled()
    again = Wanted.parse(spelled)
    assert again is not None
    assert again.spelled() == spelled


@given(st.text("abcdefrscuxlmeqth0123456789_-", max_size=20))
def test_only_the_one_spelling_is_understood(text):
    wanted = Wanted.parse(text)
    assert wanted is None or wanted.spelled() == text


@pytest.mark.parametrize(
    "text", ["", "x", "ME", "me_x", "f0", "f01", "f", "e-me", "f-me", "r-e", "r-", "-me", "cu", "cu_s19", "cu_s50x50"]
)
def test_other_spellings_are_not(text):
    assert Wanted.parse(text) is None
