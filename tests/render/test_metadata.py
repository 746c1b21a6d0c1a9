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
    assert not tells_more(content, is_whole=True)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
@pytest.mark.parametrize("tags", PRIVATE, ids=lambda tags: next(iter(tags)))
def test_position_owner_and_serial_numbers_are_not(extension, tags):
    assert tells_more(saved(extension, HARMLESS | tags), is_whole=True)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
def test_neither_are_they_in_xmp(extension):
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><exif:GPSLatitude>47,0N</exif:GPSLatitude></x:xmpmeta>"
    assert tells_more(saved(extension, {}, xmp_data=packet), is_whole=True)
    harmless = saved(extension, {}, xmp_data=packet.replace(b"GPSLatitude", b"Rating"))
    # In a PNG it is compressed, and what is not looked into counts as telling.
    assert tells_more(harmless, is_whole=True) is (extension == "png")


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
    assert tells_more(head + chunk(b"iTXt", block) + rest, is_whole=True)
    legible = head + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet) + rest
    assert tells_more(legible, is_whole=True) is (name == "GPSLatitude")


def test_a_picture_without_metadata_is_harmless():
    for extension in ("jpg", "png", "webp", "gif"):
        assert not tells_more(corners(40, 30).write_to_buffer(f".{extension}", keep="none"), is_whole=True)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\xff\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF"]
)
def test_what_cannot_be_read_counts_as_telling(content):
    assert tells_more(content, is_whole=True)


@pytest.mark.parametrize("extension", ["png", "webp", "gif"])
def test_the_beginning_of_a_file_that_may_tell_at_its_end_counts_as_telling(extension):
    assert tells_more(saved(extension, {}), is_whole=False)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
def test_cutting_a_telling_file_never_makes_it_harmless(extension):
    content = saved(extension, PRIVATE[0])
    start = content.lower().index(b"exif")
    for end in range(start + 8, len(content), 7):
        cut = content[:end]
        harmless = not tells_more(cut, is_whole=True)
        # A JPEG whose metadata are whole may end anywhere in its pixels: still telling. Nothing else is harmless.
        assert not harmless, end


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WEBP", b"GIF89a"]),
)
def test_any_bytes_are_judged(data, head):
    assert tells_more(head + data, is_whole=True) in (True, False)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_flipped_byte_is_judged(position, value):
    content = bytearray(saved("jpg", HARMLESS))
    content[position % len(content)] = value
    assert tells_more(bytes(content), is_whole=True) in (True, False)
