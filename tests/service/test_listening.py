import pytest

from pwgserve.service.listening import ListenError, listeners


@pytest.mark.parametrize(
    "address", ["127.0.0..1:8280", f"{'a' * 70}.example:8280", "unix:/tmp/a\0b", "nowhere.invalid:8280"]
)
def test_an_address_that_cannot_be_is_told_in_one_line(address):
    """Also at a reload, where anything else would end what serves."""
    with pytest.raises(ListenError, match=r"^server\.listen: cannot listen on .*; choose another address$"):
        listeners(address)
