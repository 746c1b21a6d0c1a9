"""The SQL on galleries as owners have them: older ones, bare ones, odd names. (Both databases: see tests/integration.)"""

import contextlib
import sqlite3

import pytest

from pwgserve.piwigo.gallery import Gallery, GalleryConfigurationError, GalleryUnavailableError, database_address
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import GalleryRules, may_see
from pwgserve.piwigo.schema import schema

# Only what the daemon reads, with the types that a person would give in SQLite.
BARE = """
CREATE TABLE pwg_images (id INTEGER, file TEXT, path TEXT, width INTEGER, height INTEGER, rotation INTEGER, coi TEXT,
  representative_ext TEXT, level INTEGER);
CREATE TABLE pwg_image_category (image_id INTEGER, category_id INTEGER);
CREATE TABLE pwg_categories (id INTEGER, id_uppercat INTEGER, status TEXT, visible TEXT);
CREATE TABLE pwg_users (id INTEGER, username TEXT, password TEXT);
CREATE TABLE pwg_user_infos (user_id INTEGER, status TEXT, level INTEGER, enabled_high TEXT);
CREATE TABLE pwg_user_access (user_id INTEGER, cat_id INTEGER);
CREATE TABLE pwg_user_group (user_id INTEGER, group_id INTEGER);
CREATE TABLE pwg_group_access (group_id INTEGER, cat_id INTEGER);
CREATE TABLE pwg_sessions (id TEXT, data TEXT, expiration TEXT);
CREATE TABLE pwg_user_auth_keys (auth_key TEXT, user_id INTEGER, expired_on TEXT);
CREATE TABLE pwg_image_format (format_id INTEGER, image_id INTEGER, ext TEXT);
CREATE TABLE pwg_config (param TEXT, value TEXT);
INSERT INTO pwg_images VALUES (1, 'a.jpg', './upload/a.jpg', 30, 20, NULL, 'zz', NULL, 0);
INSERT INTO pwg_image_category VALUES (1, 5), (1, 99);
INSERT INTO pwg_categories VALUES (5, NULL, 'private', 'true');
INSERT INTO pwg_users VALUES (3, 'anna', 'x');
INSERT INTO pwg_user_infos VALUES (3, 'normal', 0, 'true'), (4, 'normal', 0, 'true');
INSERT INTO pwg_user_access VALUES (3, 5);
INSERT INTO pwg_user_auth_keys VALUES ('k', 3, datetime('now', '+1 hour')), ('old', 3, datetime('now', '-1 hour'));
INSERT INTO pwg_sessions VALUES ('7F00s', 'pwg_uid|i:3;', datetime('now', '-90 seconds'));
"""


@contextlib.asynccontextmanager
async def opened(file, script=BARE):
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)
    gallery = Gallery(database_address(f"sqlite:///{file}"), schema("pwg_"))
    try:
        yield gallery
    finally:
        await gallery.close()


async def test_a_gallery_with_nothing_but_what_is_read_is_enough(tmp_path):
    async with opened(tmp_path / "gallery.db") as gallery:
        await gallery.check()
        photo = (await gallery.photos([1]))[1]
        assert (photo.width, photo.rotation, photo.coi) == (30, None, None), "a centre of interest has four letters"
        assert [album.album_id for album in photo.albums] == [5], "an album that was deleted opens nothing"
        people = People(gallery)
        viewers = await people.viewers([3, 4])
        assert viewers[3].albums == {5}
        assert set(viewers) == {3}, "user 4 has no account"
        assert await people.users_of_auth_keys(["k", "old", "none"]) == {"k": 3}
        assert await people.auth_keys_of([3, 4]) == {3: ["k"]}
        assert await people.program_keys_of([3]) == {}
        sessions = await people.sessions(["7F00s", "none"])
        assert set(sessions) == {"7F00s"}
        assert (sessions["7F00s"].user_id, 85 < sessions["7F00s"].age < 120) == (3, True)
        assert await people.session_ids_of([3, 4]) == {3: ["7F00s"]}


async def test_a_missing_column_is_named_with_its_table(tmp_path):
    script = BARE.replace(", level INTEGER);\nCREATE TABLE pwg_image_category", ");\nCREATE TABLE pwg_image_category")
    async with opened(tmp_path / "gallery.db", script.replace(", NULL, 0);", ", NULL);")) as gallery:
        with pytest.raises(GalleryConfigurationError, match=r"not the tables of a Piwigo gallery .*pwg_images.level"):
            await gallery.check()


async def test_a_row_without_a_level_is_nobodys_and_keeps_no_other_from_its_answer(tmp_path):
    rows = "INSERT INTO pwg_images VALUES (2, 'b.jpg', './upload/b.jpg', 30, 20, 0, NULL, NULL, NULL);"
    rows += "INSERT INTO pwg_image_category VALUES (2, 5);"
    rows += "INSERT INTO pwg_users VALUES (4, 'berta', 'x'); INSERT INTO pwg_user_access VALUES (4, 5);"
    rows += "UPDATE pwg_user_infos SET level = NULL WHERE user_id = 4;"
    async with opened(tmp_path / "gallery.db", BARE + rows) as gallery:
        photos, viewers = await gallery.photos([1, 2]), await People(gallery).viewers([3, 4])
        seen = {
            (user, photo): may_see(viewers[user], photos[photo], GalleryRules()) for user in (3, 4) for photo in (1, 2)
        }
        assert seen == {(3, 1): True, (3, 2): False, (4, 1): False, (4, 2): False}


@pytest.mark.parametrize("name", ["with space.db", "100%.db", "a#b.db", "Grüße.db"])
async def test_a_file_may_have_any_name(tmp_path, name):
    async with opened(tmp_path / name) as gallery:
        await gallery.check()
        assert set(await gallery.photos([1, 2])) == {1}


async def test_nothing_can_be_written(tmp_path):
    async with opened(tmp_path / "gallery.db") as gallery:
        with pytest.raises(GalleryUnavailableError) as refused:
            await gallery.rows("DELETE FROM {images}")
        assert "readonly" in str(refused.value.__cause__)
        assert set(await gallery.photos([1])) == {1}
