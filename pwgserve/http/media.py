"""What browsers are told about the kinds of files: content type, whether to show or to save, and what may run.

Pure: tables, and the text of `Content-Disposition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

UNKNOWN_TYPE = "application/octet-stream"

SHOWN: Mapping[str, str] = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "heic": "image/heic",
    "bmp": "image/bmp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "svg": "image/svg+xml",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "webm": "video/webm",
    "webmv": "video/webm",
    "ogv": "video/ogg",
    "ogg": "video/ogg",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "wmv": "video/x-ms-wmv",
    "flv": "video/x-flv",
    "mpg": "video/mpeg",
    "mpeg": "video/mpeg",
    "3gp": "video/3gpp",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "oga": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pdf": "application/pdf",
    "txt": "text/plain; charset=utf-8",
}
"""Extension → content type of what a browser may show in its place."""

SAVED: Mapping[str, str] = {
    "zip": "application/zip",
    "psd": "image/vnd.adobe.photoshop",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "odt": "application/vnd.oasis.opendocument.text",
}
"""Extension → content type of what is always saved. Whatever is in neither table is saved as unknown bytes."""

_NOTHING_RUNS = (
    "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)

SANDBOXED = _NOTHING_RUNS + "; sandbox"
"""Even an SVG or an HTML page that somebody uploaded as a photo can run nothing and reaches no cookie."""

PLAYED = _NOTHING_RUNS + "; object-src 'self'"
"""For what browsers open in a player or viewer of their own, which in a sandbox cannot load the file again."""

_PLAYERS = ("video/", "audio/", "application/pdf")


def content_type(extension: str) -> str:
    """The content type of files with this extension (lower case, without the dot)."""
    return SHOWN.get(extension) or SAVED.get(extension) or UNKNOWN_TYPE


def security_policy(extension: str) -> str:
    """The Content-Security-Policy to send files with this extension under."""
    return PLAYED if content_type(extension).startswith(_PLAYERS) else SANDBOXED


def headers_of(extension: str, file_name: str, download: bool) -> dict[str, str]:
    """What every file is sent with: its type, its name, and that nothing in it may run."""
    return {
        "Content-Type": content_type(extension),
        "Content-Disposition": disposition(file_name, extension, download),
        "Content-Security-Policy": security_policy(extension),
        "X-Content-Type-Options": "nosniff",
    }


def disposition(file_name: str, extension: str, download: bool) -> str:
    """The `Content-Disposition` of a file with this name; `download`: the asker wants to save it."""
    kind = "attachment" if download or extension not in SHOWN else "inline"
    name = file_name if file_name.isprintable() else "".join(c if c.isprintable() else "_" for c in file_name)
    name = name.replace("/", "_").replace("\\", "_").strip(". ") or f"file.{extension}"
    plain = name if name.isascii() else "".join(c if c.isascii() else "_" for c in name)
    plain = plain.replace('"', "'").replace("%", "_")
    header = f'{kind}; filename="{plain}"'
    if plain != name:
        header += f"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
    return header
