"""Paths that try to leave the gallery, over real HTTP: by spelling, by symbolic links, by rows, by what is no file."""

import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import family
import pytest
from wire import DAY, SECRET, comparable, exchange, request, statuses

from pwgserve.originals import MissingOriginalError, Originals

DOTS = (
    "..",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "%252e%252e",
    "..%00",
    "%c0%ae%c0%ae",
    "%u002e%u002e",
    "..;",
    "...",
    "．．",
    ". .",
    "..%20",
)
SLASHES = ("/", "%2f", "%2F", "%252f", "\\", "%5c", "//", "/./", "%c0%af", "∕", ";/")
STARTS = ("/upload", "/galleries", "/i.php?/upload", "/i/upload", "/_data/i/upload", "/i.php/galleries", "/pwgs")
GOALS = ("secret.jpg", "local/config/secret.jpg", "secret-me.jpg", "local/config/secret-me.jpg")


def test_no_path_leads_out_of_the_folders(daemon):
    """All starts × all dots × all slashes × all goals; many connections at once, because every no takes its time."""
    attempts = [
        request(f"{start}{slash}{(dots + slash) * depth}{goal}", "Connection: close")
        for start, dots, slash in itertools.product(STARTS, DOTS, SLASHES)
        for goal, depth in (*zip(GOALS, (1, 1, 1, 1), strict=True), (GOALS[0], 3))
    ]
    with ThreadPoolExecutor(32) as pool:
        for attempt, answer in zip(attempts, pool.map(lambda data: exchange(daemon.port, data), attempts), strict=True):
            assert statuses(answer)[:1] in ([400], [404]), (attempt, answer)
            assert SECRET not in answer
    assert len(attempts) > 4000


@pytest.mark.parametrize(
    "target",
    [
        "/upload/2026/05/14/20260514101112-00000001.jpg/x",
        "/upload/2026/05/14/20260514101112-00000001.jpg%00",
        "/upload/2026/05/14/20260514101112-00000001.jpg%00.png",
        "/upload/2026/05/14/20260514101112-00000001.jpg%20",
        "/upload/2026/05/14/20260514101112-00000001.jpg.",
        "/upload/2026/05/14/20260514101112-00000001.JPG",
        "/UPLOAD/2026/05/14/20260514101112-00000001.jpg",
        "/upload/2026/05/14/2026051410111２-00000001.jpg",
        "/upload/2026/05/14/20260514101112-00000001.jp%C4%A3",
        "/upload/2026/05/14/self/20260514101112-00000001.jpg",
    ],
)
def test_a_photo_has_one_name_and_others_like_it_are_none(daemon, no, target):
    """The photo is public: whoever got it by another name would get private ones so, too."""
    assert daemon.visitor().get(f"/{DAY}/20260514101112-00000001.jpg").status == 302
    answer = exchange(daemon.port, request(target, "Connection: close"))
    assert statuses(answer)[0] in (400, 404)


ROWS = (
    f"./{DAY}/link.jpg",
    f"./{DAY}/folder/secret.jpg",
    f"./{DAY}/self/folder/secret.jpg",
    f"./{DAY}/proc.jpg",
    f"./{DAY}/../../../../secret.jpg",
    "./upload/../local/config/secret.jpg",
    "./local/config/secret.jpg",
    "./secret.jpg",
    "secret.jpg",
    "/etc/passwd",
    "./galleries/../../outside/secret.jpg",
    "../outside/secret.jpg",
    "./upload/\0/secret.jpg",
    "",
    ".",
    "./",
    "http://127.0.0.1:1/x.jpg",
)
NO_FILES = tuple(f"./{DAY}/{name}.jpg" for name in ("null", "zero", "pipe", "socket", "directory", "loop"))


@pytest.fixture(scope="module")
def planted(gallery):
    """The ids of rows for all these paths, in an album that everybody sees."""
    ids = {path: 700 + number for number, path in enumerate((*ROWS, *NO_FILES))}
    for path, number in ids.items():
        gallery.insert("images", id=number, path=path, file="x.jpg", rotation=0, level=0, width=10, height=10)
        gallery.insert("image_category", image_id=number, category_id=family.PUBLIC)
    yield ids
    for number in ids.values():
        gallery.delete("image_category", image_id=number)
        gallery.delete("images", id=number)


@pytest.mark.parametrize("path", ROWS)
def test_rows_and_links_that_lead_elsewhere_give_nothing(daemon, planted, path):
    """Rows of the database are Piwigo's, and still nobody's way to a file that is none of the gallery's."""
    for target in (f"/action.php?id={planted[path]}&part=e", f"/{path.removeprefix('./')}".replace("\0", "%00")):
        answer = daemon.visitor().get(target)
        assert answer.status in (400, 404), target
        assert SECRET not in answer.body


@pytest.mark.parametrize("path", NO_FILES)
def test_what_is_no_file_is_refused_at_once(daemon, planted, no, path):
    stem = path.removeprefix("./").removesuffix(".jpg")
    for target in (f"/i.php?/{stem}-me.jpg", f"/{stem}.jpg", f"/action.php?id={planted[path]}&part=e"):
        assert comparable(daemon.visitor().get(target)) == no


def test_the_attempts_would_work_for_a_photo(daemon, gallery, planted):
    """The control: a row like these, whose file is one of the gallery's, is served."""
    number, path = 790, f"./{DAY}/honest.jpg"
    (gallery.root / path).write_bytes((gallery.root / gallery.paths[family.LAKE]).read_bytes())
    gallery.insert("images", id=number, path=path, file="x.jpg", rotation=0, level=0, width=10, height=10)
    gallery.insert("image_category", image_id=number, category_id=family.PUBLIC)
    assert daemon.visitor().follow(f"/action.php?id={number}&part=e").status == 200
    gallery.delete("image_category", image_id=number)
    gallery.delete("images", id=number)


def test_devices_themselves_are_refused_where_a_folder_of_originals_holds_some():
    originals = Originals(Path("/dev"), ["."])
    for name in ("null", "zero", "tty", "stdin"):
        with pytest.raises(MissingOriginalError):
            os.close(originals.open(name).descriptor)


def test_a_folder_that_is_exchanged_for_a_link_while_it_is_read_gives_nothing(tmp_path):
    """The race: a name is good when it is looked at and leads elsewhere when it is opened."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "upload/a").mkdir(parents=True)
    (root / "upload/a/x.jpg").write_bytes(b"the photo")
    outside.mkdir()
    (outside / "x.jpg").write_bytes(SECRET)
    (root / "upload/b").symlink_to(outside)
    originals = Originals(root, ["upload"])
    stop = threading.Event()

    def exchange_names():
        while not stop.is_set():
            for one, other in (("a", "t"), ("b", "a"), ("a", "b"), ("t", "a")):
                (root / "upload" / one).rename(root / "upload" / other)

    thread = threading.Thread(target=exchange_names)
    thread.start()
    found = {"photo": 0, "nothing": 0}
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (found["photo"] < 200 or found["nothing"] < 200):
            try:
                with originals.opened("upload/a/x.jpg") as source:
                    assert os.pread(source.descriptor, 100, 0) == b"the photo"
                    found["photo"] += 1
            except MissingOriginalError:
                found["nothing"] += 1
    finally:
        stop.set()
        thread.join()
    assert min(found.values()) > 0, "both sides of the race were met"
