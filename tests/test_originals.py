import contextlib
import os
import threading

import pytest

from pwgserve.at_hand import NotAtHandError
from pwgserve.originals import MissingOriginalError, Originals


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "piwigo"
    for folder in ("upload/2026", "galleries", "local/config"):
        (made / folder).mkdir(parents=True)
    (made / "upload/2026/a.jpg").write_bytes(b"photo")
    (made / "local/config/database.inc.php").write_bytes(b"password")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.jpg").write_bytes(b"secret")
    return made


@pytest.fixture
def originals(root):
    return Originals(root, ["upload", "galleries"])


def read(originals, path):
    with originals.opened(path) as source:
        return os.read(source.descriptor, 100)


def test_a_file_below_the_folders_is_opened(originals):
    assert read(originals, "upload/2026/a.jpg") == b"photo"
    assert originals.facts("upload/2026/a.jpg").size == 5
    with contextlib.suppress(NotAtHandError):
        assert originals.facts_at_hand("upload/2026/a.jpg") == originals.facts("upload/2026/a.jpg")


@pytest.mark.parametrize(
    "path",
    [
        "local/config/database.inc.php",
        "upload/../local/config/database.inc.php",
        "upload/2026/../../local/config/database.inc.php",
        "upload/2026",
        "upload",
        "",
        "upload/2026/missing.jpg",
        "upload/2026/a.jpg/x",
        "upload/2026/a.jpg\0.png",
        "/etc/passwd",
        "upload/" + "x" * 5000,
    ],
)
def test_nothing_else_is(originals, path):
    with pytest.raises(MissingOriginalError):
        read(originals, path)
    with pytest.raises(NotAtHandError):
        originals.facts_at_hand(path)
    assert originals.facts(path) is None


def test_a_link_that_leads_out_is_refused_unless_the_owner_allows_its_target(root, tmp_path):
    (root / "upload/file.jpg").symlink_to(tmp_path / "outside/secret.jpg")
    (root / "galleries/folder").symlink_to(tmp_path / "outside")
    strict = Originals(root, ["upload", "galleries"])
    for path in ("upload/file.jpg", "galleries/folder/secret.jpg"):
        with pytest.raises(MissingOriginalError):
            read(strict, path)
        assert read(Originals(root, ["upload", "galleries"], [tmp_path / "outside"]), path) == b"secret"


def test_a_folder_whose_name_only_begins_alike_is_outside(root):
    (root / "upload-private").mkdir()
    (root / "upload-private/a.jpg").write_bytes(b"x")
    (root / "upload/b.jpg").symlink_to(root / "upload-private/a.jpg")
    with pytest.raises(MissingOriginalError):
        read(Originals(root, ["upload"]), "upload/b.jpg")


def test_a_folder_of_originals_may_itself_be_a_link(root, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/a.jpg").write_bytes(b"far")
    (root / "galleries").rmdir()
    (root / "galleries").symlink_to(tmp_path / "disk")
    assert read(Originals(root, ["upload", "galleries"]), "galleries/a.jpg") == b"far"


def test_a_named_pipe_or_device_is_refused_at_once(root, originals):
    os.mkfifo(root / "upload/pipe.jpg")
    (root / "upload/zero.jpg").symlink_to("/dev/zero")
    refused = []

    def attempt():
        for path in ("upload/pipe.jpg", "upload/zero.jpg"):
            with pytest.raises(MissingOriginalError):
                read(originals, path)
            refused.append(path)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(60)
    assert len(refused) == 2


def test_a_refused_file_is_closed_again(originals):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - it lists itself either way
    for _ in range(50):
        assert originals.facts("upload") is None
        assert originals.facts("upload/2026/a.jpg") is not None
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
