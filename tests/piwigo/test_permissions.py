from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.permissions import (
    Album,
    GalleryRules,
    Photo,
    Status,
    Viewer,
    may_enter,
    may_have_original,
    may_see,
)

OPEN = GalleryRules()
PUBLIC, PRIVATE = Album(1, private=False, visible=True), Album(2, private=True, visible=True)
LOCKED, LOCKED_PRIVATE = Album(3, private=False, visible=False), Album(4, private=True, visible=False)


def viewer(status=Status.NORMAL, level=0, high=True, albums=()):
    return Viewer(9, status, level, high, frozenset(albums))


def photo(*albums, level=0):
    return Photo(1, "./upload/a.jpg", "a.jpg", level, 3000, 2000, 0, None, None, albums)


@pytest.mark.parametrize(
    ("who", "what", "expected"),
    [
        (viewer(Status.GUEST), photo(PUBLIC), True),
        (viewer(Status.GUEST), photo(PRIVATE), False),
        (viewer(Status.GUEST, albums=[2]), photo(PRIVATE), True),
        (viewer(), photo(PRIVATE), False),
        (viewer(albums=[2]), photo(PRIVATE), True),
        (viewer(albums=[1]), photo(PRIVATE), False),
        (viewer(Status.ADMIN), photo(PRIVATE), False),
        (viewer(Status.WEBMASTER), photo(PRIVATE), False),
        (viewer(Status.ADMIN, albums=[2]), photo(PRIVATE), True),
        (viewer(), photo(LOCKED), False),
        (viewer(Status.GENERIC), photo(LOCKED), False),
        (viewer(Status.ADMIN), photo(LOCKED), True),
        (viewer(Status.WEBMASTER), photo(LOCKED), True),
        (viewer(albums=[4]), photo(LOCKED_PRIVATE), False),
        (viewer(Status.ADMIN), photo(LOCKED_PRIVATE), False),
        (viewer(Status.ADMIN, albums=[4]), photo(LOCKED_PRIVATE), True),
        (viewer(), photo(PRIVATE, PUBLIC), True),
        (viewer(), photo(PRIVATE, LOCKED), False),
        (viewer(albums=[2]), photo(PRIVATE, LOCKED), True),
        (viewer(), photo(), False),
        (viewer(Status.WEBMASTER, level=8), photo(), False),
        (viewer(), photo(PUBLIC, level=1), False),
        (viewer(level=4), photo(PUBLIC, level=4), True),
        (viewer(level=4), photo(PUBLIC, level=8), False),
        (viewer(Status.WEBMASTER, level=4), photo(PUBLIC, level=8), False),
        (viewer(level=8), photo(PUBLIC, level=8), True),
    ],
)
def test_who_sees_what(who, what, expected):
    assert may_see(who, what, OPEN) is expected


@pytest.mark.parametrize("status", Status)
def test_a_locked_gallery_is_for_administrators(status):
    rules = GalleryRules(gallery_locked=True)
    assert may_enter(viewer(status), rules) == (status in (Status.ADMIN, Status.WEBMASTER))


@pytest.mark.parametrize("status", Status)
def test_a_gallery_without_guest_access_is_for_all_but_guests(status):
    assert may_see(viewer(status), photo(PUBLIC), GalleryRules(guest_access=False)) == (status is not Status.GUEST)


@pytest.mark.parametrize(
    ("high", "is_picture", "xxlarge_is_original", "expected"),
    [
        (True, True, False, True),
        (True, False, False, True),
        (False, True, False, False),
        (False, True, True, True),
        (False, False, False, True),
    ],
)
def test_the_original_of_a_large_picture_needs_high_definition(high, is_picture, xxlarge_is_original, expected):
    assert may_have_original(viewer(high=high), photo(PUBLIC), OPEN, is_picture, xxlarge_is_original) is expected
    assert may_have_original(viewer(high=high), photo(PRIVATE), OPEN, is_picture, xxlarge_is_original) is False


albums = st.builds(Album, st.integers(1, 6), st.booleans(), st.booleans())
viewers = st.builds(
    Viewer,
    st.just(9),
    st.sampled_from(Status),
    st.sampled_from([0, 1, 2, 4, 8]),
    st.booleans(),
    st.frozensets(st.integers(1, 6)),
)
photos = st.builds(
    lambda found, level: photo(*found, level=level), st.lists(albums, max_size=4), st.sampled_from([0, 1, 2, 4, 8])
)
rules = st.builds(GalleryRules, st.booleans(), st.booleans())


@given(viewers, photos, rules, st.integers(1, 6))
def test_giving_access_never_takes_a_photo_away(who, what, gallery, album):
    if may_see(who, what, gallery):
        assert may_see(replace(who, albums=who.albums | {album}), what, gallery)
        assert may_see(replace(who, level=8), what, gallery)


@given(viewers, photos, rules)
def test_closing_never_gives_a_photo(who, what, gallery):
    if not may_see(who, what, gallery):
        closed = tuple(replace(album, private=True, visible=False) for album in what.albums)
        assert not may_see(who, replace(what, albums=closed), gallery)
        assert not may_see(who, what, GalleryRules(guest_access=False, gallery_locked=True))


@given(viewers, photos, rules, st.booleans(), st.booleans())
def test_who_may_have_the_original_may_see_the_photo(who, what, gallery, is_picture, same):
    if may_have_original(who, what, gallery, is_picture, same):
        assert may_see(who, what, gallery)
