import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.identity import (
    RememberMe,
    cookies,
    is_auth_key,
    pwg_token,
    remember_me_key,
    session_row_id,
    session_user_id,
)

SECRET = "2a85db09c306ce53709c8816e9e8cda0c62767ee"
HASH = "$P$GK4r1/ie2aBwuw.WSvGWLoo0K573EU."
RECORDED = "3-1795479795-rxzoPgqRTGz7RrxNS/T1SuduMSA="


def test_the_remember_me_cookie_recorded_from_piwigo_is_genuine():
    claim = RememberMe.parse(RECORDED)
    assert claim == RememberMe(3, 1795479795, "rxzoPgqRTGz7RrxNS/T1SuduMSA=")
    assert claim.is_genuine(SECRET, HASH, "alice")
    assert remember_me_key(SECRET, HASH, 1795479795, 3, "alice") == claim.key


@pytest.mark.parametrize(
    ("stored", "signed"),
    [("o\\'brien", "o'brien"), ("back\\slash", "backslash"), ("a\\\\b", "a\\b"), ("end\\", "end"), ("a\\0b", "a\0b")],
)
def test_a_remember_me_cookie_is_signed_for_the_name_without_phps_escapes(stored, signed):
    message = f"53{signed}".encode()
    expected = base64.b64encode(hmac.digest((SECRET + HASH).encode(), message, "sha1")).decode()
    assert RememberMe(3, 5, expected).is_genuine(SECRET, HASH, stored)


@pytest.mark.parametrize(
    ("secret", "password", "name"),
    [("", HASH, "alice"), (SECRET + "0", HASH, "alice"), (SECRET, HASH + ".", "alice"), (SECRET, HASH, "Alice")],
)
def test_a_remember_me_cookie_is_for_one_gallery_one_password_one_name(secret, password, name):
    assert not RememberMe.parse(RECORDED).is_genuine(secret, password, name)


def test_a_key_made_with_an_empty_secret_is_never_genuine():
    forged = RememberMe(3, 5, remember_me_key("", HASH, 5, 3, "alice"))
    assert not forged.is_genuine("", HASH, "alice")


@pytest.mark.parametrize(
    "text",
    ["", "3", "3-5", "3-5-k-x", "a-5-k", "3-b-k", "-3-5-k", "٣-5-k", "3-5 -k", "03-5-k", "3-05-k", "3" * 11 + "-5-k"],
)
def test_what_is_no_remember_me_cookie_claims_nothing(text):
    assert RememberMe.parse(text) is None


@pytest.mark.parametrize(("now", "expected"), [(99, False), (100, True), (150, True), (151, False)])
def test_a_remember_me_cookie_lasts_for_its_length(now, expected):
    assert RememberMe(3, 100, "").is_current(now, 50) is expected


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("127.0.0.1", "7F00"),
        ("192.168.7.9", "C0A8"),
        ("8.8.8.8", "0808"),
        ("::1", ""),
        ("::ffff:192.168.7.9", ""),
        ("2001:db8::1", ""),
        (None, ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_a_sessions_row_begins_with_its_network(address, prefix):
    assert session_row_id("abc", address) == prefix + "abc"


@pytest.mark.parametrize("cookie", ["", "a b", "a%", "a'", "é", "a" * 129, "a\n", "../a", "a_b"])
def test_what_php_never_gave_as_a_session_is_none(cookie):
    assert session_row_id(cookie, "127.0.0.1") is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"pwg_uid|i:3;", 3),
        (b'a|s:1:"x";pwg_uid|i:3;b|N;', 3),
        (b'pwg_uid|s:2:"42";', 42),
        (b"", None),
        (b"pwg_uid|i:0;", None),
        (b"pwg_uid|i:-3;", None),
        (b"pwg_uid|b:1;", None),
        (b"pwg_uid|N;", None),
        (b'x|s:12:"pwg_uid|i:3;";', None),
        (b'x|s:99:"pwg_uid|i:3;";', None),
        (b"pwg_uid|i:3", None),
    ],
)
def test_a_session_names_its_user_or_nobody(data, expected):
    assert session_user_id(data) == expected


INJECTED = '";pwg_uid|i:3;z|s:0:"'
"""What ends a text too early and goes on as variables, for a reader who counts the letters before it twice."""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('pwg_uid|i:3;note|s:2:"é";', 3),
        ('pwg_uid|i:3;note|s:1:"é";', 3),
        (f'pwg_uid|i:5;note|s:42:"{"é" * 21}{INJECTED}";', None),
        (f'note|s:42:"{"é" * 21}{INJECTED}";', None),
        (f'note|s:42:"{"é" * 21}{INJECTED}";pwg_uid|i:5;', 5),
    ],
    ids=["UTF-8", "a byte for a letter", "a user's own", "a guest's", "both agree"],
)
def test_letters_that_are_counted_otherwise_than_php_did_name_nobody_else(data, expected):
    assert session_user_id(data) == expected


@given(st.binary(max_size=120) | st.text(max_size=120))
def test_any_session_data_name_a_user_or_nobody(data):
    user = session_user_id(data)
    assert user is None or user > 0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        ("a=1; a=2", {"a": "1"}),
        ("a.b=1; a_b=2; a b =3", {"a_b": "1", "a_b_": "3"}),
        ("a=x%2Fy%3D", {"a": "x/y="}),
        ("a=x+y", {"a": "x+y"}),
        ("a=b=c", {"a": "b=c"}),
        ("a; =b; ; c=", {"a": "", "c": ""}),
        ("a; a=1", {"a": ""}),
        ("a=1 ;\tb= 2", {"a": "1 ", "b": " 2"}),
        ("a=%ff; b=1", {"b": "1"}),
        ("a=\udce9t\udce9; b=1", {"b": "1"}),  # a byte that is not UTF-8, as the library hands it out
        ("\udce9=1; b=\u00e9", {"\udce9": "1", "b": "\u00e9"}),
    ],
)
def test_cookies_are_read_as_php_reads_them(header, expected):
    assert cookies(header) == expected


@given(st.text(st.characters(), max_size=200))
def test_any_cookie_header_is_read(header):
    for name, value in cookies(header).items():
        assert isinstance(name, str)
        assert isinstance(value, str)


@pytest.mark.parametrize(
    ("text", "expected"), [("a1B" * 10, True), ("a" * 29, False), ("a" * 31, False), ("é" * 30, False)]
)
def test_an_authentication_key_has_thirty_letters_and_digits(text, expected):
    assert is_auth_key(text) is expected


def test_a_page_token_depends_on_the_session_and_the_gallery():
    assert pwg_token("s", "k") != pwg_token("s2", "k")
    assert pwg_token("s", "k") != pwg_token("s", "k2")
    assert len(pwg_token("s", "k")) == 32
