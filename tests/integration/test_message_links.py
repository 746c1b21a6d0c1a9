"""Links that the plugin signs for mails, feeds and programs: no session stands behind them."""

import time
from dataclasses import replace

import family
import pytest
from family import LETTER, PARTY, USERS
from links import parts_of

from pwgserve.answers.viewers import MESSAGE, PROGRAM_KEY
from pwgserve.keys import keys_file
from pwgserve.links import Audience, Credential, LinkSigner

ANNA = USERS["anna"]
KEY = "pkid-20260514-abcdefghij0123456789"


@pytest.fixture
def signer(daemon):
    return LinkSigner(keys_file.load(daemon.directory / "keys"))


@pytest.fixture
def link_for(daemon, signer, gallery):
    """A link to a photo for a user by another credential than the session of whoever asked."""

    def made(photo: int, user: int, credential: Credential) -> str:
        link = daemon.visitor(family.cookie("anna")).link("/i.php?/" + gallery.paths[photo].replace(".jpg", "-me.jpg"))
        folder, _, name = link.rpartition("/")
        found = signer.verify(name.rpartition(".")[0])
        assert found is not None
        assert len(parts_of(link)) == 6
        return f"{folder}/{signer.sign(type(found)(found.photo_id, found.wanted, Audience(user, credential), int(time.time()) + 86400 * 20, found.fingerprint))}.jpg"

    return made


def test_a_link_in_a_mail_works_without_a_session_until_the_password_changes(
    daemon, gallery, signer, link_for, settled
):
    link = link_for(PARTY, ANNA, signer.credential(MESSAGE, "anna\nhash-of-anna"))
    answer = daemon.visitor().get(link)
    assert answer.status == 200
    assert answer.headers["cache-control"].startswith("private, max-age=17")
    gallery.update("users", {"id": ANNA}, password="another")
    settled()
    try:
        assert daemon.visitor().get(link).status == 404
    finally:
        gallery.update("users", {"id": ANNA}, password="hash-of-anna")
        settled()


def test_a_link_in_a_mail_dies_with_the_users_access(daemon, gallery, signer, link_for, settled):
    link = link_for(LETTER, ANNA, signer.credential(MESSAGE, "anna\nhash-of-anna"))
    assert daemon.visitor().get(link).status == 200
    gallery.delete("user_access", user_id=ANNA)
    settled()
    try:
        assert daemon.visitor().get(link).status == 404
    finally:
        gallery.insert("user_access", user_id=ANNA, cat_id=family.ANNAS)
        settled()


def test_nobody_elses_account_stands_behind_a_link_in_a_mail(daemon, signer, link_for):
    for user, secret in [
        (USERS["ben"], "anna\nhash-of-anna"),
        (ANNA, "ben\nhash-of-ben"),
        (ANNA, ""),
        (2, "guest\nhash-of-guest"),
    ]:
        assert daemon.visitor().get(link_for(PARTY, user, signer.credential(MESSAGE, secret))).status == 404


def test_links_of_one_kind_are_none_of_another(daemon, signer, link_for):
    mark = signer.credential(MESSAGE, "anna\nhash-of-anna").mark
    for kind in "sraxtk":
        assert daemon.visitor().get(link_for(PARTY, ANNA, Credential(kind, mark))).status == 404


def test_a_link_for_a_program_lives_as_long_as_the_programs_key(daemon, gallery, signer, link_for, settled):
    link = link_for(PARTY, ANNA, signer.credential(PROGRAM_KEY, KEY))
    assert daemon.visitor().get(link).status == 404
    gallery.insert(
        "user_auth_keys", auth_key_id=77, auth_key=KEY, user_id=ANNA, key_type="api_key", expired_on=gallery.ago(-600)
    )
    settled()
    assert daemon.visitor().get(link).status == 200
    gallery.update("user_auth_keys", {"auth_key_id": 77}, revoked_on=gallery.ago(1))
    settled()
    assert daemon.visitor().get(link).status == 404
    gallery.delete("user_auth_keys", auth_key_id=77)


def test_a_program_may_begin_to_use_keys_when_piwigo_is_upgraded_to_one_that_has_them(gallery, start, settled):
    columns = {"key_type": "VARCHAR(40)", "revoked_on": "DATETIME"}
    with gallery.engine.begin() as connection:
        for name in columns:
            connection.exec_driver_sql(f"ALTER TABLE piwigo_user_auth_keys DROP COLUMN {name}")
    daemon = start(gallery)
    link = as_program(daemon, daemon.visitor(family.cookie("anna")).link(f"/action.php?id={PARTY}&part=e"))
    assert daemon.visitor().get(link).status == 404
    with gallery.engine.begin() as connection:
        for name, kind in columns.items():
            connection.exec_driver_sql(f"ALTER TABLE piwigo_user_auth_keys ADD COLUMN {name} {kind}")
    gallery.insert(
        "user_auth_keys", auth_key_id=78, auth_key=KEY, user_id=ANNA, key_type="api_key", expired_on=gallery.ago(-600)
    )
    settled()
    try:
        assert daemon.visitor().get(link).status == 200
    finally:
        gallery.delete("user_auth_keys", auth_key_id=78)


def as_program(daemon, link):
    """The link for a program that uses Anna's key."""
    signer = LinkSigner(keys_file.load(daemon.directory / "keys"))
    folder, _, name = link.rpartition("/")
    token, _, extension = name.rpartition(".")
    audience = Audience(ANNA, signer.credential(PROGRAM_KEY, KEY))
    return f"{folder}/{signer.sign(replace(signer.verify(token), audience=audience))}.{extension}"


def test_with_bound_sessions_a_link_in_a_mail_needs_its_owners_browser(gallery, start):
    daemon = start(gallery, links={"bind_session": True})
    signer = LinkSigner(keys_file.load(daemon.directory / "keys"))
    link = daemon.visitor(family.cookie("anna")).link("/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-me.jpg"))
    folder, _, name = link.rpartition("/")
    found = signer.verify(name.rpartition(".")[0])
    mail = signer.sign(
        type(found)(
            found.photo_id,
            found.wanted,
            Audience(ANNA, signer.credential(MESSAGE, "anna\nhash-of-anna")),
            found.expiry,
            found.fingerprint,
        )
    )
    assert daemon.visitor().get(f"{folder}/{mail}.jpg").status == 404
    assert daemon.visitor(family.cookie("anna")).get(f"{folder}/{mail}.jpg").status == 200
