"""The demo's files are what its tables say, and every kind that was promised is among them."""

import sqlite3

import pytest
import pyvips

from pwgserve.demo.gallery import FOLDER, PICTURES, DemoGallery


@pytest.fixture
def made(demo):
    """The gallery of the demo that runs."""
    (folder,) = demo.temporary.glob("pwgserve-demo-*")
    gallery = DemoGallery(folder)
    yield gallery


def test_what_nobody_wants_any_more_is_not_drawn(tmp_path):
    gallery, answers = DemoGallery(tmp_path), iter([True])
    gallery.build(lambda _line: None, lambda: next(answers, False))
    assert len([file for file in tmp_path.rglob("*.jpg") if file.is_file()]) == 1
    assert not gallery.database.exists()


def image(gallery, name, **options):
    path = next(picture.path for picture in PICTURES if picture.file == name)
    return pyvips.Image.new_from_file(str(gallery.root / path), **options)


def test_the_tables_say_what_lies_in_the_files(made):
    asked = "SELECT path, width, height, representative_ext FROM piwigo_images"
    rows = sqlite3.connect(made.database).execute(asked).fetchall()
    assert len(rows) == len(PICTURES)
    for path, width, height, representative in rows:
        file = made.root / path
        if representative:
            file = made.root / FOLDER / "pwg_representative" / f"{file.stem}.{representative}"
        found = pyvips.Image.new_from_file(str(file))
        assert (found.width, found.height) == (width, height), path


def test_every_kind_of_picture_is_there(made):
    assert image(made, "Evening at the lake.jpg").width * image(made, "Evening at the lake.jpg").height == 24_000_000
    assert image(made, "Pines.jpg").height > image(made, "Pines.jpg").width
    held = image(made, "Held upright.jpg")
    assert (held.get("orientation"), held.width > held.height) == (6, True)
    assert image(made, "Paper boat.png").hasalpha()
    assert image(made, "Lighthouse.gif", n=-1).get("n-pages") == 12
    assert image(made, "Balloons.webp").get("vips-loader") == "webpload"


def test_the_film_plays_and_its_index_comes_first(made):
    import av

    path = made.root / next(picture.path for picture in PICTURES if picture.extension == "mp4")
    with av.open(str(path)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 60
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
