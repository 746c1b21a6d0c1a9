"""The URLs under which Piwigo's pages ask for pictures, and what each one means.

Pure: text in, `PictureRequest` out. Nothing here knows whether a photo exists or who may see it.
Rules: docs/compatibility.md, "Requests"; recorded cases: tests/vectors/i-php-requests.json.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote_to_bytes

from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import CUSTOM, DerivativeSettings
from pwgserve.piwigo.wanted import Part, Wanted, custom_params

ACTION = "action.php"
REPRESENTATIVE_DIR = "pwg_representative"
FORMAT_DIR = "pwg_format"
MAX_TARGET = 4096
MAX_PARAMETERS = 50
MAX_PARTS = 64
"""Of the path of a derivative. Each is put to the owner's rule for names, which takes longer than all the rest."""


class MalformedRequestError(ValueError):
    """The request is wrong whatever the gallery holds (400)."""


class UnservedRequestError(ValueError):
    """The request is well-formed but names nothing that could be served; to a visitor it is like any other no."""


class UnlistedSizeError(UnservedRequestError):
    """A custom size that is not among those which the gallery uses, as far as its settings are known."""


@dataclass(frozen=True)
class PictureRequest:
    """A picture, original or video that a URL asks for.

    Either `photo_id`, or `path` (below Piwigo's root, of the photo itself even when its representative or format is
    meant; for those `extension` is the file's and `path` has none), or `wanted.format_id` alone names the photo.
    """

    wanted: Wanted
    photo_id: int | None = None
    path: str | None = None
    extension: str | None = None
    ajaxload: bool = False
    uncached: bool = False
    download: bool = False
    auth_key: str | None = None
    pwg_token: str | None = None


def split_target(target: str, base: str) -> tuple[str, str] | None:
    """Path below the gallery's base and query of a request line's target, both still percent-encoded.

    base: the path of the gallery's address, with a slash at both ends. None when the target is outside of it.
    Raises MalformedRequestError.
    """
    if len(target) > MAX_TARGET:
        raise MalformedRequestError("the address is too long")
    if not target.startswith("/"):
        # The absolute form, which proxies send; the authority says nothing that we would trust.
        match = _ABSOLUTE.match(target)
        if not match:
            raise MalformedRequestError("the address is not a path")
        target = target[match.end() :] or "/"
    path, _, query = target.partition("#")[0].partition("?")
    return (path[len(base) :], query) if path.startswith(base) else None


def parse(path: str, query: str, conf: PiwigoConf, derivatives: DerivativeSettings) -> PictureRequest:
    """What a request of Piwigo's own URLs means. `path` and `query` are as `split_target` gives them.

    Raises MalformedRequestError and UnservedRequestError, of these UnlistedSizeError for what newer settings may allow.
    """
    if path in ("i.php", "i"):
        located, _, options = query.partition("&")
        return _derivative(_decoded(located), options, conf, derivatives)
    if path == ACTION:
        return _action(query, conf)
    decoded_path = _decoded(path)
    data = data_folder(conf)
    for prefix in ("i.php/", "i/", *([f"{data}/i/"] if data is not None else [])):
        if decoded_path.startswith(prefix):
            return _derivative(decoded_path.removeprefix(prefix), query, conf, derivatives)
    for directory in (clean_path(conf.upload_dir), "galleries"):
        if decoded_path.startswith(directory + "/"):
            return _file(decoded_path, query)
    raise UnservedRequestError("not a picture's address")


def clean_path(path: str) -> str:
    """The path without empty parts and `.` parts, so that one file has one spelling. Raises UnservedRequestError."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or _DANGEROUS.search(path):
        raise UnservedRequestError("a path that leaves its folder or holds control characters")
    return "/".join(parts)


def data_folder(conf: PiwigoConf) -> str | None:
    """Where Piwigo keeps its own files, None for a place that has no address below the gallery's."""
    try:
        return clean_path(conf.data_location)
    except UnservedRequestError:
        return None


def representative_path(path: str, extension: str) -> str:
    """Where the representative of a video or document lies (`DIR/NAME.mp4` → `DIR/pwg_representative/NAME.EXT`)."""
    return _beside(path, REPRESENTATIVE_DIR, extension)


def format_path(path: str, extension: str) -> str:
    """Where another format of a photo lies (`DIR/NAME.jpg` → `DIR/pwg_format/NAME.EXT`)."""
    return _beside(path, FORMAT_DIR, extension)


_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
# Backslashes and control characters are valid in names, and mean something else to some other program on the way.
_DANGEROUS = re.compile(r"[\x00-\x1f\x7f\\]")
# PHP's white space, and no other.
_NUMERIC = re.compile(r"[ \t\n\r\v\f]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t\n\r\v\f]*")
# PCRE's $ overlooks a last line feed.
_DIGITS = re.compile(r"[0-9]+\n?")


def _beside(path: str, directory: str, extension: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{directory}/{name.rpartition('.')[0]}.{extension}"


def _derivative(path: str, options: str, conf: PiwigoConf, derivatives: DerivativeSettings) -> PictureRequest:
    path = path.lstrip("/")
    parts = re.split("/+", path)
    if len(parts) > MAX_PARTS:
        raise MalformedRequestError("more folders than any photo lies in")
    if not all(conf.sync_chars.allows(part) for part in parts):
        raise MalformedRequestError("characters that this gallery does not allow in names")
    stem, _, extension = path.rpartition(".")
    stem, dash, suffix = stem.rpartition("-")
    if not dash:
        raise MalformedRequestError("no extension, or no derivative type")
    code, *tokens = suffix.split("_")
    if code == CUSTOM:
        custom = custom_params(tokens)
        if isinstance(custom, str):
            raise MalformedRequestError(custom)
        if custom.token() not in derivatives.custom:
            raise UnlistedSizeError("a custom size that the gallery never used")
        wanted = Wanted(code=code, custom=custom)
    elif code in derivatives.types:
        wanted = Wanted(code=code)
    else:
        raise MalformedRequestError("a derivative type that this gallery does not have")
    query = _parameters(options)
    request = _located(clean_path(f"{stem}.{extension}"), wanted)
    return replace(
        request,
        ajaxload=query.get("ajaxload") == "true",
        uncached="b" in query,
        auth_key=query.get("auth"),
    )


def _file(path: str, query: str) -> PictureRequest:
    request = _located(clean_path(path), Wanted())
    return replace(request, auth_key=_parameters(query).get("auth"))


def _located(path: str, wanted: Wanted) -> PictureRequest:
    """Tell apart a photo's own path from that of its representative or format, which lie in a folder beside it."""
    folder, _, name = path.rpartition("/")
    above, _, last = folder.rpartition("/")
    stem, _, extension = name.rpartition(".")
    if last == REPRESENTATIVE_DIR:
        part = Part.REPRESENTATIVE
    elif last == FORMAT_DIR and wanted.code is None:
        part = Part.FORMAT
    else:
        return PictureRequest(wanted, path=path)
    if not stem:
        raise UnservedRequestError("a file beside a photo without a name")
    return PictureRequest(Wanted(part, wanted.code, wanted.custom), path=f"{above}/{stem}", extension=extension)


def _action(query: str, conf: PiwigoConf) -> PictureRequest:
    given = _parameters(query)
    format_id = None
    if conf.enable_formats and "format" in given:
        if not _DIGITS.fullmatch(given["format"]):
            raise MalformedRequestError("format is not a number")
        format_id = _identifier(given["format"])
    elif not _NUMERIC.fullmatch(given.get("id", "")) or given.get("part") not in tuple(Part):
        raise MalformedRequestError("id is not a number, or part is not e, r or f")
    elif given["part"] == Part.FORMAT:
        raise UnservedRequestError("a format without its number")
    return PictureRequest(
        wanted=Wanted(Part.FORMAT, format_id=format_id) if format_id is not None else Wanted(Part(given["part"])),
        photo_id=None if format_id is not None else _identifier(given["id"]),
        download="download" in given,
        auth_key=given.get("auth"),
        pwg_token=given.get("pwg_token"),
    )


def _identifier(text: str) -> int:
    """The id that a database would compare with: `1e2` is 100; a fraction or a negative number is nobody's id (0)."""
    value = float(text)
    return int(value) if value.is_integer() and 0 < value < 2**32 else 0


def _parameters(query: str) -> dict[str, str]:
    """The parameters of a query, as PHP has them: of several with one name the last, and no space before a name."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise MalformedRequestError(f"more than {MAX_PARAMETERS} parameters") from error
    return {name.lstrip(" "): value for name, value in pairs}


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeError as error:
        raise MalformedRequestError("the address is not UTF-8") from error
