"""Stands where PHP with Piwigo would be, as far as web servers can tell: a FastCGI program that leaks like Piwigo.

i.php gives any size of any photo to anybody; action.php refuses, and tells what exists; every other page is a page.
"""

import contextlib
import socketserver
import struct
import threading
from pathlib import Path
from urllib.parse import parse_qs, unquote

from galleries import TestGallery

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
HEADER = struct.Struct(">BBHHBx")


class Standin:
    """Listens on the Unix socket `path` until it is closed."""

    def __init__(self, path: Path, gallery: TestGallery) -> None:
        self._server = socketserver.ThreadingUnixStreamServer(str(path), _handler(gallery))
        self._server.daemon_threads = True
        path.chmod(0o777)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def answer(gallery: TestGallery, asked: dict[str, str]) -> tuple[str, str, bytes]:
    """Status, content type and body of a page."""
    program = asked.get("SCRIPT_FILENAME", "").removeprefix("proxy:fcgi://localhost")
    name = Path(program).name
    query = unquote(asked.get("QUERY_STRING", ""))
    if "upload/" in program:
        return "200 OK", "text/html", b"somebody's program ran"
    if name in ("i.php", "action.php") and Path(program).parent != gallery.root:
        return "404 Not Found", "text/html", b"File not found."
    if name == "i.php":
        path = (query.partition("&")[0] or asked.get("PATH_INFO", "")).lstrip("/")
        stem, _, extension = path.rpartition(".")
        source = gallery.root / f"{stem.rpartition('-')[0]}.{extension}"
        if source.is_file():
            return "200 OK", "image/jpeg", source.read_bytes()
        return "404 Not Found", "text/html", b"Source not found"
    if name == "action.php":
        photo = parse_qs(query).get("id", ["0"])[0].strip()
        exists = photo.isdecimal() and int(photo) in gallery.paths
        return (
            ("401 Unauthorized", "text/html", b"Access denied") if exists else ("404 Not Found", "text/html", b"None")
        )
    if name == "other.php":  # another program of the same site, which somebody has taken over
        return "200 OK", f"text/html\r\nX-Accel-Redirect: {query}\r\nX-Sendfile: {query}", b""
    return "200 OK", "text/html", b"<html>a page</html>"


def _handler(gallery: TestGallery) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, struct.error):
                self._answer()

        def _answer(self) -> None:
            params = b""
            while True:
                _, kind, number, length, padding = HEADER.unpack(self.rfile.read(HEADER.size))
                content = self.rfile.read(length)
                self.rfile.read(padding)
                if kind == PARAMS:
                    params += content
                if kind == STDIN and not content:
                    break
            status, content_type, body = answer(gallery, _pairs(params))
            page = f"Status: {status}\r\nContent-Type: {content_type}\r\n\r\n".encode() + body
            for start in range(0, len(page), 60_000):
                self._send(STDOUT, number, page[start : start + 60_000])
            self._send(STDOUT, number, b"")
            self._send(END, number, bytes(8))

        def _send(self, kind: int, number: int, content: bytes) -> None:
            self.wfile.write(HEADER.pack(1, kind, number, len(content), 0) + content)

    return Handler


def _pairs(data: bytes) -> dict[str, str]:
    found, position = {}, 0
    while position < len(data):
        lengths = []
        for _ in range(2):
            length = data[position]
            position += 1
            if length >= 128:
                length = struct.unpack(">I", data[position - 1 : position + 3])[0] & 0x7FFFFFFF
                position += 3
            lengths.append(length)
        name, value = data[position : position + lengths[0]], data[position + lengths[0] : position + sum(lengths)]
        position += sum(lengths)
        found[name.decode()] = value.decode("utf-8", "replace")
    return found
