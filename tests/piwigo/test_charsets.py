import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.charsets import can_hold


@pytest.mark.parametrize(
    ("charset", "text", "expected"),
    [
        (None, "a" * 255, True),
        ("utf8mb4", "a" * 256, False),
        (None, "\U0001f600", True),
        (None, "ann\udce4", False),
        ("utf8mb4", "./upload/\U0001f600.jpg", True),
        ("utf8mb3", "./upload/\U0001f600.jpg", False),
        ("utf8", "\U0001f600", False),
        ("utf8mb3", "Gr\u00fc\u00dfe \u4e2d \uffff", True),
        ("utf8mb3", "\ud83d", False),
        ("utf8mb4", "\ud83d", False),
        ("latin1", "Gr\u00fc\u00dfe \u20ac", True),
        ("latin1", "\u4e2d", False),
        ("cp1251", "\u0424\u043e\u0442\u043e", True),
        ("cp1251", "\u4e2d", False),
        ("ascii", "\u00fc", False),
        ("hex", "\u00fc", False),
        ("nobody's", "plain", True),
        ("nobody's", "\u00fc", False),
    ],
)
def test_a_column_holds_what_its_character_set_has(charset, text, expected):
    assert can_hold(charset, text) is expected


@given(st.sampled_from(["utf8mb3", "latin1", "ascii", "binary", "rot13", ""]), st.text(st.characters(), max_size=20))
def test_of_any_character_set_and_text_there_is_an_answer(charset, text):
    assert can_hold(charset, text) or not text.isascii()
