"""How the bytes of a permitted file leave: directly, or by the proxy in front (X-Accel-Redirect, X-Sendfile).

Conditional and partial requests are decided in `ranges`; who may have the file is decided before.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self
from urllib.parse import quote

import structlog
from aiohttp import web

from pwgserve.finished import Finished
from pwgserve.http.ranges import (
    Range,
    UnsatisfiableError,
    Validators,
    http_date,
    is_not_modified,
    is_other_version,
    ranges,
)

CHUNK = 262_144
"""Bytes read at a time: large enough to be fast, small enough for hundreds of slow readers at once."""

PROXY_KEEPS = "X-Accel-Expires"
"""Says for how long nginx may keep an answer, whatever its status is; of a part or an error it must keep nothing."""

OF_VERSIONS = ("If-Match", "If-Unmodified-Since")
"""What asks for one version alone. nginx would compare it with its file's, and not with what our headers say."""

_log = structlog.get_logger("http")

DIRECT = "direct"
X_ACCEL = "x-accel-redirect"


@dataclass(frozen=True)
class OpenFile:
    """A file to be sent, open or as its content. It is closed at the end of a `with` block.

    path: where it lies, None when it lies nowhere. internal: its path below the proxy's internal location, for
    X-Accel-Redirect. content: all of it, if it was read already; then there need be no descriptor. mtime: of the
    version that the answer's headers name, in nanoseconds since 1970; None for a file that nobody writes to again, as
    in the cache. in_turn, close: how it is read and closed without waiting for its disk.
    """

    descriptor: int | None
    size: int
    path: str | None
    internal: str
    content: bytes | None = None
    mtime: int | None = None
    in_turn: Callable[[Callable[[], bytes]], Awaitable[bytes]] = asyncio.to_thread
    close: Callable[[int], None] = os.close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        if self.descriptor is not None:
            self.close(self.descriptor)


def of_cache(finished: Finished, path: str) -> OpenFile:
    """A finished derivative, which lies at `path` if the cache has it, as a file to be sent."""
    entry = finished.entry
    stored_path = path if finished.is_stored else None
    return OpenFile(entry.descriptor, entry.size, stored_path, f"cache/{finished.name}", entry.content)


class Sender:
    """Sends files in one of the ways of `server.send_file`."""

    def __init__(self, way: str, internal_prefix: str) -> None:
        self._way = way
        self._internal_prefix = internal_prefix

    async def send(
        self, request: web.BaseRequest, file: OpenFile, headers: Mapping[str, str], validators: Validators
    ) -> web.StreamResponse:
        """Answer a request with a file, or with the part of it that is asked for."""
        asked = request.headers
        wanted = asked.get("Range") if request.method == "GET" else None
        about = {
            **headers,
            "ETag": validators.etag,
            "Last-Modified": http_date(validators.modified),
        }
        if is_other_version(_listed(request, "If-Match"), asked.get("If-Unmodified-Since"), validators):
            return web.Response(status=412, headers=_of_nobody_else(about))
        if is_not_modified(_listed(request, "If-None-Match"), asked.get("If-Modified-Since"), validators):
            return web.Response(status=304, headers=_without_body(about))
        try:
            parts = ranges(wanted, asked.get("If-Range"), file.size, validators)
        except UnsatisfiableError:
            # Never said by the proxy: with its no go the headers of the picture, to be kept by everybody.
            headers_416 = _of_nobody_else(about) | {"Content-Range": f"bytes */{file.size}"}
            return web.Response(status=416, headers=headers_416)
        if self._way != DIRECT and file.path is not None and not any(name in asked for name in OF_VERSIONS):
            return web.Response(headers=about | self._handed_over(file.internal, file.path))
        about["Accept-Ranges"] = "bytes"
        if parts is not None and PROXY_KEEPS in about:
            about[PROXY_KEEPS] = "0"
        return await _sent(request, file, about, parts)

    def _handed_over(self, internal: str, path: str) -> dict[str, str]:
        if self._way == X_ACCEL:
            # nginx says for itself that parts may be asked for.
            return {"X-Accel-Redirect": f"{self._internal_prefix}/{quote(internal)}"}
        return {"X-Sendfile": path, "Accept-Ranges": "bytes"}


async def _sent(
    request: web.BaseRequest, file: OpenFile, headers: dict[str, str], parts: Sequence[Range] | None
) -> web.StreamResponse:
    if parts is None and file.content is not None and len(file.content) == file.size:
        return web.Response(body=file.content, headers=headers)
    status = 200
    pieces: list[bytes | Range] = [(0, file.size)]
    if parts is not None and len(parts) == 1:
        status, pieces = 206, [parts[0]]
        headers["Content-Range"] = _content_range(parts[0], file.size)
    elif parts is not None:
        status, pieces = 206, _multipart(parts, file.size, headers)
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = sum(len(piece) if isinstance(piece, bytes) else piece[1] - piece[0] for piece in pieces)
    await response.prepare(request)
    if request.method != "HEAD":
        await _stream(request, response, file, pieces)
    await response.write_eof()
    return response


async def _stream(
    request: web.BaseRequest, response: web.StreamResponse, file: OpenFile, pieces: Sequence[bytes | Range]
) -> None:
    for piece in pieces:
        if isinstance(piece, bytes):
            await response.write(piece)
            continue
        for start, length in _chunks(piece):
            try:
                chunk = await _read(file, length, start)
            except OSError as error:
                _log.error("broken-off", problem=f"{error.strerror}, while reading a file that was being sent")
                chunk = b""
            if len(chunk) != length:
                # The length is promised already: only a broken connection tells the browser that this is not all.
                if request.transport is not None:
                    request.transport.abort()
                raise ConnectionResetError("the file was changed while it was sent, or its disk failed")
            await response.write(chunk)


async def _read(file: OpenFile, length: int, start: int) -> bytes:
    """A part of the version that the headers named; less when the file is no longer that."""
    if file.content is not None:
        return file.content[start : start + length]
    if file.descriptor is None:
        return b""
    return await file.in_turn(partial(_read_version, file.descriptor, length, start, file.mtime))


def _read_version(descriptor: int, length: int, start: int, mtime: int | None) -> bytes:
    """A part of an open file, nothing when it is not of the version with this time. Blocks."""
    content = os.pread(descriptor, length, start)
    return content if mtime in (None, os.fstat(descriptor).st_mtime_ns) else b""


def _chunks(span: Range) -> Iterator[tuple[int, int]]:
    start, end = span
    while start < end:
        length = min(CHUNK, end - start)
        yield start, length
        start += length


def _multipart(parts: Sequence[Range], size: int, headers: dict[str, str]) -> list[bytes | Range]:
    """The pieces of a multipart/byteranges body; sets its content type in `headers`."""
    boundary = secrets.token_hex(16)
    kind = headers["Content-Type"]
    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    pieces: list[bytes | Range] = []
    for part in parts:
        head = f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {_content_range(part, size)}\r\n\r\n"
        pieces += [head.encode(), part]
    return [*pieces, f"\r\n--{boundary}--\r\n".encode()]


def _content_range(span: Range, size: int) -> str:
    return f"bytes {span[0]}-{span[1] - 1}/{size}"


def _listed(request: web.BaseRequest, name: str) -> str | None:
    """A header whose values are a list, which may come in several lines."""
    return ", ".join(request.headers.getall(name, ())) or None


def _of_nobody_else(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that only this asker's question has: no cache may give it to another one."""
    kept = {name: value for name, value in _without_body(headers).items() if name != PROXY_KEEPS}
    return kept | {"Cache-Control": "no-store"}


def _without_body(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("Content-Type", "Content-Disposition")}
