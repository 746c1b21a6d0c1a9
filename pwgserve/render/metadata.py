"""What a picture's file tells besides the picture: whether it holds a position, an owner or a serial number.

Pure: bytes in, yes or no out. Only the containers' structure is read, never pixels. Whatever cannot be read counts as
telling, so that nothing slips out by being damaged. Removing such metadata is the engine's work.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

PRIVATE_NAMES = ("GPS", "SerialNumber", "OwnerName", "MakerNote", "ImageUniqueID")
"""Parts of the names of metadata that lead to a place, a camera or a person."""

_PREVIEW_TAGS = {0x0111, 0x0201}
"""Where a small picture lies, which may show what was cut off or painted over since."""

_PRIVATE_TAGS = {0x8825, 0x927C, 0xA420, 0xA430, 0xA431, 0xA435, 0xC62F, 0xC65D} | _PREVIEW_TAGS
_EXIF_DIRECTORY = 0x8769
_MAX_ENTRIES = 1000
_EXIF_HEAD = b"Exif\0\0"
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_AMONG_PIXELS = (b"\xff\xe1", b"\xff\xed", b"\xff\xfe")
"""What a JPEG's metadata begin with. Pixels are never written so."""


_OF_WRITING = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEC: b"Ducky", 0xEE: b"Adobe"}
"""What a JPEG's blocks begin with that say how it was written, and nothing else, by marker."""

_JFIF_WITHOUT_PREVIEW = 14
_PHOTOSHOPS_PREVIEWS = (b"8BIM\x04\x09", b"8BIM\x04\x0c")

_OF_PNG = frozenset(
    b"IHDR PLTE IDAT tRNS cHRM gAMA iCCP sBIT sRGB bKGD hIST pHYs sPLT tIME cICP acTL fcTL fdAT iDOT".split()
)
_OF_WEBP = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
"""The parts of these files that hold their picture, or say how it is shown."""


class _UnreadableError(ValueError):
    """The structure of the file is not what its beginning promises."""


def tells_more(content: bytes) -> bool:
    """Whether a file tells more than its picture: a position, an owner, numbers, a maker's notes, a preview, whatever.

    content: the whole file.
    """
    try:
        return any(_is_private(kind, block) for kind, block in _blocks(content))
    except (_UnreadableError, struct.error, IndexError):
        return True


def _blocks(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The metadata of a file, as (exif, xmp or other, bytes)."""
    if content.startswith(b"\xff\xd8"):
        return _in_jpeg(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _in_png(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _in_webp(content)
    if content.startswith(b"GIF8") and content.rstrip(b"\0").endswith(b";"):
        return iter([("xmp", content)])
    raise _UnreadableError


def _refuse_more(behind: bytes) -> None:
    """Raise _UnreadableError where anything follows a picture: a telephone's film, or what a program has cut off."""
    if behind.strip(b"\0"):
        raise _UnreadableError


def _in_jpeg(content: bytes) -> Iterator[tuple[str, bytes]]:
    position = 2
    while True:
        if content[position] != 0xFF:
            raise _UnreadableError
        marker = content[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in (0xDA, 0xD9):  # pixels begin, or the picture ends
            pixels, _, behind = content[position:].partition(b"\xff\xd9")
            if any(one in pixels for one in _AMONG_PIXELS):
                raise _UnreadableError
            _refuse_more(behind)
            return
        (length,) = struct.unpack_from(">H", content, position + 2)
        block = content[position + 4 : position + 2 + length]
        if len(block) != length - 2:
            raise _UnreadableError
        if marker == 0xE1 and block.startswith(_EXIF_HEAD):
            yield "exif", block[len(_EXIF_HEAD) :]
        elif marker == 0xE1 and block.startswith(_XMP_HEAD):
            yield "xmp", block
        elif marker in (0xE1, 0xED, 0xFE):
            if any(one in block for one in _PHOTOSHOPS_PREVIEWS):
                raise _UnreadableError
            yield "other", block
        elif 0xE0 <= marker <= 0xEF and not _is_of_writing(marker, block):
            raise _UnreadableError
        position += 2 + length


def _is_of_writing(marker: int, block: bytes) -> bool:
    has_preview = marker == 0xE0 and len(block) > _JFIF_WITHOUT_PREVIEW
    return marker in _OF_WRITING and block.startswith(_OF_WRITING[marker]) and not has_preview


def _in_png(content: bytes) -> Iterator[tuple[str, bytes]]:
    position = 8
    while True:
        length, name = struct.unpack_from(">I4s", content, position)
        block = content[position + 8 : position + 8 + length]
        if name == b"IEND":
            _refuse_more(content[position + 12 :])
            return
        if name == b"eXIf":
            yield "exif", block
        elif name in (b"iTXt", b"tEXt", b"zTXt"):
            yield "compressed" if _is_compressed(name, block) else "xmp", block
        elif name not in _OF_PNG:
            raise _UnreadableError
        position += 12 + length


def _is_compressed(name: bytes, block: bytes) -> bool:
    """Whether a PNG's text cannot be read as it stands."""
    _keyword, _, rest = block.partition(b"\0")
    return name == b"zTXt" or b"Raw profile" in block or (name == b"iTXt" and rest[:1] != b"\0")


def _in_webp(content: bytes) -> Iterator[tuple[str, bytes]]:
    position, end = 12, 8 + struct.unpack_from("<I", content, 4)[0]
    _refuse_more(content[end:])
    while position + 8 <= min(end, len(content)):
        name, length = struct.unpack_from("<4sI", content, position)
        block = content[position + 8 : position + 8 + length]
        if len(block) != length:
            raise _UnreadableError
        if name == b"EXIF":
            yield "exif", block.removeprefix(_EXIF_HEAD)
        elif name == b"XMP ":
            yield "xmp", block
        elif name not in _OF_WEBP:
            raise _UnreadableError
        position += 8 + length + length % 2


def _is_private(kind: str, block: bytes) -> bool:
    if kind == "exif":
        return not _PRIVATE_TAGS.isdisjoint(_tags(block))
    if kind == "compressed":
        return True
    return any(name.encode() in block for name in PRIVATE_NAMES)


def _tags(block: bytes) -> set[int]:
    """The numbers of all tags of an EXIF block's main and EXIF directories."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        raise _UnreadableError
    found: set[int] = set()
    todo = [struct.unpack_from(f"{order}I", block, 4)[0]]
    seen = set()
    while todo:
        start = todo.pop()
        if start == 0 or start in seen:
            continue
        seen.add(start)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        if count > _MAX_ENTRIES or len(seen) > 10:
            raise _UnreadableError
        for index in range(count):
            tag, _, _, target = struct.unpack_from(f"{order}HHII", block, start + 2 + 12 * index)
            found.add(tag)
            if tag == _EXIF_DIRECTORY:
                todo.append(target)
        todo.append(struct.unpack_from(f"{order}I", block, start + 2 + 12 * count)[0])
    return found
