import contextlib
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from pwgserve import at_hand
from pwgserve.at_hand import AtHand, NotAtHandError

READ = os.O_RDONLY | os.O_NOFOLLOW


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/picture.jpg").write_bytes(b"p" * 5000)
    (tmp_path / "a/picture.jpg").read_bytes()
    return tmp_path


def content_of(hand, path, size=5000):
    descriptor = hand.open(path, READ)
    try:
        return at_hand.read(descriptor, size)
    finally:
        os.close(descriptor)


def test_what_was_just_read_is_at_hand_where_the_kernel_can_say_so(folder):
    hand = AtHand(folder)
    try:
        content = content_of(hand, "a/picture.jpg")
    except NotAtHandError:
        pytest.skip("this kernel or file system cannot say what it has in memory; then threads read everything")
    assert content == b"p" * 5000
    with pytest.raises(NotAtHandError):
        content_of(hand, "a/picture.jpg", 5001)


def test_what_is_not_there_is_never_said_to_be(folder):
    hand = AtHand(folder)
    for path in ("none", "a/none", "a/picture.jpg/x", ""):
        with pytest.raises((NotAtHandError, OSError)):
            hand.open(path, READ)


def test_another_file_system_is_left_to_threads(folder):
    with pytest.raises(NotAtHandError):
        AtHand(Path("/proc/self")).open("status", READ)
    # A mount below the folder may be another machine's.
    with pytest.raises(NotAtHandError):
        AtHand(Path("/")).open("proc/self/status", READ)


def test_a_folder_that_is_not_there_has_nothing_at_hand(tmp_path):
    with pytest.raises(NotAtHandError):
        AtHand(tmp_path / "none").open("x", READ)


def test_a_folder_that_was_replaced_is_opened_again(folder, monkeypatch):
    monkeypatch.setattr(at_hand, "LOOK_SECONDS", 0.0)
    hand = AtHand(folder / "a")
    other = folder / "b"
    other.mkdir()
    (other / "picture.jpg").write_bytes(b"q" * 5000)
    for _ in range(2):
        try:
            first = content_of(hand, "picture.jpg")
        except NotAtHandError:
            pytest.skip("this kernel or file system cannot say what it has in memory; then threads read everything")
        assert first == b"p" * 5000
    (folder / "a").rename(folder / "old")
    with pytest.raises((NotAtHandError, OSError)):
        content_of(hand, "picture.jpg")
    other.rename(folder / "a")
    (folder / "a/picture.jpg").read_bytes()
    assert content_of(hand, "picture.jpg") == b"q" * 5000


def test_a_folder_of_another_machine_is_never_waited_for(folder, monkeypatch):
    """As a NAS that went away: what asks for its folder hangs until it is back."""
    monkeypatch.setattr(at_hand, "LOOK_SECONDS", 0.0)
    hand, is_back = AtHand(folder), threading.Event()
    monkeypatch.setattr(at_hand, "_kind", lambda descriptor: 0x6969)
    with pytest.raises(NotAtHandError):
        hand.open("a/picture.jpg", READ)
    looks = []

    def stat(path, **_):
        looks.append(threading.current_thread())
        is_back.wait(60)
        return os.lstat(path)

    monkeypatch.setattr(Path, "stat", stat)
    for _ in range(3):
        with pytest.raises(NotAtHandError):
            hand.open("a/picture.jpg", READ)
    assert threading.current_thread() not in looks
    assert len(looks) <= 1, "one that waits is enough"
    is_back.set()
    hand._looking.join()
    monkeypatch.undo()


def test_a_folder_that_comes_to_this_machine_is_at_hand_then(folder, monkeypatch):
    monkeypatch.setattr(at_hand, "LOOK_SECONDS", 0.0)
    try:
        content_of(AtHand(folder), "a/picture.jpg")
    except NotAtHandError:
        pytest.skip("this kernel or file system cannot say what it has in memory; then threads read everything")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(at_hand, "_kind", lambda descriptor: 0x6969)
        hand = AtHand(folder / "a")
        with pytest.raises(NotAtHandError):
            hand.open("picture.jpg", READ)
    (folder / "a").rename(folder / "old")
    (folder / "a").mkdir()
    (folder / "a/picture.jpg").write_bytes(b"q" * 5000)
    deadline = time.monotonic() + 60
    while True:
        try:
            assert content_of(hand, "picture.jpg") == b"q" * 5000
        except NotAtHandError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            break


def test_no_descriptor_stays_open(folder):
    hand = AtHand(folder)
    with contextlib.suppress(NotAtHandError, OSError):
        content_of(hand, "none")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("a/picture.jpg", "none"):
        for size in (5000, 9999):
            try:
                content_of(hand, path, size)
            except (NotAtHandError, OSError):
                continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_files_opened_are_closed_to_children(folder):
    hand = AtHand(folder)
    try:
        descriptor = hand.open("a/picture.jpg", READ | os.O_CLOEXEC)
    except NotAtHandError:
        pytest.skip("this kernel or file system cannot say what it has in memory; then threads read everything")
    assert not os.get_inheritable(descriptor)
    assert stat.S_ISREG(os.fstat(descriptor).st_mode)
    os.close(descriptor)
