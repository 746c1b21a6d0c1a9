"""Bytes as an attacker writes them onto a connection, and the answers that come back."""

import contextlib
import re
import socket

DAY = "upload/2026/05/14"
"""Where the photos of the gallery lie."""

SECRET = b"the secret that is none of the gallery's"
"""What lies around them."""


def connected(port, seconds=60):
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


def exchange(port, data, seconds=60):
    """All that comes back until the daemon closes, or says nothing more for a while."""
    with connected(port, seconds) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        return received(connection)


def received(connection):
    """All that still comes until the other side closes."""
    found = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while chunk := connection.recv(65_536):
            found += chunk
    return found


def statuses(data):
    """The status of every answer in a stream of them."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", data)]


def request(target, *headers, method="GET"):
    """One request, without its body."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *headers, "", ""]).encode("utf-8")


def comparable(answer):
    """An answer without what differs between any two."""
    return answer.status, {name: value for name, value in answer.headers.items() if name != "date"}, answer.body
