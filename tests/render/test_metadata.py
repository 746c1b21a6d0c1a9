"""What pictures tell besides the picture, in files as libvips (and with it libexif) writes them, and in broken ones."""

import struct
import zlib

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from pictures import corners

from pwgserve.render.metadata import tells_more

HARMLESS = {"exif-ifd0-Model": "Camera", "exif-ifd2-DateTimeOriginal": "2026:05:14 10:11:12"}
PRIVATE = [
    {"exif-ifd3-GPSLatitude": "47/1 0/1 0/1"},
    {"exif-ifd2-BodySerialNumber": "123456"},
    {"exif-ifd2-CameraOwnerName": "Anna"},
    {"exif-ifd2-ImageUniqueID": "0123456789abcdef0123456789abcdef"},
]


def saved(extension, tags, **blobs):
    image = corners(40, 30).copy()
    for name, text in tags.items():
        image.set_type(pyvips.GValue.gstr_type, name, text)
    for name, data in blobs.items():
        image.set_type(pyvips.GValue.blob_type, name.replace("_", "-"), data)
    return image.write_to_buffer(f".{extension}")


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
def test_camera_and_time_are_harmless(extension):
    content = saved(extension, HARMLESS)
    assert b"Camera" in content
    assert not tells_more(content)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
@pytest.mark.parametrize("tags", PRIVATE, ids=lambda tags: next(iter(tags)))
def test_position_owner_and_serial_numbers_are_not(extension, tags):
    assert tells_more(saved(extension, HARMLESS | tags))


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
def test_neither_are_they_in_xmp(extension):
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><exif:GPSLatitude>47,0N</exif:GPSLatitude></x:xmpmeta>"
    assert tells_more(saved(extension, {}, xmp_data=packet))
    harmless = saved(extension, {}, xmp_data=packet.replace(b"GPSLatitude", b"Rating"))
    # In a PNG it is compressed, and what is not looked into counts as telling.
    assert tells_more(harmless) is (extension == "png")


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
def test_a_preview_is_not_harmless_either(extension):
    """A program that has cut a picture, or painted something over, may have left the camera's preview as it was."""
    preview = corners(16, 12).write_to_buffer(".jpg", keep="none")
    content = saved(extension, HARMLESS, jpeg_thumbnail_data=preview)
    assert preview in content
    assert tells_more(content)


def chunk(name, block):
    return struct.pack(">I", len(block)) + name + block + struct.pack(">I", zlib.crc32(name + block))


@pytest.mark.parametrize("name", ["GPSLatitude", "Rating"])
def test_xmp_that_a_png_holds_compressed_counts_as_telling(name):
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><exif:%s>47,0N</exif:%s></x:xmpmeta>" % (
        name.encode(),
        name.encode(),
    )
    plain = corners(40, 30).write_to_buffer(".png", keep="none")
    head, rest = plain[:33], plain[33:]
    block = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    assert tells_more(head + chunk(b"iTXt", block) + rest)
    legible = head + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet) + rest
    assert tells_more(legible) is (name == "GPSLatitude")


def test_a_picture_without_metadata_is_harmless():
    for extension in ("jpg", "png", "webp", "gif"):
        assert not tells_more(corners(40, 30).write_to_buffer(f".{extension}", keep="none"))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\xff\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF"]
)
def test_what_cannot_be_read_counts_as_telling(content):
    assert tells_more(content)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "gif"])
def test_what_lies_behind_a_picture_counts_as_telling(extension):
    """Telephones put a second picture there, or a film, and programs that cut pictures have left what was cut off."""
    whole = saved(extension, {})
    behind = saved("jpg", PRIVATE[0])
    assert not tells_more(whole + b"\0" * 10), "only filled up"
    assert tells_more(whole + behind)
    assert tells_more(whole + behind[-100:])


@pytest.mark.parametrize("block", [b"JFXX\0\x10preview", b"JFIF\0" + bytes(7) + b"\1\1abc", b"MPF\0II", b"Meta\0\0"])
@pytest.mark.parametrize("marker", [0xE0, 0xE2, 0xE3])
def test_a_block_of_a_jpeg_that_nobody_knows_counts_as_telling(marker, block):
    plain = corners(40, 30).write_to_buffer(".jpg", keep="none")
    assert not tells_more(plain)
    assert tells_more(plain[:2] + struct.pack(">BBH", 0xFF, marker, len(block) + 2) + block + plain[2:])


@pytest.mark.parametrize("block", [b"Adobe\0d" + bytes(5), b"Ducky\0\1\0\4\0\0\0d"])
def test_what_programs_note_of_how_they_wrote_a_jpeg_is_harmless(block):
    plain = corners(40, 30).write_to_buffer(".jpg", keep="none")
    marker = 0xEE if block.startswith(b"Adobe") else 0xEC
    assert not tells_more(plain[:2] + struct.pack(">BBH", 0xFF, marker, len(block) + 2) + block + plain[2:])


def test_a_part_of_a_png_or_webp_that_nobody_knows_counts_as_telling():
    """A program for drawing keeps its hidden layers there."""
    png = corners(40, 30).write_to_buffer(".png", keep="none")
    assert not tells_more(png[:33] + chunk(b"pHYs", bytes(9)) + png[33:])
    assert tells_more(png[:33] + chunk(b"prVW", b"layers") + png[33:])
    webp = corners(40, 30).write_to_buffer(".webp", keep="none")
    assert not tells_more(webp)
    more = webp[8:] + b"LYRS" + struct.pack("<I", 6) + b"layers"
    assert tells_more(b"RIFF" + struct.pack("<I", len(more)) + more)


def test_what_lies_among_the_pixels_of_a_jpeg_counts_as_telling():
    plain = corners(400, 300).write_to_buffer(".jpg", interlace=True)
    (block,) = [part for part in saved("jpg", PRIVATE[0]).split(b"\xff\xdb")[0].split(b"\xff\xe1") if b"Exif" in part]
    last = plain.rindex(b"\xff\xda")
    assert not tells_more(plain)
    assert tells_more(plain[:last] + b"\xff\xe1" + block + plain[last:])


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
def test_cutting_a_telling_file_never_makes_it_harmless(extension):
    content = saved(extension, PRIVATE[0])
    start = content.lower().index(b"exif")
    for end in range(start + 8, len(content), 7):
        cut = content[:end]
        harmless = not tells_more(cut)
        assert not harmless, end


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WEBP", b"GIF89a"]),
)
def test_any_bytes_are_judged(data, head):
    assert tells_more(head + data) in (True, False)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_flipped_byte_is_judged(position, value):
    content = bytearray(saved("jpg", HARMLESS))
    content[position % len(content)] = value
    assert tells_more(bytes(content)) in (True, False)
