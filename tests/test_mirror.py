from hypothesis import given
from hypothesis import strategies as st

from pwgserve import mirror
from pwgserve.keys.keys_file import generated
from pwgserve.links import LinkSigner

SIGNER = LinkSigner(generated())
NONCE, NOW = "0123456789abcdef", 1_800_000_000.0
TOKEN = mirror.token(SIGNER, NONCE, NOW)


def test_a_token_is_valid_for_a_minute_and_for_its_own_installation():
    assert mirror.is_valid(SIGNER, TOKEN, NOW)
    assert mirror.is_valid(SIGNER, TOKEN, NOW + 59)
    assert not mirror.is_valid(SIGNER, TOKEN, NOW + 60)
    assert not mirror.is_valid(SIGNER, TOKEN, NOW - 5), "nobody makes one that lives longer"
    assert not mirror.is_valid(LinkSigner(generated()), TOKEN, NOW)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("0123456789abcdefXYZ._-"))
def test_a_token_with_another_character_is_none(place, character):
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    assert mirror.is_valid(SIGNER, changed, NOW) == (changed == TOKEN)


def test_what_is_no_token_is_none():
    for text in ("", "mirror", "mirror...", TOKEN + "\n", TOKEN + ".x", " " + TOKEN, "ü" + TOKEN):
        assert not mirror.is_valid(SIGNER, text, NOW)


def test_it_is_no_link_and_a_link_is_no_token():
    assert SIGNER.verify(TOKEN) is None
    assert not mirror.is_valid(SIGNER, f"1.e.p.{int(NOW) + 30}.{'A' * 16}.{'B' * 43}", NOW)
