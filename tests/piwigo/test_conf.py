import pytest

from pwgserve.piwigo.conf import ConfError, PiwigoConf, SyncChars, from_words


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
    [("guest_id", "x"), ("guest_id", None), ("picture_ext", "jpg"), ("user_fields", "x"), ("session_name", ["x"])],
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
    ],
)
def test_the_owners_rule_for_names_is_followed(pattern, allowed, refused):
    rule = SyncChars(pattern)
    assert all(rule.allows(name) for name in allowed)
    assert not any(rule.allows(name) for name in refused)


@pytest.mark.parametrize("pattern", ["", "/", "abc", "/[/", "/a/e", "a.a"])
def test_a_rule_that_php_would_not_take_is_an_error(pattern):
    with pytest.raises(ConfError, match="sync_chars_regex"):
        SyncChars(pattern)


def test_a_rule_that_takes_for_ever_refuses():
    assert not SyncChars("/^(a+)+$/").allows("a" * 60 + "!")
