import contextlib
import socket

import pytest

from pwgserve.service.listening import ListenError, listeners


@pytest.mark.parametrize(
    "address", ["127.0.0..1:8280", f"{'a' * 70}.example:8280", "unix:/tmp/a\0b", "nowhere.invalid:8280"]
)
def test_an_address_that_cannot_be_is_told_in_one_line(address):
    """Also at a reload, where anything else would end what serves."""
    with pytest.raises(ListenError, match=r"^server\.listen: cannot listen on .*; choose another address$"):
        listeners(address)


def test_the_kernel_keeps_little_of_what_has_not_been_read():
    """Else a busy daemon reads hundreds of kilobytes of one head at once, from each of its connections."""
    (listener,) = listeners("127.0.0.1:0")
    with listener, socket.create_connection(listener.getsockname()) as visitor, listener.accept()[0]:
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        visitor.setblocking(False)
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while taken < 1_000_000:
                taken += visitor.send(b"a" * 1000)
        assert taken < 80_000
