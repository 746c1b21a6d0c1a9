import time

import pytest

from pwgserve.piwigo.conf import DECIDING, SETTING_NAMES, TRUTHS, ConfError, PiwigoConf, SyncChars, from_words, told


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("guest_id", "5", 5),
        ("guest_access", True, True),
        ("guest_access", 0, False),
        ("guest_access", "0", False),
        ("guest_access", "", False),
        ("guest_access", None, False),
        ("guest_access", [], False),
        ("gallery_locked", "false", True),
        ("gallery_locked", "0.0", True),
        ("gallery_locked", "1", True),
        ("session_length", 60, 60),
        ("picture_ext", ["JPG", "avif"], ("jpg", "avif")),
        ("picture_ext", {"0": "jpg", "5": "png"}, ("jpg", "png")),
        ("users_table", "", None),
        ("users_table", "people", "people"),
        ("sync_chars_regex", "/./", SyncChars("/./")),
        ("session_length", 60.9, 60),
        ("remember_me_length", "60", 60),
        ("derivatives_strip_metadata_threshold", 1, 1),
        ("session_name", None, ""),
        ("session_name", "sid", "sid"),
        ("remember_me_name", "stay", "stay"),
        ("upload_dir", "./photos", "./photos"),
        ("secret_key", 12345, "12345"),
        ("data_location", "cache/", "cache/"),
    ],
)
def test_a_setting_is_read_as_php_would(name, value, expected):
    assert getattr(PiwigoConf().updated({name: value}), name.removesuffix("_regex")) == expected


TRUE_OR_FALSE = ["guest_access", "gallery_locked", "session_use_ip_address", "authorize_remembering", "enable_formats"]
TRUE_OR_FALSE += ["apache_authentication", "log", "history_admin", "history_guest"]


@pytest.mark.parametrize("name", TRUE_OR_FALSE)
def test_an_owner_may_turn_round_whatever_is_true_or_false(name):
    before = getattr(PiwigoConf(), name)
    assert getattr(PiwigoConf().updated({name: not before}), name) is not before


@pytest.mark.parametrize(
    ("value", "locked"),
    [
        ("true", True),
        ("false", False),
        ("False", True),
        ("FALSE", True),
        ("no", True),
        ("", False),
        ("0", False),
        ("1", True),
        (False, False),
    ],
)
def test_in_table_config_only_the_very_word_false_is_false(value, locked):
    """Recorded: a gallery with the row `gallery_locked` = `False` is locked."""
    assert PiwigoConf().updated(from_words({"gallery_locked": value})).gallery_locked is locked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("guest_id", 2),
        ("guest_access", True),
        ("gallery_locked", False),
        ("session_name", "pwg_id"),
        ("session_use_ip_address", True),
        ("session_length", 3600),
        ("authorize_remembering", True),
        ("remember_me_name", "pwg_remember"),
        ("remember_me_length", 60 * 86_400),
        ("secret_key", ""),
        ("apache_authentication", False),
        ("users_table", None),
        ("user_fields", {"id": "id", "username": "username", "password": "password", "email": "mail_address"}),
        ("picture_ext", ("jpg", "jpeg", "png", "gif", "webp")),
        ("enable_formats", False),
        ("log", True),
        ("history_admin", False),
        ("history_guest", True),
        ("upload_dir", "./upload"),
        ("data_location", "_data/"),
        ("derivatives_strip_metadata_threshold", 256_000),
    ],
)
def test_what_an_owner_does_not_set_is_as_in_piwigo(name, value):
    assert getattr(PiwigoConf(), name) == value


@pytest.mark.parametrize(("extension", "expected"), [("jpg", True), ("WebP", True), ("mp4", False), ("", False)])
def test_whatever_its_case_an_extension_makes_a_picture(extension, expected):
    assert PiwigoConf().is_picture(extension) is expected


def test_settings_that_change_no_answer_are_passed_over():
    assert PiwigoConf().updated({"gallery_title": "x", "theme": ["y"]}) == PiwigoConf()


def test_renamed_columns_keep_their_other_names():
    fields = PiwigoConf().updated({"user_fields": {"id": "uid"}}).user_fields
    assert fields == {"id": "uid", "username": "username", "password": "password", "email": "mail_address"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("guest_id", "x"),
        ("guest_id", None),
        ("remember_me_length", float("inf")),
        ("guest_id", float("nan")),
        ("picture_ext", "jpg"),
        ("user_fields", "x"),
        ("session_name", ["x"]),
        ("session_name", True),
    ],
)
def test_a_setting_of_another_kind_is_an_error_that_names_it(name, value):
    with pytest.raises(ConfError, match=name):
        PiwigoConf().updated({name: value})


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        ("/^[a-zA-Z0-9-_.]+$/", ["a-b_c.jpg", "A9"], ["a b", "é", "", "a/b"]),
        ("/^[a-zA-Z0-9-_. ]+$/", ["a b"], ["é"]),
        (r"#^[\p{L}\d_. -]+$#u", ["Grüße 山.jpg"], ["a|b"]),
        ("{^[a-z]+$}i", ["ABC"], ["1"]),
        ("/./", ["anything"], [""]),
        (r"/^[a-zA-Z0-9-_. \x80-\xff]+$/", ["łódź", "山", "a b"], ["a/b", "a&b"]),
        ("/^[a-zé]+$/", ["é", "\u00e9\u00e9"], ["ü", "山"]),
        (r"/^[\x{e9}a]+$/u", ["é"], ["è"]),
        (r"/^[\x{100}-\x{17f}a-z]+$/u", ["łd"], ["ó", "山"]),
        (r"/^\p{Lu}+$/u", ["ABŁ"], ["a"]),
        (r"/^[\p{L}\w]+$/", ["ab", "ê", "õú"], ["é", "1²"]),
        (r"/^\P{N}+$/", ["é", "ab"], ["²", "1"]),
        (r"/^[\pL\d_]+$/", ["ab1", "ê"], ["é", "²"]),
        (r"/^[\p{Han}a]+$/", ["a"], ["山"]),
        (r"/^[^\p{Han}]$/", ["a"], ["山"]),
        (r"/^[\pLu]+$/u", ["aé山"], ["1"]),
        (r"/^[[:alnum:]]+$/u", ["٣é"], ["-"]),
        (r"/^[[:alpha:]]+$/u", ["é"], ["ⅷ", "1"]),
        (r"/^[\w ]+$/u", ["80 m²", "Ⅷ é"], ["a-b"]),
        (r"/^\w$/u", ["²"], ["-"]),
        (r"/^a\h[\h]+$/u", ["a\u202f\u00a0 "], ["a\n\n"]),
        (r"/^.{2}$/", ["ab", "é"], ["a", "山"]),
        (r"/^.{2}$/u", ["éé"], ["é"]),
        ("/^[a-z]+$/SXJ", ["ab"], ["é"]),
        ("/^[a-z]+$/U", ["ab"], ["é"]),
        ("/b/A", ["ba"], ["ab"]),
        (r"/^a\z/", ["a"], ["az"]),
        ("/^a{e<=1}$/", ["a{e<=1}"], ["a", "ab"]),
        ("/^x{,3}$/", ["x{,3}"], ["xx", ""]),
        ("/^[[a]+$/", ["[a"], ["b"]),
        ("/^[]a]+$/", ["]a"], ["b"]),
        ("/^[[:alpha:]]+$/", ["ab"], [":", "1"]),
    ],
)
def test_the_owners_rule_for_names_is_followed(pattern, allowed, refused):
    rule = SyncChars(pattern)
    assert all(rule.allows(name) for name in allowed)
    assert not any(rule.allows(name) for name in refused)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/",
        "abc",
        "/[/",
        "/a/e",
        "a.a",
        r"/\x{100}/",
        r"/\x{110000}/u",
        "/(?>a+)b/U",
        "/(*UTF8)a/",
        r"/\Qa\E/",
        r"/^[\p{L&}]+$/u",
        r"/^\p{Nonsense}+$/",
        "/(?V1)a/",
    ],
)
def test_a_rule_that_php_would_not_take_is_an_error(pattern):
    with pytest.raises(ConfError, match="sync_chars_regex"):
        SyncChars(pattern)


@pytest.mark.parametrize("pattern", ["/^(a+)+$/", "/^(a|aa)+$/"])
def test_a_rule_that_takes_for_ever_refuses(pattern):
    begun = time.monotonic()
    assert not SyncChars(pattern).allows("a" * 60 + "!")
    assert time.monotonic() - begun < 10


def test_sessions_that_pwgserve_cannot_see_are_an_error():
    assert PiwigoConf().updated({"session_save_handler": "db"}) == PiwigoConf()
    for handler in ("files", "", None):
        with pytest.raises(ConfError, match="session_save_handler is not 'db'"):
            PiwigoConf().updated({"session_save_handler": handler})


@pytest.mark.parametrize("folder", ["../photos", "./../photos", "upload/../../photos"])
def test_uploads_outside_of_piwigo_are_an_error_that_says_the_way_out(folder):
    with pytest.raises(ConfError, match=r"upload_dir leads out .* symbolic link .* piwigo\.originals"):
        PiwigoConf().updated({"upload_dir": folder})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("guest_access", True, True),
        ("guest_access", False, False),
        ("guest_access", "true", True),
        ("guest_access", "false", False),
        ("session_name", "true", "true"),
        ("guest_id", 5, 5),
    ],
)
def test_what_an_owner_tells_us_has_one_reading(name, value, expected):
    assert told(name, value) is expected


@pytest.mark.parametrize("value", ["", "TRUE", "no", "0", 0, 1, None, "'true'"])
def test_what_has_two_readings_is_an_error_that_says_what_to_write(value):
    with pytest.raises(ValueError, match="gallery_locked is true or false"):
        told("gallery_locked", value)


@pytest.mark.parametrize(
    ("name", "near"),
    [("guest_acces", "there is guest_access"), ("sync_chars", "sync_chars_regex"), ("x", "guest_id, ")],
)
def test_a_setting_that_is_none_is_an_error_that_names_those_that_are(name, near):
    with pytest.raises(ValueError, match=f"'{name}' is no setting that pwgserve uses; .*{near}"):
        told(name, True)


def test_settings_that_may_be_told_are_those_that_change_an_answer():
    assert {"guest_access", "sync_chars_regex", "upload_dir"} <= SETTING_NAMES
    # Of these a wrong value never gives anything away; all others decide who somebody is and may have what.
    harmless = {
        "secret_key",
        "session_save_handler",
        "log",
        "history_admin",
        "history_guest",
        "upload_dir",
    }
    harmless |= {"data_location", "sync_chars_regex", "derivatives_strip_metadata_threshold"}
    assert harmless == SETTING_NAMES - DECIDING
    assert set(TRUE_OR_FALSE) == TRUTHS
