import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.conf import PiwigoConf, SyncChars
from pwgserve.piwigo.derivatives import DEFAULTS
from pwgserve.piwigo.requests import (
    MalformedRequestError,
    PictureRequest,
    UnservedRequestError,
    clean_path,
    data_folder,
    format_path,
    parse,
    representative_path,
    split_target,
)
from pwgserve.piwigo.wanted import Part, Wanted

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/i-php-requests.json").read_text())
CONF = PiwigoConf()
WIDE = replace(CONF, sync_chars=SyncChars("/.*/u"))
SIZES = replace(DEFAULTS, custom=frozenset({"s300", "e120x80", "400x300_n_200x150"}))


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["request"][:80])
def test_a_recorded_request_is_malformed_exactly_when_piwigo_says_so(case):
    path, _, query = case["request"].partition("#")[0].partition("?")
    try:
        parse(path, query, CONF, DEFAULTS)
        malformed = False
    except MalformedRequestError:
        malformed = True
    except UnservedRequestError:
        malformed = False
    assert malformed == (case["status"] == 400)


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("i.php", "/upload/a-me.jpg", PictureRequest(Wanted(code="me"), path="upload/a.jpg")),
        ("i.php", "upload/a-me.jpg", PictureRequest(Wanted(code="me"), path="upload/a.jpg")),
        ("i.php", "/upload//./a-me.jpg", PictureRequest(Wanted(code="me"), path="upload/a.jpg")),
        ("i.php", "/upload/a-me_x.jpg", PictureRequest(Wanted(code="me"), path="upload/a.jpg")),
        ("i.php", "/upload/a-b-sq.PNG", PictureRequest(Wanted(code="sq"), path="upload/a-b.PNG")),
        (
            "i.php",
            "/upload/a-me.jpg&ajaxload=true",
            PictureRequest(Wanted(code="me"), path="upload/a.jpg", ajaxload=True),
        ),
        ("i.php", "/upload/a-me.jpg&ajaxload=1", PictureRequest(Wanted(code="me"), path="upload/a.jpg")),
        ("i.php", "/upload/a-me.jpg&b=7", PictureRequest(Wanted(code="me"), path="upload/a.jpg", uncached=True)),
        ("i", "/upload/a-me.jpg&b=7", PictureRequest(Wanted(code="me"), path="upload/a.jpg", uncached=True)),
        ("i.php/upload/a-me.jpg", "", PictureRequest(Wanted(code="me"), path="upload/a.jpg")),
        ("i/upload/a-me.jpg", "b=1", PictureRequest(Wanted(code="me"), path="upload/a.jpg", uncached=True)),
        ("_data/i/galleries/x/a-xl.gif", "", PictureRequest(Wanted(code="xl"), path="galleries/x/a.gif")),
        (
            "i.php",
            "/upload/pwg_representative/film-th.jpg",
            PictureRequest(Wanted(Part.REPRESENTATIVE, "th"), path="upload/film", extension="jpg"),
        ),
        ("upload/a.jpg", "", PictureRequest(Wanted(), path="upload/a.jpg")),
        ("galleries/a%20b/c.mp4", "", PictureRequest(Wanted(), path="galleries/a b/c.mp4")),
        (
            "upload/pwg_representative/film.jpg",
            "",
            PictureRequest(Wanted(Part.REPRESENTATIVE), path="upload/film", extension="jpg"),
        ),
        (
            "upload/pwg_representative/a.b.jpg",
            "",
            PictureRequest(Wanted(Part.REPRESENTATIVE), path="upload/a.b", extension="jpg"),
        ),
        ("upload/pwg_format/a.cr2", "", PictureRequest(Wanted(Part.FORMAT), path="upload/a", extension="cr2")),
        # Formats have no sizes.
        ("i.php", "/upload/pwg_format/a-me.jpg", PictureRequest(Wanted(code="me"), path="upload/pwg_format/a.jpg")),
        ("action.php", "id=7&part=e", PictureRequest(Wanted(), photo_id=7)),
        ("action.php", "id=7&part=r&download", PictureRequest(Wanted(Part.REPRESENTATIVE), photo_id=7, download=True)),
        ("action.php", "part=e&id=1e2", PictureRequest(Wanted(), photo_id=100)),
        ("action.php", "id=-7&part=e", PictureRequest(Wanted(), photo_id=0)),
        ("action.php", "id=7.5&part=e", PictureRequest(Wanted(), photo_id=0)),
        ("action.php", "id=1&id=2&part=e", PictureRequest(Wanted(), photo_id=2)),
        ("action.php", "%20id=1&+part=e&part+=r&%20download", PictureRequest(Wanted(), photo_id=1, download=True)),
        ("i/upload/a-me.jpg", "%20b=1", PictureRequest(Wanted(code="me"), path="upload/a.jpg", uncached=True)),
        ("i/upload/a-me.jpg", "auth=k", PictureRequest(Wanted(code="me"), path="upload/a.jpg", auth_key="k")),
        ("upload/a.jpg", "auth=k", PictureRequest(Wanted(), path="upload/a.jpg", auth_key="k")),
        (
            "action.php",
            "id=7&part=e&auth=k&pwg_token=t",
            PictureRequest(Wanted(), photo_id=7, auth_key="k", pwg_token="t"),
        ),
    ],
)
def test_an_address_means_what_it_means_to_piwigo(path, query, expected):
    assert parse(path, query, CONF, SIZES) == expected


@pytest.mark.parametrize("token", ["s300", "e120x80", "400x300_n_200x150"])
def test_a_custom_size_that_the_gallery_used_is_found(token):
    assert parse("i.php", f"/upload/a-cu_{token}.jpg", CONF, SIZES).wanted.spelled() == f"cu_{token}"


@pytest.mark.parametrize("token", ["s301", "s300x301", "e120x81", "400x300_m_200x150"])
def test_a_custom_size_that_the_gallery_never_used_is_not_served(token):
    with pytest.raises(UnservedRequestError):
        parse("i.php", f"/upload/a-cu_{token}.jpg", CONF, SIZES)


@pytest.mark.parametrize("token", ["", "s", "s19", "sx", "e10x500", "100x100", "100x100_a", "100x100_A_9x9", "s-50"])
def test_a_custom_size_that_is_none_is_malformed(token):
    with pytest.raises(MalformedRequestError):
        parse("i.php", f"/upload/a-cu_{token}.jpg", CONF, SIZES)


@pytest.mark.parametrize("path", ["me.jpg", "upload/a-me", "upload/a.jpg", "cu_s300.jpg"])
def test_a_size_of_nothing_and_nothing_of_a_size_are_malformed(path):
    with pytest.raises(MalformedRequestError):
        parse("i.php", f"/{path}", CONF, SIZES)


@pytest.mark.parametrize(
    "path",
    [
        "upload/../x-me.jpg",
        "upload/..\\x-me.jpg",
        "upload/a\x00-me.jpg",
        "upload/a\n-me.jpg",
        "../x-me.jpg",
        "a/../-me.jpg",
    ],
)
def test_paths_that_a_wide_gallery_allows_and_that_are_dangerous_are_refused(path):
    for address in (("i.php", f"/{path}"), (f"i/{path}", ""), (f"upload/{path}", "")):
        with pytest.raises(UnservedRequestError):
            parse(*address, WIDE, DEFAULTS)


@pytest.mark.parametrize("folder", ["pwg_representative", "pwg_format"])
def test_a_file_beside_a_photo_has_the_photos_name(folder):
    with pytest.raises(UnservedRequestError):
        parse(f"upload/2026/{folder}/.jpg", "", CONF, DEFAULTS)


def test_a_wide_gallery_may_have_names_of_any_language():
    assert parse("i.php", "/upload/Gr%C3%BC%C3%9Fe%20%E5%B1%B1-me.jpg", WIDE, DEFAULTS).path == "upload/Grüße 山.jpg"
    with pytest.raises(MalformedRequestError):
        parse("i.php", "/upload/Gr%C3%BC%C3%9Fe-me.jpg", CONF, DEFAULTS)


def test_a_format_needs_its_number_and_a_gallery_with_formats():
    formats = replace(CONF, enable_formats=True)
    asked = parse("action.php", "part=f&format=12", formats, DEFAULTS)
    assert asked.wanted == Wanted(Part.FORMAT, format_id=12)
    for query, conf in (("id=1&part=f", formats), ("id=1&part=f&format=12", CONF)):
        with pytest.raises(UnservedRequestError):
            parse("action.php", query, conf, DEFAULTS)


@pytest.mark.parametrize(("number", "expected"), [("5", 5), ("5%0A", 5), ("0000000000005", 5), ("9" * 30, 0)])
def test_a_formats_number_is_what_piwigo_takes_for_one(number, expected):
    formats = replace(CONF, enable_formats=True)
    assert parse("action.php", f"part=f&format={number}", formats, DEFAULTS).wanted.format_id == expected


@pytest.mark.parametrize("number", ["", "x", "%205", "5%20", "%2B5", "5.0", "5%0A%0A", "5%0D", "%EF%BC%91"])
def test_what_piwigo_takes_for_no_formats_number_is_malformed(number):
    formats = replace(CONF, enable_formats=True)
    with pytest.raises(MalformedRequestError):
        parse("action.php", f"part=f&format={number}", formats, DEFAULTS)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_address_is_understood_or_refused_and_never_leaves_its_folders(path, query):
    for address in (
        (path, query),
        ("i.php", query),
        ("i/" + path, query),
        ("upload/" + path, ""),
        ("action.php", query),
    ):
        try:
            asked = parse(*address, WIDE, SIZES)
        except (MalformedRequestError, UnservedRequestError):
            continue
        parts = (asked.path or "").split("/")
        assert ".." not in parts
        assert "\\" not in (asked.path or "")
        assert "\0" not in (asked.path or "")
        assert not (asked.path or "").startswith("/")


@pytest.mark.parametrize(
    ("target", "base", "expected"),
    [
        ("/i.php?/a", "/", ("i.php", "/a")),
        ("/photos/i.php?/a?b", "/photos/", ("i.php", "/a?b")),
        ("/photo/i.php", "/photos/", None),
        ("/photos", "/photos/", None),
        ("http://x.example/i.php?a", "/", ("i.php", "a")),
        ("HTTP://x.example", "/", ("", "")),
        ("/a#b?c", "/", ("a", "")),
    ],
)
def test_a_target_is_split_below_the_gallerys_base(target, base, expected):
    assert split_target(target, base) == expected


@pytest.mark.parametrize("target", ["*", "x.example:443", "xhttp://x.example/a", "", "/" + "a" * 5000])
def test_a_target_that_is_no_path_is_malformed(target):
    with pytest.raises(MalformedRequestError):
        split_target(target, "/")


def test_files_beside_a_photo_lie_where_piwigo_puts_them():
    assert representative_path("upload/a/b.mp4", "jpg") == "upload/a/pwg_representative/b.jpg"
    assert format_path("upload/a/b.c.jpg", "cr2") == "upload/a/pwg_format/b.c.cr2"


@given(st.text(max_size=60))
def test_a_clean_path_is_its_own_clean_path(path):
    try:
        cleaned = clean_path(path)
    except UnservedRequestError:
        return
    assert clean_path(cleaned) == cleaned


@pytest.mark.parametrize(
    "address", [("i.php", "/upload/%ff-me.jpg"), ("i/upload/%ff-me.jpg", ""), ("upload/%ff.jpg", "")]
)
def test_an_address_that_is_not_utf_8_is_malformed(address):
    with pytest.raises(MalformedRequestError):
        parse(*address, WIDE, DEFAULTS)


def test_a_flood_of_parameters_is_not_read():
    assert parse("action.php", "id=7&part=e" + "&x" * 48, CONF, DEFAULTS).photo_id == 7
    with pytest.raises(MalformedRequestError):
        parse("action.php", "id=7&part=e" + "&x" * 49, CONF, DEFAULTS)


@pytest.mark.parametrize("number", ["1", "%201", "1%09%0A%0D%0B%0C", "1e0", "%2B1.", "1e0000"])
def test_a_number_is_what_php_takes_for_one(number):
    assert parse("action.php", f"id={number}&part=e", CONF, DEFAULTS).photo_id == 1


@pytest.mark.parametrize("number", ["%1c1", "%1f1", "1%1d", "%C2%A01", "1%C2%85", "%E3%80%801", "%D9%A1", "1_0", "inf"])
def test_what_only_python_takes_for_a_number_is_malformed(number):
    with pytest.raises(MalformedRequestError):
        parse("action.php", f"id={number}&part=e", CONF, DEFAULTS)


@pytest.mark.parametrize("folder", ["../_data/", "/../x", "a\nb"])
def test_sizes_elsewhere_have_no_address_and_all_else_has(folder):
    conf = replace(CONF, data_location=folder)
    assert data_folder(conf) is None
    assert parse("i/upload/a-me.jpg", "", conf, DEFAULTS).path == "upload/a.jpg"
    assert parse("upload/a.jpg", "", conf, DEFAULTS).path == "upload/a.jpg"
    with pytest.raises(UnservedRequestError):
        parse("_data/i/upload/a-me.jpg", "", conf, DEFAULTS)
