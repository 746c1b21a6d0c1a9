import pytest

from pwgserve.piwigo.conf import DECIDING, SETTING_NAMES, TRUTHS, ConfError, PiwigoConf, SyncChars, from_words


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
        ("secret_key", 12345, "12345"),
        ("data_location", "cache/", "cache/"),
    ],
)
def test_a_setting_is_read_as_php_would(name, value, expected):
    assert getattr(PiwigoConf().updated({name: value}), name) == expected


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


def test_a_rule_that_takes_for_ever_refuses():
    assert not SyncChars("/^(a+)+$/").allows("a" * 60 + "!")


def test_sessions_that_pwgserve_cannot_see_are_an_error():
    assert PiwigoConf().updated({"session_save_handler": "db"}) == PiwigoConf()
    for handler in ("files", "", None):
        with pytest.raises(ConfError, match="session_save_handler is not 'db'"):
            PiwigoConf().updated({"session_save_handler": handler})


@pytest.mark.parametrize("folder", ["../photos", "./../photos", "upload/../../photos"])
def test_uploads_outside_of_piwigo_are_an_error_that_says_the_way_out(folder):
    with pytest.raises(ConfError, match=r"upload_dir leads out .* symbolic link .* piwigo\.originals"):
        PiwigoConf().updated({"upload_dir": folder})


def test_settings_that_may_be_told_are_those_that_change_an_answer():
    assert {"guest_access", "sync_chars_regex", "upload_dir"} <= SETTING_NAMES
    assert DECIDING <= SETTING_NAMES
    assert "guest_access" in TRUTHS
    assert "guest_id" not in TRUTHS
