import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.accept import preferred

BOTH = {"avif": "image/avif", "webp": "image/webp"}
CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
FIREFOX = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
SAFARI = (
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,*/*;q=0.5"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (CHROME, "avif"),
        (FIREFOX, "avif"),
        (SAFARI, "avif"),
        ("image/webp,*/*", "webp"),
        ("IMAGE/WebP", "webp"),
        ("text/html, image/webp ;q=0.9 , */*;q=0.8", "webp"),
        ("image/avif;q=0.5,image/webp;q=0.9", "webp"),
        ("image/avif;Q=1.000", "avif"),
        # Nobody announces a format with a wildcard: everybody sends them.
        ("", None),
        ("*/*", None),
        ("image/*", None),
        ("image/jpeg", None),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None),
        # Who likes the JPEG better gets it.
        ("image/avif;q=0", None),
        ("image/avif;q=0,image/webp;q=0.000", None),
        ("image/avif;q=0,image/webp", "webp"),
        ("image/avif;q=0.5,image/jpeg", None),
        ("image/avif;q=0.5,image/*", None),
        ("image/avif;q=0.5,*/*", None),
        ("image/avif;q=0.5,image/jpeg;q=0.5", "avif"),
        ("image/avif;q=0.5,image/jpeg;q=0.2,*/*", "avif"),
        # What no browser sends announces nothing.
        ("image/avif;q=2", None),
        ("image/avif;q=-1", None),
        ("image/avif;q=nan", None),
        ("image/avif;q=1e0", None),
        ("image/avif;q=0.1234", None),
        ("image/avif;q=", None),
        ("image/avif;q", None),
        ("image/avif;codecs=none", None),
        ("image/avif;v=1", None),
        ("image/avif;q =1", None),
        ("image/avif;q= 1", None),
        ("image/avif;q=1;q=0", None),
        ("image/avif,image/avif;q=0", None),
        ("image/avif;q=0,IMAGE/AVIF", None),
        ("image/avif image/webp", None),
        ("ximage/avif,image/avifx", None),
        (",;,;q=1,=,", None),
        ("image/avif," + "a/b," * 2000, None),
    ],
)
def test_the_best_encoding_that_a_browser_announces_is_preferred(accept, expected):
    assert preferred([accept], BOTH, "image/jpeg") == expected


def test_headers_sent_twice_count_as_one_list():
    assert preferred(["image/jpeg;q=0.5", "image/webp"], BOTH, "image/jpeg") == "webp"
    assert preferred(["image/avif", "image/avif;q=0"], BOTH, "image/jpeg") is None


def test_the_owners_order_decides_between_equals():
    assert preferred([CHROME], dict(reversed(BOTH.items())), "image/jpeg") == "webp"


def test_nothing_offered_is_nothing_preferred():
    assert preferred([CHROME], {}, "image/jpeg") is None


part = st.builds(
    lambda kind, rest: kind + rest,
    st.sampled_from(["image/avif", "image/webp", "image/jpeg", "image/*", "*/*", "text/html"]) | st.text(max_size=12),
    st.sampled_from(["", ";q=0", ";q=0.5", ";q=1", "; q=0.123", ";v=1", ";"]) | st.text(max_size=8),
)
headers = st.lists(part, max_size=8).map(",".join) | st.text(max_size=60)


@given(st.lists(headers, max_size=3), st.sampled_from([BOTH, {"webp": "image/webp"}, {}]))
def test_only_what_is_offered_and_announced_by_name_is_ever_chosen(accept, offered):
    chosen = preferred(accept, offered, "image/jpeg")
    assert chosen is None or (chosen in offered and offered[chosen] in ",".join(accept).lower())


@given(st.lists(headers, max_size=3))
def test_a_refusal_always_counts(accept):
    assert preferred([*accept, "image/avif;q=0", "image/webp;q=0"], BOTH, "image/jpeg") is None


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_original_encoding_wins_only_where_it_is_liked_better(avif, jpeg):
    accept = f"image/avif;q={avif / 1000:.3f},image/jpeg;q={jpeg / 1000:.3f}"
    assert preferred([accept], BOTH, "image/jpeg") == ("avif" if 0 < avif >= jpeg else None)
