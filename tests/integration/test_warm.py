"""`pwgserve warm` on a real gallery, beside a daemon and without one."""

import contextlib
import fcntl
import os
import re
import resource
import signal
from pathlib import Path

import family
import pytest
import pyvips
from commands import Installation
from daemon import Daemon
from family import DOCUMENT, FAMILY_ALBUM, FILM, LAKE, PARTY, SMALL
from waiting import until

from pwgserve.cache.store import Cache

PICTURES = 15
"""Photos of the gallery that are pictures: all but a film and a document; one of the pictures is smaller than medium."""

LITTLE = ("--types", "sq,th", "--for", "programs")
"""Soon done, by what goes behind all else that the machine does."""

FEW_FILES = 35
"""Too few for two renderings at once."""

pytestmark = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")


def numbers(done):
    return [int(word) for word in re.findall(r"\d+", done.out.partition("\n")[0])]


@pytest.mark.timeout(1200)
def test_what_was_warmed_is_a_hit_for_visitors_and_is_not_made_again(gallery, tmp_path):
    formats = {"formats": ["webp"]}  # which takes a tenth of the time that AVIF takes
    daemon = Daemon(gallery, tmp_path / "daemon", {"render": formats})
    daemon.directory.mkdir()
    place = Installation(gallery, daemon.directory, render=formats)
    done = place.warmed()
    assert (done.code, numbers(done)[0]) == (0, 17), "a document without a representative is no failure"
    daemon.start()
    try:
        anna = daemon.visitor(family.cookie("anna"))
        for code in ("sq", "th", "me"):
            for photo in (LAKE, PARTY, FILM):
                path = gallery.paths[photo]
                if photo == FILM:
                    path = "upload/2026/05/14/pwg_representative/film.jpg"
                address = "/i.php?/" + path.replace(".jpg", f"-{code}.jpg")
                for accept, extension in (("*/*", ".jpg"), ("image/webp,*/*", ".webp")):
                    link = anna.get(address, Accept=accept).location
                    assert link.endswith(extension)
                    assert anna.get(link).headers["x-pwgserve"] == "hit"
        assert numbers(place.run("warm"))[1] == 0, "nothing is rendered twice, and the daemon runs"
    finally:
        daemon.stop()


def test_sizes_and_albums_are_chosen(gallery, tmp_path):
    place = Installation(gallery, tmp_path)
    done = place.run("warm", "--album", str(FAMILY_ALBUM), "--types", "th", "--for", "programs")
    assert (done.code, numbers(done)[:2]) == (0, [6, 6])
    done = place.run("warm", "--album", str(FAMILY_ALBUM), "--sub-albums", "--types", "th,sq", "--for", "programs")
    assert (done.code, numbers(done)[0]) == (0, 8), "with Anna's letter and the photo of the public album below"
    assert len(place.derivatives()) == 2 * 8


def test_a_broken_photo_is_named_at_the_end_and_stops_nothing(gallery, tmp_path):
    file = gallery.root / gallery.paths[LAKE]
    content = file.read_bytes()
    file.write_bytes(content[:2000])
    try:
        done = Installation(gallery, tmp_path).run("warm", "--types", "th", "--for", "programs")
    finally:
        file.write_bytes(content)
    assert done.code == 1
    assert f"photo {LAKE} (th): " in done.out
    assert gallery.paths[LAKE] not in done.out + done.err
    assert numbers(done)[1] == PICTURES, "all others, and the film's representative"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--types", "th,huge"], "'huge' is no size"),
        (["--album", "999"], "no album 999"),
    ],
)
def test_what_is_asked_wrongly_is_said_in_one_line(gallery, tmp_path, words, says):
    done = Installation(gallery, tmp_path).run("warm", *words)
    assert done.code == 2
    assert says in done.err


def test_interrupted_it_says_how_to_go_on_and_goes_on(gallery, tmp_path):
    place = Installation(gallery, tmp_path)
    running = place.begin("warm", "--types", "xx,la,me", "--jobs", "1", "--for", "programs")
    until(lambda: len(place.derivatives()) >= 7 or running.poll() is not None)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    command = re.search(r"pwgserve (warm .* --after \d+)", err)[1].split()
    before = set(place.derivatives())
    config = command.index("--config")
    done = place.run(*command[:config], *command[config + 2 :])
    assert before < set(place.derivatives())
    assert numbers(done)[0] < PICTURES + 2, "what was done is not looked at again"


@contextlib.contextmanager
def large_lake(gallery):
    """One photo of the gallery is so large that it needs its turn."""
    file = gallery.root / gallery.paths[LAKE]
    content = file.read_bytes()
    black = pyvips.Image.black(8000, 7000, bands=3).copy(interpretation="srgb")
    file.write_bytes(black.jpegsave_buffer(interlace=True))
    try:
        yield
    finally:
        file.write_bytes(content)


@contextlib.contextmanager
def warming(place, *words):
    with place.begin("warm", *words) as running:
        try:
            yield running
        finally:
            running.kill()


def test_stopped_in_a_terminal_it_keeps_nobody_waiting_and_goes_on_later(gallery, tmp_path):
    place = Installation(gallery, tmp_path)
    with large_lake(gallery), warming(place, "--types", "th", "--for", "programs") as running:
        until(lambda: is_taken(place.cache / "large", fcntl.flock))
        workers = children(running.pid)
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        running.send_signal(signal.SIGTSTP)
        until(lambda: state(running.pid) == "T")
        assert not is_taken(place.cache / "large", fcntl.flock)
        assert not is_taken(place.cache / "claims", fcntl.lockf)
        until(lambda: "T" not in map(state, workers))  # what had the memory of a large picture is ended
        running.send_signal(signal.SIGCONT)
        out, err = running.communicate(timeout=280)
    assert running.returncode == 0, err + out
    assert f" {PICTURES + 1} pictures rendered" in out, "the film's representative, too"


def test_interrupted_while_a_large_picture_waits_for_its_turn_it_ends(gallery, tmp_path):
    place = Installation(gallery, tmp_path)
    place.cache.mkdir()
    os.mkfifo(place.cache / "large")
    with (
        large_lake(gallery),
        (place.cache / "large").open("rb+", buffering=0) as turn,
        warming(place, "--types", "th", "--for", "programs", "--jobs", "2") as running,
    ):
        fcntl.flock(turn, fcntl.LOCK_EX)
        until(lambda: len(place.derivatives()) == PICTURES)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert f"--after {LAKE - 1}" in err


def is_taken(pipe, lock):
    """Whether a process has a lock on a named pipe."""
    with contextlib.suppress(FileNotFoundError), pipe.open("rb+", buffering=0) as opened:
        try:
            lock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def state(pid):
    """The kernel's letter for what a process does, None when it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return None


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_full_cache_is_said_and_not_filled_in_circles(gallery, tmp_path):
    place = Installation(gallery, tmp_path, cache={"max_size": "1MB"})
    cache = Cache(place.cache, bytes(32), 1_000_000)
    cache.open()
    cache.put(cache.name("what was there before"), bytes(920_000))
    done = place.run("warm", *LITTLE)
    assert done.code == 1
    assert "cache.max_size" in done.err
    assert 1 < len(place.derivatives()) < 2 * PICTURES


def test_out_of_open_files_it_says_how_to_go_on(gallery, tmp_path):
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES))

    done = Installation(gallery, tmp_path).run("warm", *LITTLE, "--jobs", "2", preexec=few_files)
    assert done.code == 1, done
    assert "may open no more files" in done.err
    assert re.search(r"To go on:\n  pwgserve warm .* --after \d+", done.err)


def test_it_takes_the_open_files_that_it_may_have(gallery, tmp_path):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, hard))

    done = Installation(gallery, tmp_path).warmed(*LITTLE, "--jobs", "2", preexec=few_files)
    assert done.code == 0, done


def test_pages_cover_every_photo_once(gallery, tmp_path, monkeypatch):
    import asyncio

    from pwgserve.piwigo import walking
    from pwgserve.piwigo.gallery import Gallery, database_address
    from pwgserve.piwigo.schema import schema

    monkeypatch.setattr(walking, "PAGE", 4)

    async def walk():
        asked = Gallery(database_address(gallery.address), schema(gallery.prefix))
        everything = walking.Walk(asked)
        ids = [photo.photo_id async for photo in everything.photos()]
        number = await everything.count()
        behind = [photo.photo_id async for photo in everything.photos(after=SMALL)]
        await asked.close()
        return ids, number, behind

    ids, number, behind = asyncio.run(walk())
    assert ids == list(range(1, 18))
    assert number == 17
    assert behind == [photo for photo in ids if photo > SMALL]
    assert DOCUMENT in ids
