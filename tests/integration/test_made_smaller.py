"""Sizes that are made from a larger one in the cache: it serves as long as it is whole, and what it seems to be."""

import os
import sys
from pathlib import Path

import family
import pytest
import pyvips

from pwgserve.cache.store import _seal

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from compare_pictures import ssim

NUMBERS = iter(range(500, 600))
SECOND = 10**9


@pytest.fixture
def photo(gallery):
    """A new public photo, of which nothing is in the cache: its path."""
    return gallery.photo(next(NUMBERS), (family.PUBLIC,), (2400, 1600))


@pytest.fixture
def cached(daemon):
    """The files in the daemon's cache, and those that are new since it was called last."""
    known = set()

    def new():
        files = {file for file in (daemon.directory / "cache").glob("??/??/*") if file.is_file()}
        found = files - known
        known.update(files)
        return found

    new()
    return new


def address(path, code):
    return f"/i.php?/{path.replace('.jpg', f'-{code}.jpg')}"


def spoil(gallery, path):
    """Destroy a photo without anybody noticing: all but its first part is gone, its size and time stay."""
    file = gallery.root / path
    status = file.stat()
    with file.open("r+b") as writer:
        writer.seek(4000)
        writer.write(bytes(status.st_size - 4000))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def picture(answer):
    assert (answer.status, answer.headers["x-pwgserve"]) == (200, "render")
    return pyvips.Image.new_from_buffer(answer.body, "").copy_memory()


def expected(gallery, path, width, height):
    """The photo at this size, as nobody but libvips makes it."""
    return pyvips.Image.thumbnail(str(gallery.root / path), width, height=height).copy_memory()


@pytest.mark.parametrize(("code", "size"), [("me", (792, 528)), ("th", (144, 96)), ("sq", (120, 120))])
def test_a_smaller_size_needs_no_more_than_the_larger_one(daemon, gallery, photo, code, size):
    assert daemon.visitor().follow(address(photo, "xx")).status == 200
    whole = expected(gallery, photo, 1656, 1104)
    spoil(gallery, photo)
    made = picture(daemon.visitor().follow(address(photo, code)))
    assert (made.width, made.height) == size
    assert ssim(made, whole.thumbnail_image(size[0], height=size[1], crop="centre")) > 0.97


def test_a_photo_without_a_larger_size_is_made_from_itself(daemon, gallery, photo):
    assert daemon.visitor().follow(address(photo, "th")).status == 200
    spoil(gallery, photo)
    assert daemon.visitor().follow(address(photo, "me")).status == 422


def test_a_larger_size_of_an_earlier_version_does_not_serve(daemon, gallery, photo, settled):
    assert daemon.visitor().follow(address(photo, "xx")).status == 200
    (gallery.root / photo).unlink()
    gallery.picture(photo, (2400, 1600), seed=3)
    settled()
    made = picture(daemon.visitor().follow(address(photo, "me")))
    assert ssim(made, expected(gallery, photo, 792, 528)) > 0.97


@pytest.mark.parametrize("what", ["damaged", "no picture", "another picture", "half a picture"])
def test_a_larger_size_that_is_not_what_it_was_spoils_nothing(daemon, gallery, photo, cached, what):
    assert daemon.visitor().follow(address(photo, "xx")).status == 200
    (file,) = cached()
    content, time = file.read_bytes(), file.stat().st_mtime_ns
    if what == "damaged":
        content = content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]
    elif what == "no picture":
        content = b"\0" * len(content)
    elif what == "another picture":
        content = pyvips.Image.black(1600, 1104, bands=3).jpegsave_buffer()
    else:
        content = content[: len(content) // 2]
    file.write_bytes(content)
    # All but "damaged" have the seal of what the daemon itself has written: as if a worker had lied.
    seal = time if what == "damaged" else time - time % SECOND + _seal(content)
    os.utime(file, ns=(time + SECOND, seal))
    made = picture(daemon.visitor().follow(address(photo, "me")))
    assert ssim(made, expected(gallery, photo, 792, 528)) > 0.97


def test_a_larger_size_that_cannot_be_read_spoils_nothing(daemon, gallery, photo, cached):
    assert daemon.visitor().follow(address(photo, "xx")).status == 200
    (file,) = cached()
    file.unlink()
    file.mkdir()  # reading it fails, as on a disk that is broken
    try:
        made = picture(daemon.visitor().follow(address(photo, "me")))
        assert ssim(made, expected(gallery, photo, 792, 528)) > 0.97
    finally:
        file.rmdir()


def test_what_may_not_be_seen_is_not_made_from_what_was(daemon, gallery, photo, settled):
    link = daemon.visitor().link(address(photo, "me"))
    assert daemon.visitor().follow(address(photo, "xx")).status == 200
    number = int(photo.rpartition("-")[2].removesuffix(".jpg"), 16)
    gallery.update("images", {"id": number}, level=8)
    settled()
    assert daemon.visitor().get(link).status == 404
    assert daemon.visitor().get(address(photo, "th")).status == 404
