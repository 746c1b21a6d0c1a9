"""The client of the benchmarks: what it says of a contender that fails."""

import socketserver
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from benchmarks.load import REFUSED, hammer


class Refusing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class CuttingOff(Refusing):
    def do_GET(self):
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")


@pytest.mark.parametrize(("kind", "handler"), [(REFUSED, Refusing), ("read", CuttingOff)])
def test_errors_are_told_by_their_kind(kind, handler):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = hammer(server.server_address[1], "/", 1, connections=2)
        server.shutdown()
    assert set(found.errors) == {kind}
    assert found.errors[kind] > 0
