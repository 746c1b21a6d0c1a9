"""What changes in Piwigo counts within two seconds, for old addresses and for links that were handed out."""

import contextlib
import fcntl
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import family
import pytest
import pyvips
from family import ANNAS, FAMILY, FAMILY_ALBUM, LETTER, PARTY, PUBLIC, SHARED, USERS
from links import parts_of
from waiting import until

from pwgserve.answers.freshness import DECISION_AGE, MAX_AGE

PROMISED_SECONDS = 2.0


@pytest.fixture(autouse=True)
def as_it_was(gallery):
    """Each test changes the gallery, and the next one finds it as it was."""
    with gallery.restored():
        yield
    time.sleep(MAX_AGE + DECISION_AGE)  # nothing is known any more of how it was meanwhile


def make_private(gallery):
    gallery.update("categories", {"id": PUBLIC}, status="private")


def lock(gallery):
    gallery.update("categories", {"id": PUBLIC}, visible="false")


def take_out_of_album(gallery):
    gallery.delete("image_category", image_id=SHARED, category_id=PUBLIC)


def raise_level(gallery):
    gallery.update("images", {"id": SHARED}, level=8)


def delete_photo(gallery):
    gallery.delete("images", id=SHARED)


PUBLIC_CHANGES = [make_private, lock, take_out_of_album, raise_level, delete_photo]


def leave_group(gallery):
    gallery.delete("user_group", user_id=USERS["ben"])


def close_to_group(gallery):
    gallery.delete("group_access", group_id=FAMILY, cat_id=FAMILY_ALBUM)


def lower_level(gallery):
    gallery.update("images", {"id": PARTY}, level=4)
    gallery.update("user_infos", {"user_id": USERS["ben"]}, level=2)


def delete_user(gallery):
    gallery.delete("user_infos", user_id=USERS["ben"])
    gallery.delete("users", id=USERS["ben"])


def log_out(gallery):
    gallery.delete("sessions", id="7F00bensession")


def end_session(gallery):
    gallery.update("sessions", {"id": "7F00bensession"}, expiration=gallery.ago(4000))


def log_in_as_another(gallery):
    gallery.update("sessions", {"id": "7F00bensession"}, data=f"pwg_uid|i:{USERS['carol']};")


def move_to_annas(gallery):
    gallery.update("image_category", {"image_id": PARTY}, category_id=ANNAS)


PRIVATE_CHANGES = [
    leave_group, close_to_group, lower_level, delete_user, log_out, end_session, log_in_as_another, move_to_annas,
]  # fmt: skip


def assert_ends(daemon, visitor, link, address, change, gallery):
    assert visitor.get(link).status == 200
    change(gallery)
    changed = time.monotonic()
    # Link and address are answered by questions of their own: one may end a moment before the other.
    for target in (link, address):
        asked = time.monotonic()
        while (status := visitor.get(target).status) != 404:
            # On a machine that is too busy for the database's answers nobody is told anything.
            assert status == 503 or asked - changed <= PROMISED_SECONDS, "asked later than that, nobody gets a yes"
            time.sleep(0.05)
            asked = time.monotonic()
    assert visitor.get(link).status == 404
    assert visitor.get(address).status == 404
    assert daemon.visitor().get(link).status == 404


@pytest.mark.parametrize("change", PUBLIC_CHANGES)
def test_a_public_photo_that_is_closed_is_closed_at_once(daemon, gallery, change):
    address = f"/action.php?id={SHARED}&part=e"
    visitor = daemon.visitor()
    assert_ends(daemon, visitor, visitor.link(address), address, change, gallery)


@pytest.mark.parametrize("change", PRIVATE_CHANGES)
def test_a_viewer_who_may_no_more_may_not_at_once(daemon, gallery, change):
    address = "/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-sm.jpg")
    visitor = daemon.visitor(family.cookie("ben"))
    assert_ends(daemon, visitor, visitor.link(address), address, change, gallery)


@contextlib.contextmanager
def waiting_for_a_worker(daemon, visitor, link):
    """A request for a picture that is not made before the block ends, as a future of its answer."""
    workers = daemon.workers()
    with ThreadPoolExecutor(1) as pool:
        try:
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)
            asked = pool.submit(visitor.get, link)
            until(lambda: daemon.metric("pwgserve_render_jobs") >= 1)
            yield asked
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("photo", "name", "change", "code"),
    [
        (PARTY, "ben", log_out, "la"),
        (PARTY, "ben", leave_group, "xs"),
        (SHARED, "guest", take_out_of_album, "la"),
        (SHARED, "guest", delete_photo, "xs"),
    ],
)
def test_a_picture_that_had_to_be_made_goes_to_whom_may_see_it_when_it_is_made(
    daemon, gallery, photo, name, change, code
):
    """Between the question whether somebody may see it and the picture may lie as long as others wait for theirs."""
    visitor = daemon.visitor(family.cookie(name))
    link = visitor.link("/i.php?/" + gallery.paths[photo].replace(".jpg", f"-{code}.jpg"))
    with waiting_for_a_worker(daemon, visitor, link) as asked:
        change(gallery)
        time.sleep(PROMISED_SECONDS)
    answer = asked.result()
    assert (answer.status, answer.body) == (404, visitor.get("/nothing").body)


def put_another_file(gallery):
    """As Piwigo does when a photo is uploaded anew: whoever has the old file open goes on reading that."""
    new = gallery.picture("upload/new.jpg", (1200, 600), 99)
    new.replace(gallery.root / gallery.paths[SHARED])
    gallery.update("images", {"id": SHARED}, height=600)


MARKED = (
    's:1:"w";O:15:"WatermarkParams":3:{s:4:"file";s:25:"local/watermarks/mark.png";s:8:"min_size";'
    'a:2:{i:0;i:100;i:1;i:100;}s:7:"opacity";i:100;}'
)


def write_mark(gallery, colour):
    mark = gallery.root / "local/watermarks/mark.png"
    mark.parent.mkdir(parents=True, exist_ok=True)
    plain = pyvips.Image.black(100, 60, bands=3).linear(1, colour).cast("uchar")
    plain.copy(interpretation="srgb").pngsave(str(mark))
    return mark


def mark_all(gallery):
    write_mark(gallery, [0, 0, 0])
    gallery.set_config("derivatives", derivatives_row(576, 432, MARKED))


@pytest.mark.parametrize("change", [put_another_file, mark_all])
def test_a_picture_that_was_changed_while_it_was_made_is_not_sent_as_it_was_before(gallery, start, change):
    """An owner who blurs a face, or marks all pictures, is not to see the old one leave for as long as others wait."""
    daemon = start(gallery)
    visitor = daemon.visitor()
    link = visitor.link(derivative(gallery))
    with waiting_for_a_worker(daemon, visitor, link) as asked:
        change(gallery)
        time.sleep(PROMISED_SECONDS)
    answer = asked.result()
    assert (answer.status, answer.headers["cache-control"]) == (302, "no-store")
    assert parts_of(answer.location)[4] != parts_of(link)[4]
    assert visitor.get(answer.location).headers["x-pwgserve"] == "render"


def test_a_picture_that_a_disk_took_its_time_for_goes_to_whom_may_see_it_then(gallery, start):
    """Disks go to sleep, and servers of files hang. Here another process has the file, and lets go of it late."""
    daemon = start(gallery)
    ben = daemon.visitor(family.cookie("ben"))
    link = ben.link("/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-2s.jpg"))
    assert ben.get(link).status == 200
    (file,) = (daemon.directory / "cache").glob("??/??/*")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # by which the kernel tells that somebody waits
    with ThreadPoolExecutor(1) as pool, file.open("rb") as held:
        try:
            time.sleep(DECISION_AGE)  # nothing is known any more of how it was answered
            fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            asked = pool.submit(ben.get, link)
            until(lambda: fcntl.fcntl(held, fcntl.F_GETLEASE) != fcntl.F_WRLCK)
            leave_group(gallery)
            time.sleep(PROMISED_SECONDS)
            assert daemon.visitor().get("/-/health").status == 200, "nobody else waits for this file"
            assert not asked.done()
        finally:
            fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            signal.signal(signal.SIGIO, before)
        assert asked.result().status == 404


def test_who_still_may_is_led_from_a_public_link_to_one_of_their_own(daemon, gallery):
    public = daemon.visitor().link(f"/action.php?id={SHARED}&part=e")
    take_out_of_album(gallery)  # now in the family's album only
    time.sleep(PROMISED_SECONDS)
    ben = daemon.visitor(family.cookie("ben"))
    answer = ben.get(public)
    assert (answer.status, answer.headers["cache-control"]) == (302, "no-store")
    assert ben.get(answer.location).headers["cache-control"].startswith("private")
    assert daemon.visitor(family.cookie("carol")).get(public).status == 404
    assert daemon.visitor().get(public).status == 404


def test_a_photo_that_is_opened_is_open_at_once(daemon, gallery):
    address = f"/action.php?id={LETTER}&part=e"
    assert daemon.visitor().get(address).status == 404
    gallery.update("categories", {"id": ANNAS}, status="public")
    time.sleep(PROMISED_SECONDS)
    assert daemon.visitor().follow(address).status == 200


def derivative(gallery, code="sm"):
    return "/i.php?/" + gallery.paths[SHARED].replace(".jpg", f"-{code}.jpg")


def replace_file(gallery):
    gallery.picture(gallery.paths[SHARED], (1200, 600), 99)
    gallery.update("images", {"id": SHARED}, height=600)


def rotate(gallery):
    gallery.update("images", {"id": SHARED}, rotation=1)


def change_sizes(gallery):
    gallery.set_config("derivatives", derivatives_row(576, 300))


def derivatives_row(width, height, watermark=""):
    sizing = f'O:12:"SizingParams":3:{{s:10:"ideal_size";a:2:{{i:0;i:{width};i:1;i:{height};}}s:8:"max_crop";i:0;'
    sizing += 's:8:"min_size";N;}'
    one = f'O:16:"DerivativeParams":2:{{s:13:"last_mod_time";i:1;s:6:"sizing";{sizing}}}'
    return f'a:{2 if watermark else 1}:{{s:1:"d";a:1:{{s:5:"small";{one}}}{watermark}}}'


@pytest.mark.parametrize("change", [replace_file, rotate, change_sizes])
def test_an_edited_photo_has_another_url_and_the_old_one_leads_to_it(daemon, gallery, change):
    visitor = daemon.visitor()
    old = visitor.link(derivative(gallery))
    before = visitor.get(old).body
    change(gallery)
    time.sleep(PROMISED_SECONDS)
    new = visitor.link(derivative(gallery))
    assert parts_of(new)[4] != parts_of(old)[4]
    answer = visitor.get(old)
    assert (answer.status, answer.headers["cache-control"]) == (302, "no-store")
    assert parts_of(answer.location)[4] == parts_of(new)[4]
    after = visitor.get(new)
    assert after.headers["x-pwgserve"] == "render"
    assert after.body != before


def test_a_moved_centre_of_interest_moves_the_square(daemon, gallery):
    visitor = daemon.visitor()
    before = visitor.follow(derivative(gallery, "sq")).body
    gallery.update("images", {"id": SHARED}, coi="yaza")
    time.sleep(PROMISED_SECONDS)
    after = pyvips.Image.new_from_buffer(visitor.follow(derivative(gallery, "sq")).body, "")
    assert (after.width, after.height) == (120, 120)
    # The test pictures grow redder to the right, and the centre is now at the right edge.
    assert after.avg() > pyvips.Image.new_from_buffer(before, "").avg() + 5


def test_a_watermark_is_on_pictures_at_once_and_its_change_too(daemon, gallery):
    visitor = daemon.visitor()
    plain = visitor.follow(derivative(gallery)).body
    write_mark(gallery, [255, 0, 0])
    gallery.set_config("derivatives", derivatives_row(576, 432, MARKED))
    time.sleep(PROMISED_SECONDS)
    marked = visitor.follow(derivative(gallery)).body
    assert pyvips.Image.new_from_buffer(marked, "")(288, 216)[0] > 240
    assert marked != plain
    mark = write_mark(gallery, [0, 0, 255])
    time.sleep(PROMISED_SECONDS)
    assert pyvips.Image.new_from_buffer(visitor.follow(derivative(gallery)).body, "")(288, 216)[2] > 240
    mark.unlink()
    time.sleep(PROMISED_SECONDS)
    assert visitor.get(derivative(gallery)).status == 404, "an owner's mark is never left out"


def test_a_photo_that_moved_on_disk_is_found_at_its_new_path(daemon, gallery):
    old, new = gallery.paths[SHARED], "galleries/moved.jpg"
    assert daemon.visitor().follow(f"/{old}").status == 200
    (gallery.root / old).rename(gallery.root / new)
    gallery.update("images", {"id": SHARED}, path=f"./{new}")
    time.sleep(PROMISED_SECONDS)
    assert daemon.visitor().get(f"/{old}").status == 404
    assert daemon.visitor().follow(f"/{new}").status == 200


def test_the_owners_configuration_file_is_read_again_when_it_changes(daemon, gallery):
    address = f"/action.php?id={SHARED}&part=e"
    assert daemon.visitor().get(address).status == 302
    file = gallery.root / "local/config/config.inc.php"
    file.parent.mkdir(parents=True)
    file.write_text("<?php $conf['guest_access'] = false;")
    time.sleep(PROMISED_SECONDS)
    assert daemon.visitor().get(address).status == 404
    file.write_text("<?php $conf['guest_access'] = is_it_open();")
    time.sleep(PROMISED_SECONDS)
    assert daemon.visitor().get(address).status == 503, "what nobody understands is not guessed"
