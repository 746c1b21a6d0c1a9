from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.keys.keyring import KeyRing
from pwgserve.links import PUBLIC, Audience, Credential, Link, LinkSigner, bucket_end, expiry
from pwgserve.piwigo.wanted import Part, Wanted

RING = KeyRing((b"1" * 32, b"2" * 32), b"s" * 32)
SIGNER = LinkSigner(RING)
MARK = "abcdefghijklmn-_"
LINK = Link(42, Wanted(code="me"), Audience(3, Credential("s", MARK)), 1_800_000_000, "ABCDEFGHIJKLMNOP")

ENCODED = Wanted(code="me", encoding="avif")

audiences = st.just(PUBLIC) | st.builds(
    lambda user, kind: Audience(user, Credential(kind, MARK)), st.integers(1, 10**9), st.sampled_from("sraxtkm")
)
links = st.builds(
    Link,
    st.integers(1, 10**9),
    st.sampled_from(
        [Wanted(), Wanted(code="me"), ENCODED, Wanted(Part.REPRESENTATIVE, "sq"), Wanted(Part.FORMAT, format_id=7)]
    ),
    audiences,
    st.integers(1, 10**11),
    st.just("ABCDEFGHIJKLMNOP"),
)


@given(links)
def test_a_link_is_read_back_from_its_token(link):
    token = SIGNER.sign(link)
    assert SIGNER.verify(token) == link
    assert token == SIGNER.sign(link)
    assert all(character.isalnum() or character in "-_." for character in token)


def test_no_single_character_of_a_token_can_be_changed():
    token = SIGNER.sign(LINK)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.%/=+ é"
    for position in range(len(token)):
        for character in alphabet:
            forged = token[:position] + character + token[position + 1 :]
            assert forged == token or SIGNER.verify(forged) is None, (position, character)


def test_no_character_can_be_added_or_left_out():
    token = SIGNER.sign(LINK)
    for position in range(len(token) + 1):
        assert SIGNER.verify(token[:position] + "A" + token[position:]) is None
        assert SIGNER.verify(token[:position] + "=" + token[position:]) is None
        if position < len(token):
            assert SIGNER.verify(token[:position] + token[position + 1 :]) is None


@given(st.text(max_size=400))
def test_any_other_text_is_no_link(text):
    assert SIGNER.verify(text) is None


@pytest.mark.parametrize(
    "change",
    [
        {"photo_id": 43},
        {"wanted": Wanted()},
        {"wanted": Wanted(code="me", encoding="avif")},
        {"audience": PUBLIC},
        {"audience": Audience(4, Credential("s", MARK))},
        {"audience": Audience(3, Credential("t", MARK))},
        {"expiry": 1_900_000_000},
        {"fingerprint": "ABCDEFGHIJKLMNOQ"},
    ],
)
def test_another_link_has_another_signature(change):
    signature = SIGNER.sign(LINK).rpartition(".")[2]
    other = SIGNER.sign(replace(LINK, **change))
    assert other.rpartition(".")[2] != signature
    assert SIGNER.verify(other.rpartition(".")[0] + "." + signature) is None


def test_the_newest_key_signs_and_every_key_of_the_ring_verifies():
    old, new = LinkSigner(KeyRing((b"1" * 32,), b"s" * 32)), LinkSigner(KeyRing((b"2" * 32,), b"s" * 32))
    assert SIGNER.sign(LINK) == new.sign(LINK) != old.sign(LINK)
    assert SIGNER.verify(old.sign(LINK)) == LINK
    assert old.verify(new.sign(LINK)) is None


def test_a_token_tells_neither_key_nor_credential():
    signer = LinkSigner(RING)
    credential = signer.credential("s", "7F00the-session")
    token = signer.sign(replace(LINK, audience=Audience(3, credential)))
    assert "session" not in token
    assert credential.mark != signer.credential("r", "7F00the-session").mark
    assert credential.mark != LinkSigner(replace(RING, stable_key=b"t" * 32)).credential("s", "7F00the-session").mark


def test_facts_cannot_be_shifted_between_each_other():
    assert SIGNER.fingerprint("ab", "c") != SIGNER.fingerprint("a", "bc")
    assert SIGNER.fingerprint("ab", "") != SIGNER.fingerprint("ab")


@given(st.floats(0, 4e9), st.integers(2, 10**7))
def test_a_link_lives_between_its_ttl_and_one_and_a_half(now, ttl):
    ends = expiry(now, ttl)
    assert ttl <= ends - now <= 1.5 * ttl + 1
    assert expiry(bucket_end(ends, ttl) - 0.001, ttl) == ends or bucket_end(ends, ttl) - 0.001 < now
    assert now < bucket_end(ends, ttl)


@pytest.mark.parametrize(("now", "expected"), [(1_799_999_999.9, False), (1_800_000_000, True)])
def test_a_link_ends_at_its_expiry(now, expected):
    assert LINK.is_expired(now) is expected
