from dataclasses import replace

import pytest

from pwgserve.keys.keyring import KeyRing
from pwgserve.plugin import KEPT_NONCES, MAX_SKEW, Acquaintance, Asked, key_id

RING = KeyRing((b"1" * 32, b"2" * 32), b"s" * 32)
NOW = 1_800_000_000


def asked(acquaintance, number, at=NOW):
    plain = Asked("status", str(at), f"{number:032x}", "", b"{}")
    return Asked(plain.name, plain.time, plain.nonce, acquaintance.signature(plain), plain.body)


def test_what_was_asked_is_remembered_for_as_long_as_it_could_be_repeated():
    acquaintance = Acquaintance(RING)
    first = asked(acquaintance, 1, NOW + MAX_SKEW)
    assert acquaintance.knows(first, NOW)
    last = NOW + 2 * MAX_SKEW
    assert acquaintance.knows(asked(acquaintance, 2, last), last), "room is made by other requests"
    assert not acquaintance.knows(first, last)
    assert acquaintance.knows(asked(acquaintance, 3, last), last + 1)
    assert list(acquaintance._nonces) == [f"{number:032x}" for number in (2, 3)]
    assert not acquaintance.knows(first, last + 1), "too old by now"


@pytest.mark.parametrize("seconds", [-MAX_SKEW - 1, MAX_SKEW + 1])
def test_another_time_than_now_is_refused(seconds):
    acquaintance = Acquaintance(RING)
    assert not acquaintance.knows(asked(acquaintance, 1, NOW + seconds), NOW)
    assert acquaintance.knows(asked(acquaintance, 1, NOW + seconds * MAX_SKEW // (MAX_SKEW + 1)), NOW)


@pytest.mark.parametrize("part", ["time", "nonce", "signature"])
@pytest.mark.parametrize("text", ["", "\u00e9" * 32, "\u0661" * 10, "0" * 33, "-1", "\ud800"])
def test_what_has_not_the_form_of_a_request_is_none(part, text):
    acquaintance = Acquaintance(RING)
    assert not acquaintance.knows(replace(asked(acquaintance, 1), **{part: text}), NOW)


def test_no_more_is_remembered_than_there_is_room_for():
    acquaintance = Acquaintance(RING)
    for number in range(KEPT_NONCES + 50):
        assert acquaintance.knows(asked(acquaintance, number), NOW)
    assert len(acquaintance._nonces) == KEPT_NONCES


def test_keys_are_told_apart_by_names_that_do_not_lead_back():
    acquaintance = Acquaintance(RING)
    assert acquaintance.standing(key_id(b"2" * 32)) == "newest"
    assert acquaintance.standing(key_id(b"1" * 32)) == "old"
    assert acquaintance.standing(key_id(b"3" * 32)) == acquaintance.standing("") == "unknown"
    assert key_id(b"2" * 32) != (b"2" * 32).hex()[:16]


def test_another_installation_is_a_stranger():
    acquaintance, other = Acquaintance(RING), Acquaintance(KeyRing(RING.link_keys, b"t" * 32))
    assert not acquaintance.knows(asked(other, 1), NOW)
