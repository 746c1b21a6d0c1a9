import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import CODES, DEFAULTS, DerivativeParams, DerivativeSettings, Watermark
from pwgserve.piwigo.permissions import Album, GalleryRules, Photo, Status, Viewer
from pwgserve.piwigo.wanted import ENCODINGS, Part, Wanted
from pwgserve.render.plan import REVISION, RenderRules
from pwgserve.targets import GallerySettings, changes_nothing, is_allowed, larger, recoded, target

ALL_TYPES = DerivativeSettings(
    DEFAULTS.types | {"3x": DerivativeParams((2232, 1674)), "4x": DerivativeParams((3000, 2250))}
)
SETTINGS = GallerySettings(PiwigoConf(enable_formats=True), ALL_TYPES, GalleryRules(), RenderRules())
ANIMATED = GallerySettings(SETTINGS.conf, ALL_TYPES, GalleryRules(), RenderRules(animate=True))
OFFERED = ("avif", "webp")
CHROME = ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",)
WEBP_ONLY = ("image/webp,*/*",)


def photo(extension):
    return Photo(1, f"./upload/a.{extension}", f"Lake.{extension}", 0, 3000, 2000, 0, None, "jpg", ())


def shown(extension, code="me", accept=CHROME, offered=OFFERED, settings=SETTINGS):
    return recoded(target(photo(extension), Wanted(code=code), settings), offered, accept, settings)


@pytest.mark.parametrize(
    ("extension", "accept", "expected", "plan"),
    [
        ("jpg", CHROME, "avif", "avif"),
        ("JPEG", CHROME, "avif", "avif"),
        ("jpg", WEBP_ONLY, "webp", "webp"),
        ("jpg", ("*/*",), "jpg", "jpeg"),
        ("jpg", (), "jpg", "jpeg"),
        # Drawings stay exact, and what may move stays what it is.
        ("png", CHROME, "webp", "webp-lossless"),
        ("png", ("image/avif",), "png", "png"),
        ("gif", CHROME, "gif", "gif"),
        ("webp", CHROME, "avif", "avif"),
        ("webp", WEBP_ONLY, "webp", "webp"),
    ],
)
def test_a_browser_gets_the_smallest_encoding_that_it_announces_and_the_picture_bears(
    extension, accept, expected, plan
):
    found = shown(extension, accept=accept)
    assert (found.extension, found.plan.format) == (expected, plan)
    assert found.file_name == f"Lake-medium.{expected if plan != 'jpeg' else extension}"


@pytest.mark.parametrize(
    ("kept", "name"),
    [
        ("Anna&#039;s cake &amp; &quot;tea&quot;.jpg", 'Anna\'s cake & "tea".jpg'),
        ("a &lt; b &gt; c.jpg", "a < b > c.jpg"),
        ("&amp;amp;.jpg", "&amp;.jpg"),
        ("AT&T &eacute; &copy.jpg", "AT&T &eacute; &copy.jpg"),
    ],
)
def test_a_file_is_saved_under_the_name_that_it_was_uploaded_with(kept, name):
    uploaded = replace(photo("jpg"), file=kept)
    assert target(uploaded, Wanted(), SETTINGS).file_name == name
    assert target(uploaded, Wanted(code="me"), SETTINGS).file_name == name.replace(".jpg", "-medium.jpg")
    assert target(uploaded, Wanted(Part.FORMAT, format_id=1), SETTINGS, "cr2").file_name == name.replace("jpg", "cr2")


CUSTOM = Wanted(code="cu", custom=DerivativeParams((300, 300)))


@pytest.mark.parametrize(
    ("kept", "original", "medium", "custom"),
    [
        ("a.b.TIFF", "a.b.TIFF", "a.b-medium.jpg", "a.b-custom.jpg"),
        ("scan", "scan", "scan-medium.jpg", "scan-custom.jpg"),
        ("", "1.jpg", "1-medium.jpg", "1-custom.jpg"),
    ],
)
def test_whatever_a_file_is_called_what_is_saved_of_it_has_a_name(kept, original, medium, custom):
    settings = replace(SETTINGS, derivatives=replace(ALL_TYPES, custom=frozenset({"s300"})))
    sent = [
        target(replace(photo("jpg"), file=kept), wanted, settings) for wanted in (Wanted(), Wanted(code="me"), CUSTOM)
    ]
    assert [found.file_name for found in sent] == [original, medium, custom]


def test_what_is_asked_for_in_an_encoding_stays_in_it():
    found = target(photo("jpg"), Wanted(code="me", encoding="webp"), SETTINGS)
    assert recoded(found, OFFERED, CHROME, SETTINGS) is found


def test_an_animation_is_not_made_to_stand_still():
    assert shown("webp", settings=ANIMATED).extension == "webp"
    assert shown("jpg", settings=ANIMATED).extension == "avif", "which does not move"
    assert target(photo("webp"), Wanted(code="me", encoding="avif"), ANIMATED) is None


def test_the_owner_decides_what_is_offered_and_what_is_best():
    assert shown("jpg", offered=()).extension == "jpg"
    assert shown("jpg", offered=("webp",)).extension == "webp"
    assert shown("jpg", offered=("webp", "avif")).extension == "webp"


def test_huge_types_are_not_encoded_for_a_minute():
    assert [shown("jpg", code).extension for code in ("xl", "xx", "4x")] == ["avif", "webp", "webp"]


@pytest.mark.parametrize(("quality", "expected"), [(50, "avif"), (95, "avif"), (98, "avif"), (99, "jpg")])
def test_what_would_look_worse_is_not_offered(quality, expected):
    settings = replace(SETTINGS, derivatives=replace(ALL_TYPES, quality=quality))
    assert shown("jpg", settings=settings).extension == expected
    only_webp = shown("jpg", accept=WEBP_ONLY, settings=settings)
    assert only_webp.extension == ("webp" if quality <= 95 else "jpg")
    # A link from before the owner changed the quality still leads to a picture.
    assert target(photo("jpg"), Wanted(code="me", encoding="webp"), settings).plan.quality <= 99


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(Part.REPRESENTATIVE), Wanted(Part.FORMAT, format_id=7)])
def test_files_are_sent_as_they_are(wanted):
    found = target(photo("jpg"), wanted, SETTINGS, "tif")
    assert recoded(found, OFFERED, CHROME, SETTINGS) is found


@pytest.mark.parametrize(
    ("extension", "encoding"), [("png", "avif"), ("gif", "webp"), ("webp", "webp"), ("mp4", "avif")]
)
def test_a_link_for_an_encoding_that_a_source_has_not_leads_nowhere(extension, encoding):
    assert target(photo(extension), Wanted(code="me", encoding=encoding), SETTINGS) is None


@given(st.text(max_size=80), st.sampled_from(["jpg", "png", "gif", "webp"]), st.sampled_from(sorted(CODES)))
def test_no_header_leads_to_more_than_one_picture_for_each_encoding(accept, extension, code):
    possible = {
        found.facts()
        for encoding in (None, *ENCODINGS)
        if (found := target(photo(extension), Wanted(code=code, encoding=encoding), SETTINGS))
    }
    assert len(possible) <= 1 + len(ENCODINGS)
    assert shown(extension, code, accept=(accept,)).facts() in possible


def test_encodings_are_different_pictures_to_the_cache():
    facts = [shown("jpg", code, accept).facts() for code, accept in itertools.product(CODES, (CHROME, WEBP_ONLY, ()))]
    # The three largest types are no AVIF.
    assert len(set(facts)) == len(facts) - 3


def names(found, settings=SETTINGS):
    """Which sizes of this very photo the plans are that it may be made from."""
    sizes = [Wanted(code=code, encoding=encoding) for code in CODES for encoding in (None, "webp")]
    spelled = {t.plan: wanted.spelled() for wanted in sizes if (t := target(found.photo, wanted, settings))}
    return [spelled[plan] for plan in larger(found, settings)]


def test_a_size_is_made_from_larger_ones_that_show_the_same():
    # 3xlarge and 4xlarge have less quality; large is not much larger.
    assert names(target(photo("jpg"), Wanted(code="me"), SETTINGS)) == ["xx", "xx-webp", "xl", "xl-webp"]
    dotted = replace(photo("jpg"), path="./upload/a.b.jpg")
    assert names(target(dotted, Wanted(code="me"), SETTINGS)) == ["xx", "xx-webp", "xl", "xl-webp"]
    usual = replace(SETTINGS, derivatives=DEFAULTS)  # without 3xlarge and 4xlarge
    assert names(target(photo("png"), Wanted(code="me"), usual), usual) == ["xx", "xx-webp", "xl", "xl-webp"]
    assert names(target(photo("jpg"), Wanted(code="la", encoding="avif"), SETTINGS)) == ["xx", "xx-webp"]
    assert names(target(photo("png"), Wanted(code="xl"), SETTINGS))[:2] == ["3x", "3x-webp"]
    assert names(target(photo("gif"), Wanted(code="me"), SETTINGS)) == []
    custom = Wanted(code="cu", custom=DerivativeParams((600, 600), max_crop=1, min_size=(600, 600)))
    allowed = replace(SETTINGS, derivatives=replace(ALL_TYPES, custom=frozenset({custom.custom.token()})))
    assert names(target(photo("jpg"), custom, allowed), allowed) == ["xx", "xx-webp"]


def test_what_nothing_is_known_of_is_made_from_itself():
    for unknown in ({"width": None}, {"height": None}, {"width": 0, "height": 0}):
        assert names(target(replace(photo("jpg"), **unknown), Wanted(code="me"), SETTINGS)) == []
    assert names(target(photo("jpg"), Wanted(Part.REPRESENTATIVE, "me"), SETTINGS)) == []
    assert names(target(photo("jpg"), Wanted(), SETTINGS)) == []


PUBLIC_ALBUM, CLOSED_ALBUM = Album(1, private=False, visible=True), Album(2, private=True, visible=True)
VIEWER = Viewer(3, Status.NORMAL, 0, enabled_high=True, albums=frozenset())
WITHOUT_ORIGINALS = replace(VIEWER, enabled_high=False)
ADMIN = Viewer(1, Status.ADMIN, 8, enabled_high=True, albums=frozenset())
RAW = Wanted(Part.FORMAT, format_id=7)


def in_album(extension="jpg", album=PUBLIC_ALBUM, **changes):
    return replace(photo(extension), albums=(album,), **changes)


@pytest.mark.parametrize(
    ("shown", "wanted", "expected"),
    [
        (in_album(), Wanted(), False),
        (in_album(), Wanted(code="xx"), True),
        (in_album(), Wanted(Part.REPRESENTATIVE), True),
        (in_album(), RAW, True),
        (in_album("mp4"), Wanted(), True),
        # A file that is shown as the xxlarge size is none that is kept back.
        (in_album(width=1656, height=1242), Wanted(), True),
        (in_album(width=1657, height=1242), Wanted(), False),
        (in_album(width=1242, height=1656), Wanted(), False),
        (in_album(width=1242, height=1656, rotation=1), Wanted(), False),
        (in_album(width=None, height=None), Wanted(), False),
    ],
)
def test_who_may_have_no_originals_has_all_else(shown, wanted, expected):
    found = target(shown, wanted, SETTINGS, "tif")
    assert is_allowed(WITHOUT_ORIGINALS, found, SETTINGS) is expected
    assert is_allowed(VIEWER, found, SETTINGS)
    hidden = target(replace(shown, albums=(CLOSED_ALBUM,)), wanted, SETTINGS, "tif")
    assert not is_allowed(VIEWER, hidden, SETTINGS)


def test_an_administrator_has_any_file_by_the_pages_token_and_nobody_else_has():
    for wanted in (Wanted(), Wanted(code="me"), RAW):
        hidden = target(in_album(album=CLOSED_ALBUM), wanted, SETTINGS, "tif")
        assert is_allowed(ADMIN, hidden, SETTINGS, is_trusted_admin=True)
        assert not is_allowed(ADMIN, hidden, SETTINGS)
        assert not is_allowed(VIEWER, hidden, SETTINGS, is_trusted_admin=True)


SHARPENED = replace(SETTINGS, derivatives=DerivativeSettings({"me": DerivativeParams((792, 594), sharpen=1)}))


def marked(least):
    return replace(SETTINGS, derivatives=replace(ALL_TYPES, watermark=Watermark("a.png", (least, least))))


@pytest.mark.parametrize(
    ("changes", "wanted", "settings", "expected"),
    [
        ({}, Wanted(code="me"), SETTINGS, True),
        ({"width": 792, "height": 594}, Wanted(code="me"), SETTINGS, True),
        ({"width": 793, "height": 594}, Wanted(code="me"), SETTINGS, False),
        ({"width": 100, "height": 90}, Wanted(code="sq"), SETTINGS, True),
        ({"width": 300, "height": 90}, Wanted(code="sq"), SETTINGS, False),
        ({"rotation": 2}, Wanted(code="me"), SETTINGS, False),
        ({}, Wanted(code="me"), SHARPENED, False),
        # Who may not have the file without the watermark must not be led to it.
        ({}, Wanted(code="me"), marked(100), False),
        ({}, Wanted(code="me"), marked(500), True),
        # Of what Piwigo has not looked at, nothing is known.
        ({"rotation": None}, Wanted(code="me"), SETTINGS, False),
        ({"width": None}, Wanted(code="me"), SETTINGS, False),
        ({"height": 0}, Wanted(code="me"), SETTINGS, False),
        ({}, Wanted(Part.REPRESENTATIVE, "me"), SETTINGS, False),
        ({}, Wanted(), SETTINGS, False),
    ],
)
def test_a_size_that_shows_every_pixel_where_it_is_is_like_its_original(changes, wanted, settings, expected):
    small = replace(photo("jpg"), **({"width": 300, "height": 200} | changes))
    assert changes_nothing(target(small, wanted, settings)) is expected


@pytest.mark.parametrize(
    ("changes", "wanted", "settings", "extension"),
    [
        ({"representative_ext": None}, Wanted(Part.REPRESENTATIVE), SETTINGS, None),
        ({"representative_ext": None}, Wanted(Part.REPRESENTATIVE, "me"), SETTINGS, None),
        ({}, RAW, SETTINGS, None),
        ({}, RAW, replace(SETTINGS, conf=PiwigoConf(enable_formats=False)), "tif"),
        ({"path": "./upload/../local/a.jpg"}, Wanted(), SETTINGS, None),
        ({"path": "./upload/a.pdf"}, Wanted(code="me"), SETTINGS, None),
    ],
)
def test_what_a_photo_has_not_is_nothing_to_send(changes, wanted, settings, extension):
    assert target(replace(photo("jpg"), **changes), wanted, settings, extension) is None


@pytest.mark.parametrize(
    ("wanted", "path", "extension"),
    [
        (Wanted(), "upload/a.b.JPG", "jpg"),
        (Wanted(code="me"), "upload/a.b.JPG", "jpg"),
        (Wanted(Part.REPRESENTATIVE), "upload/pwg_representative/a.b.PNG", "png"),
        (Wanted(Part.REPRESENTATIVE, "me"), "upload/pwg_representative/a.b.PNG", "png"),
        (RAW, "upload/pwg_format/a.b.tif", "tif"),
    ],
)
def test_a_file_is_found_beside_its_photo_whatever_dots_its_name_has(wanted, path, extension):
    found = target(replace(photo("jpg"), path="./upload//a.b.JPG", representative_ext="PNG"), wanted, SETTINGS, "tif")
    assert (found.path, found.extension) == (path, extension)


def test_a_new_revision_of_the_engine_makes_every_derivative_anew(monkeypatch):
    found = target(photo("jpg"), Wanted(code="me"), SETTINGS)
    before = found.facts()
    monkeypatch.setattr("pwgserve.targets.REVISION", REVISION + 1)
    assert found.facts() != before
    assert target(photo("jpg"), Wanted(), SETTINGS).facts() == (), "a file is its bytes"
