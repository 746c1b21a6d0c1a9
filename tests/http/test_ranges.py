import pytest

from pwgserve.http.ranges import Validators, http_date, is_not_modified, is_other_version, ranges

OURS = Validators('"a"', 1000)
SAME, BEFORE, AFTER = http_date(1000), http_date(999), http_date(1001)


@pytest.mark.parametrize(
    ("if_match", "if_unmodified_since", "is_other"),
    [
        (None, None, False),
        ('"a"', None, False),
        ('"b", "a"', None, False),
        ("*", None, False),
        ('"b"', None, True),
        ('W/"a"', None, True),
        (None, SAME, False),
        (None, AFTER, False),
        (None, BEFORE, True),
        (None, "some day", False),
        ('"a"', BEFORE, False),
        ('"b"', SAME, True),
    ],
)
def test_who_wants_one_version_is_told_of_another(if_match, if_unmodified_since, is_other):
    assert is_other_version(if_match, if_unmodified_since, OURS) is is_other


@pytest.mark.parametrize(
    ("if_none_match", "if_modified_since", "has_it"),
    [
        (None, None, False),
        ('"a"', None, True),
        ('W/"a"', None, True),
        ('"b", "a"', None, True),
        ("*", None, True),
        ('"b"', None, False),
        (None, SAME, True),
        (None, AFTER, True),
        (None, BEFORE, False),
        (None, "some day", False),
        ('"b"', AFTER, False),
    ],
)
def test_who_has_this_version_is_not_sent_it_again(if_none_match, if_modified_since, has_it):
    assert is_not_modified(if_none_match, if_modified_since, OURS) is has_it


@pytest.mark.parametrize(
    ("if_range", "found"),
    [
        (None, [(0, 2)]),
        ('"a"', [(0, 2)]),
        (SAME, [(0, 2)]),
        ('"b"', None),
        ('W/"a"', None),
        (BEFORE, None),
        (AFTER, None),
    ],
)
def test_parts_are_of_the_very_version_that_was_begun(if_range, found):
    assert ranges("bytes=0-1", if_range, 10, OURS) == found
