import time
from dataclasses import replace

import pytest

from pwgserve.answers.viewers import Asker
from pwgserve.http.issuing import Issued, Issuer, browsers_keep, redirect
from pwgserve.keys.keys_file import generated
from pwgserve.links import Audience, Credential, LinkSigner
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import DEFAULTS
from pwgserve.piwigo.permissions import Album, GalleryRules, Photo, Status, Viewer
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.plan import RenderRules
from pwgserve.targets import GallerySettings, target
from pwgserve.versions import SourceFacts, Version

SETTINGS = GallerySettings(PiwigoConf(), DEFAULTS, GalleryRules(), RenderRules())
GUEST = Viewer(2, Status.GUEST, 0, enabled_high=True, albums=frozenset())
ANNA = Viewer(3, Status.NORMAL, 0, enabled_high=True, albums=frozenset({2}))
CAROL = replace(ANNA, user_id=5, albums=frozenset())
DORA = replace(CAROL, user_id=6, status=Status.ADMIN)
SESSION = Credential("s", "m" * 16)
SIGNER = LinkSigner(generated())
TTL = 600


def photo(*albums):
    return Photo(1, "./upload/a.jpg", "a.jpg", 0, 3000, 2000, 0, None, None, albums)


PUBLIC = target(photo(Album(1, private=False, visible=True)), Wanted(code="me"), SETTINGS)
PRIVATE = target(photo(Album(2, private=True, visible=True)), Wanted(code="me"), SETTINGS)


class Gallery:
    """Who guests are, and which version a file is of; counts how often files were looked at."""

    def __init__(self, guest=GUEST):
        self._guest = guest
        self.looked = 0

    async def guest(self, conf):
        return self._guest

    async def version(self, found):
        self.looked += 1
        return Version((), 0, SourceFacts(found.path, 1000, 0), None)


async def issued(asker, found, until=None, gallery=None):
    gallery = gallery or Gallery()
    return await Issuer(SIGNER, gallery, gallery, "/photos/", "pwgs", TTL).issue(asker, found, SETTINGS, until)


async def link(*given, **more):
    """What the link says that somebody is given."""
    url = await issued(*given, **more)
    assert url.path.startswith("/photos/pwgs/")
    token, _, extension = url.path.removeprefix("/photos/pwgs/").rpartition(".")
    assert extension == "jpg"
    return SIGNER.verify(token)


@pytest.mark.parametrize(
    "asker",
    [
        Asker(GUEST),
        Asker(CAROL, SESSION),
        Asker(DORA, SESSION),
        Asker(CAROL, SESSION, is_trusted_admin=True),
        Asker(ANNA),
    ],
)
async def test_who_may_not_see_a_photo_or_is_known_by_nothing_gets_no_link_and_no_file_is_looked_at(asker):
    gallery = Gallery()
    assert await issued(asker, PRIVATE, gallery=gallery) is None
    assert gallery.looked == 0


async def test_what_guests_may_see_has_one_link_for_everybody():
    links = {await issued(asker, PUBLIC) for asker in (Asker(GUEST), Asker(ANNA, SESSION), Asker(DORA, SESSION, True))}
    assert len(links) == 1
    assert (await link(Asker(ANNA, SESSION), PUBLIC)).audience.is_public


async def test_what_guests_may_not_see_has_a_link_for_whoever_asks_as_they_are_known():
    asked = [(Asker(ANNA, SESSION), PRIVATE, Gallery()), (Asker(DORA, SESSION, True), PRIVATE, Gallery())]
    asked.append((Asker(ANNA, SESSION), PUBLIC, Gallery(guest=None)))
    for asker, found, gallery in asked:
        given = await link(asker, found, gallery=gallery)
        assert given.audience == Audience(asker.viewer.user_id, SESSION)
        assert (given.photo_id, given.wanted) == (1, Wanted(code="me"))
    assert await issued(Asker(GUEST), PUBLIC, gallery=Gallery(guest=None)) is None


async def test_who_has_nothing_but_a_link_gets_none_that_lives_longer():
    now = int(time.time())
    for until, expected in ((now + 60, now + 60), (now + 10 * TTL, None), (None, None)):
        own = await link(Asker(ANNA, SESSION), PRIVATE, until)
        assert now + TTL <= own.expiry <= now + TTL * 3 // 2 + 2 if expected is None else own.expiry == expected
    everybodys = await link(Asker(ANNA, SESSION), PUBLIC, now + 60)
    assert everybodys.expiry >= now + TTL, "which anybody has who asks"


async def test_a_url_says_until_when_it_stays_the_same():
    url = await issued(Asker(GUEST), PUBLIC)
    assert url.same_until == (await link(Asker(GUEST), PUBLIC)).expiry - TTL
    assert time.time() < url.same_until <= time.time() + TTL // 2 + 1
    assert Issuer(SIGNER, None, None, "/", "pwgs", TTL).repeated("a.jpg") == Issued("/pwgs/a.jpg", 0)


def test_a_redirect_is_kept_by_the_browser_until_the_url_changes_and_by_nobody_else():
    answer = redirect(Issued("/pwgs/a.jpg", int(time.time()) + 100))
    assert (answer.status, answer.headers["Location"]) == (302, "/pwgs/a.jpg")
    assert answer.headers["Cache-Control"] in ("private, max-age=100", "private, max-age=99")
    assert (answer.headers["Vary"], answer.headers["Server"]) == ("Cookie", "pwgserve")
    assert redirect(Issued("/pwgs/a.jpg", 0), vary="Cookie, Accept").headers["Vary"] == "Cookie, Accept"
    assert redirect(Issued("/pwgs/a.jpg", 0), download=True).headers["Location"] == "/pwgs/a.jpg?download"
    assert redirect(Issued("/pwgs/a.jpg", 2**40), keep=False).headers["Cache-Control"] == "no-store"
    assert browsers_keep(Issued("/pwgs/a.jpg", 1), keep=True) == "private, max-age=0"
