import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.piwigo.identity import session_user_id
from pwgserve.piwigo.phpvalues import PhpObject, PhpValueError, session_values, unserialize


def serialized(value):
    match value:
        case None:
            return b"N;"
        case bool():
            return b"b:%d;" % value
        case int():
            return b"i:%d;" % value
        case float():
            return b"d:%s;" % repr(value).encode()
        case bytes():
            return b's:%d:"%s";' % (len(value), value)
        case dict():
            items = b"".join(serialized(key) + serialized(item) for key, item in value.items())
            return b"a:%d:{%s}" % (len(value), items)
    raise TypeError


keys = st.integers(-(2**62), 2**62) | st.binary(max_size=20)
scalars = st.none() | st.booleans() | keys | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(scalars, lambda inner: st.dictionaries(keys, inner, max_size=5), max_leaves=30)


@given(values)
def test_what_php_wrote_is_read_back(value):
    assert unserialize(serialized(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_the_one_error(data):
    for read in (unserialize, session_values):
        with contextlib.suppress(PhpValueError):
            read(data)


@given(values, st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_damage_is_never_more_than_another_value_or_the_one_error(value, position, junk):
    data = serialized(value)
    at = position % (len(data) + 1)
    with contextlib.suppress(PhpValueError):
        unserialize(data[:at] + junk + data[at + 1 :])


def test_objects_are_values_without_code():
    data = b'O:16:"DerivativeParams":2:{s:13:"last_mod_time";i:5;s:8:"\0*\0inner";a:1:{i:0;s:1:"x";}}'
    assert unserialize(data) == PhpObject(b"DerivativeParams", {b"last_mod_time": 5, b"inner": {0: b"x"}})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i:1",
        b"i:1;x",
        b"i:1.5;",
        b"i:99999999999999999999999;",
        b's:5:"abc";',
        b's:-1:"";',
        b's:99999999999:"";',
        b"a:1:{}",
        b"a:99999999999:{}",
        b"a:1:{a:0:{}i:1;}",
        b"a:1:{i:1;}",
        b"x:1;",
        b'O:3:"abc"',
        b"a:1:{i:0;" * 500 + b"i:1;" + b"}" * 500,
    ],
)
def test_what_php_never_wrote_is_an_error(data):
    with pytest.raises(PhpValueError):
        unserialize(data)


def test_a_session_is_its_variables():
    data = b'pwg_device|s:7:"desktop";pwg_uid|i:3;a|a:1:{i:0;s:13:"x|i:9;pwg_uid";}'
    assert session_values(data) == {b"pwg_device": b"desktop", b"pwg_uid": 3, b"a": {0: b"x|i:9;pwg_uid"}}
    assert session_values(b"") == {}
    for broken in (b"pwg_uid", b"|i:1;", b"pwg_uid|", b"pwg_uid|i:3"):
        with pytest.raises(PhpValueError):
            session_values(broken)


@pytest.mark.parametrize(
    "row",
    [
        # php_serialize: of ['pwg_uid' => 7, 'q' => what a visitor wrote]
        b'a:2:{s:7:"pwg_uid";i:7;s:1:"q";s:33:"x|N;pwg_uid|i:1;z|a:1:{i:0;s:0:"";}}',
        # php_binary
        b'\x07pwg_uidi:7;\x01qs:21:"x|N;pwg_uid|i:1;z|s:1:"";',
        # igbinary
        b"\x00\x00\x00\x02\x14\x02\x11\x07pwg_uid\x06\x07\x11\x01q\x11\x10x|N;pwg_uid|i:1;",
        b"x{|i:1;",
        b"x;|i:1;",
        b"!x|i:1;",
    ],
)
def test_a_session_of_another_serialize_handler_names_nobody(row):
    with pytest.raises(PhpValueError):
        session_values(row)
    assert session_user_id(row) is None
