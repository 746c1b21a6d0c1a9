"""Addresses of databases, as owners write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.address import Address, AddressError, parsed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mysql://u:p@h:3307/g", Address("mysql", "u", "p", "h", 3307, "g")),
        ("mariadb://u@h/g", Address("mariadb", "u", None, "h", None, "g")),
        ("mysql://h/g", Address("mysql", None, None, "h", None, "g")),
        ("mysql:///g?unix_socket=/run/my.sock", Address("mysql", name="g", options={"unix_socket": "/run/my.sock"})),
        ("mysql://u:p%40s%2Fs%3F@h/a%20b", Address("mysql", "u", "p@s/s?", "h", None, "a b")),
        ("mysql://u:a:b#c/d@h/g", Address("mysql", "u", "a:b#c/d", "h", None, "g")),
        ("mysql://u:@h/g", Address("mysql", "u", "", "h", None, "g")),
        ("mysql://u:p@[::1]:3306/g", Address("mysql", "u", "p", "::1", 3306, "g")),
        ("mysql://u:p@h/", Address("mysql", "u", "p", "h")),
        ("mysql://u:p@h", Address("mysql", "u", "p", "h")),
        ("sqlite:////srv/100%.db", Address("sqlite", name="/srv/100%.db")),
        ("sqlite:///a?b@c:1.db", Address("sqlite", name="a?b@c:1.db")),
    ],
)
def test_an_address_is_what_it_says(text, expected):
    assert vars(parsed(text)) == vars(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mysql",
        "mysql:/u:p@h/g",
        "postgresql://u:p@h/g",
        "mysql+pymysql://h/g",
        "mysql://u:p@h:port/g",
        "mysql://h:65536/g",
        "://h/g",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(text):
    with pytest.raises(AddressError) as refused:
        parsed(text)
    assert str(refused.value) == "not an address of a database"


def test_a_password_is_not_shown_by_chance():
    assert "secret" not in repr(parsed("mysql://u:secret@h/g"))


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(_texts, _texts, st.sampled_from(["h", "::1", "10.0.0.1", ""]), st.none() | st.integers(0, 65535), _texts, _texts)
def test_an_address_comes_back_as_it_was(user, password, host, port, name, socket):
    options = {"unix_socket": socket} if socket else {}
    address = Address("mysql", user, password, host or None, port, name, options)
    assert vars(parsed(address.text())) == vars(address)
    assert vars(parsed(address.of("x", "y@:/?").text())) == vars(address.of("x", "y@:/?"))
