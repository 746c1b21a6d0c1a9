"""Who is given what for a signed link, without a daemon: in whose name it is used, and what a decision has become since."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from pwgserve import fingerprints
from pwgserve.answers.freshness import AGE_FOR_PROXIES, LONGEST_DECISION
from pwgserve.answers.viewers import ADMIN_TOKEN, Asker
from pwgserve.cache.store import Entry
from pwgserve.finished import Finished
from pwgserve.http.issuing import Issuer
from pwgserve.http.refusals import RefusedError
from pwgserve.http.repeats import Repeats
from pwgserve.http.signed import Signed
from pwgserve.http.visitor import Proxies
from pwgserve.keys.keys_file import generated
from pwgserve.links import PUBLIC, Audience, Credential, Link, LinkSigner
from pwgserve.originals import Source
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import DEFAULTS, DerivativeParams
from pwgserve.piwigo.permissions import Album, GalleryRules, Photo, Status, Viewer
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.plan import RenderRules
from pwgserve.targets import GallerySettings, target
from pwgserve.versions import SourceFacts, Version

SETTINGS = GallerySettings(PiwigoConf(), DEFAULTS, GalleryRules(guest_access=True), RenderRules())
CUSTOM = DerivativeParams((50, 50))
GUEST = Viewer(2, Status.GUEST, 0, enabled_high=True, albums=frozenset())
ANNA = Viewer(3, Status.NORMAL, 0, enabled_high=True, albums=frozenset({2}))
BEN = replace(ANNA, user_id=4)
CAROL = replace(ANNA, user_id=5, albums=frozenset())
DORA = replace(CAROL, user_id=6, status=Status.ADMIN)
MARKS = (letter * 16 for letter in "abcdefgh")
SESSIONS = {viewer.user_id: Credential("s", next(MARKS)) for viewer in (ANNA, BEN, CAROL, DORA)}
TOKEN = Credential(ADMIN_TOKEN, next(MARKS))
MEDIUM, ORIGINAL = Wanted(code="me"), Wanted()
SIGNER = LinkSigner(generated())
TTL = 600
OPEN, FAMILY = (Album(1, private=False, visible=True),), (Album(2, private=True, visible=True),)


def known(viewer, **changes):
    return Asker(viewer, SESSIONS[viewer.user_id], **changes)


@dataclass
class Gallery:
    """What the database, the files and the cache say, as far as a test does not change it.

    sender: who sends the request, if logged in. holders: whose credentials are theirs. rendering: is called while the
    picture is made, None where the cache has it. opening: is called while the original is opened. late: seconds that the
    event loop's clock is ahead.
    """

    albums: tuple[Album, ...] = OPEN
    has_photo: bool = True
    guest_viewer: Viewer | None = GUEST
    sender: Asker | None = None
    holders: dict[Credential, Asker] = field(default_factory=dict)
    size: int = 1000
    rendering: object = None
    opening: object = None
    late: float = 0.0
    present: GallerySettings = SETTINGS
    anew: GallerySettings = SETTINGS

    async def settings(self):
        return self.present

    async def settings_anew(self):
        self.present = self.anew
        return self.present

    async def photo(self, photo_id):
        assert photo_id == 1
        return (
            Photo(1, "./upload/a.jpg", "a.jpg", 0, 3000, 2000, 0, None, None, self.albums) if self.has_photo else None
        )

    async def format_extension(self, wanted, photo):
        return None

    async def guest(self, conf):
        return self.guest_viewer

    async def who(self, claims, conf):
        return self.sender or (Asker(self.guest_viewer) if self.guest_viewer else None)

    async def holder(self, user_id, credential, conf):
        found = self.holders.get(credential)
        return found if found is not None and found.viewer.user_id == user_id else None

    async def version(self, found):
        return Version.of(found.facts(), SourceFacts(found.path, self.size, 10**18))

    async def in_turn(self, path, work):
        if self.opening:
            self.opening()
        return work()

    def open(self, version):
        return Source(None, version.source, "/gallery/a.jpg")

    def close(self, path, *descriptors):
        """There are none."""

    def at_hand(self, version):
        return None if self.rendering else Finished("name", Entry(None, 7, b"picture"), was_rendered=False)

    async def get(self, found, version, client, settings):
        self.rendering()
        return Finished("name", Entry(None, 7, b"picture"), was_rendered=True)

    def path(self, name):
        return f"/cache/{name}"

    async def send(self, request, file, headers, validators):
        self.sent = file
        return web.Response(body=file.content, headers={**headers, "ETag": validators.etag})


def link_of(gallery, audience=PUBLIC, wanted=MEDIUM, left=300):
    """A link to the photo as it is now, with so many seconds left."""
    found = target(asyncio.run(gallery.photo(1)), wanted, SETTINGS, None)
    facts = fingerprints.facts(found, asyncio.run(gallery.version(found)), SETTINGS.derivatives)
    return Link(1, wanted, audience, int(time.time()) + left, SIGNER.fingerprint(*facts))


class Serving:
    """Signed links of a gallery, asked for by one address."""

    def __init__(self, gallery, bind_session=False):
        issuer = Issuer(SIGNER, gallery, gallery, "/photos/", "pwgs", TTL)
        parts = (gallery, gallery, SIGNER, issuer, gallery, gallery, gallery)
        self.repeats = Repeats()
        self._gallery = gallery
        self._signed = Signed(*parts, Proxies((), "forwarded"), self.repeats, bind_session)

    async def get(self, link, extension="jpg", appended="", query="", signer=SIGNER):
        loop = asyncio.get_running_loop()
        loop.time = lambda: time.monotonic() + self._gallery.late
        name = f"{signer.sign(link)}.{extension}{appended}"
        request = make_mocked_request("GET", f"/photos/pwgs/{name}" + (f"?{query}" if query else ""))
        return await self._signed.answer(request, name, query)


def outcome(gallery, link, bind_session=False, **request):
    """A picture, the reason of a no, or the link that is led to."""
    try:
        answer = asyncio.run(Serving(gallery, bind_session).get(link, **request))
    except RefusedError as error:
        return error.reason
    if answer.status == 200:
        return "picture"
    assert (answer.status, answer.headers["Cache-Control"]) == (302, "no-store")
    path, _, query = answer.headers["Location"].partition("?")
    led = SIGNER.verify(path.removeprefix("/photos/pwgs/").removesuffix(".jpg"))
    return (led, query) if query else led


ANNAS, DORAS = Audience(ANNA.user_id, SESSIONS[ANNA.user_id]), Audience(DORA.user_id, TOKEN)
LIVES = {SESSIONS[ANNA.user_id]: known(ANNA), TOKEN: Asker(DORA, TOKEN, is_trusted_admin=True)}


@pytest.mark.parametrize(
    ("audience", "sender", "holders", "expected"),
    [
        (PUBLIC, None, {}, "picture"),
        (PUBLIC, known(CAROL), {}, "picture"),
        (ANNAS, known(ANNA), {}, "picture"),
        (ANNAS, None, LIVES, "picture"),
        (ANNAS, known(BEN), LIVES, "picture"),
        (ANNAS, known(CAROL), LIVES, "picture"),
        (ANNAS, None, {}, "audience"),
        (ANNAS, known(BEN), {}, "audience"),
        (DORAS, None, LIVES, "picture"),
        (DORAS, known(DORA), LIVES, "picture"),
        (DORAS, known(DORA), {}, "audience"),
    ],
)
def test_a_link_is_used_in_the_name_of_whom_it_is_for(audience, sender, holders, expected):
    albums = OPEN if audience.is_public else () if audience == DORAS else FAMILY
    gallery = Gallery(albums, sender=sender, holders=holders)
    assert outcome(gallery, link_of(gallery, audience)) == expected


@pytest.mark.parametrize(
    ("sender", "expected"), [(None, "audience"), (known(BEN), "audience"), (known(ANNA), "picture")]
)
def test_a_bound_link_is_for_its_user_alone(sender, expected):
    gallery = Gallery(FAMILY, sender=sender, holders=LIVES)
    assert outcome(gallery, link_of(gallery, ANNAS), bind_session=True) == expected
    public = Gallery(OPEN, sender=sender)
    assert outcome(public, link_of(public), bind_session=True) == "picture"


@pytest.mark.parametrize(
    ("audience", "sender", "leads_on"),
    [
        (PUBLIC, None, False),
        (PUBLIC, known(CAROL), True),
        (ANNAS, None, False),
        (ANNAS, known(BEN), False),
        (ANNAS, known(ANNA), True),
        (DORAS, None, False),
    ],
)
@pytest.mark.parametrize("appended", ["", "&b=1"])
def test_a_link_after_its_time_leads_its_user_to_a_fresh_one_and_nobody_else(audience, sender, leads_on, appended):
    gallery = Gallery(OPEN if audience.is_public else FAMILY, sender=sender, holders=LIVES)
    found = outcome(gallery, link_of(gallery, audience, left=-1), appended=appended)
    if leads_on:
        assert (found.audience, found.wanted) == (audience, MEDIUM)
        assert found.expiry >= time.time() + TTL - 1
    else:
        assert found == "expired"


@pytest.mark.parametrize("sender", [None, known(CAROL), known(BEN)])
def test_what_is_closed_to_everybody_leads_on_who_still_may(sender):
    gallery = Gallery(FAMILY, sender=sender)
    found = outcome(gallery, link_of(gallery))
    if sender == known(BEN):
        assert found.audience == Audience(BEN.user_id, SESSIONS[BEN.user_id])
    else:
        assert found == "withdrawn"


def test_what_is_closed_to_its_user_is_closed_whoever_sends_the_link():
    for sender in (None, known(CAROL), known(BEN)):
        gallery = Gallery(FAMILY, sender=sender, holders={SESSIONS[CAROL.user_id]: known(CAROL)})
        link = link_of(gallery, Audience(CAROL.user_id, SESSIONS[CAROL.user_id]))
        for appended in ("", "&b=1"):
            assert outcome(gallery, link, appended=appended) == "withdrawn"


@pytest.mark.parametrize("sender", [None, known(BEN), known(ANNA)])
def test_who_has_nothing_but_a_link_is_led_to_none_that_lives_longer(sender):
    gallery = Gallery(FAMILY, sender=sender, holders=LIVES)
    link = link_of(gallery, ANNAS)
    gallery.size += 1  # it was edited
    found = outcome(gallery, link)
    assert found.fingerprint != link.fingerprint
    assert found.audience == ANNAS
    assert found.expiry >= time.time() + TTL - 1 if sender == known(ANNA) else found.expiry == link.expiry


def test_what_we_did_not_sign_is_refused_and_past_its_time_it_is_no_guess():
    gallery, stranger = Gallery(), LinkSigner(generated())
    assert outcome(gallery, link_of(gallery), signer=stranger) == "forged"
    assert outcome(gallery, link_of(gallery, left=-1), signer=stranger) == "outdated"
    assert outcome(gallery, link_of(gallery), extension="") == "missing"


def test_what_there_is_not_is_refused():
    gallery = Gallery()
    link = link_of(gallery)
    assert outcome(gallery, link, extension="png") == "missing"
    for appended in ("", "&b=1"):
        assert outcome(Gallery(has_photo=False), link, appended=appended) == "missing"
        assert outcome(Gallery(guest_viewer=None), link, appended=appended) == "audience"
    assert outcome(Gallery(guest_viewer=None), link_of(gallery, left=-1)) == "expired"


def test_a_custom_size_is_looked_for_anew_before_it_is_refused():
    listed = replace(SETTINGS, derivatives=replace(DEFAULTS, custom=frozenset({CUSTOM.token()})))
    gallery = Gallery()
    link = replace(link_of(gallery), wanted=Wanted(code="cu", custom=CUSTOM))
    assert outcome(gallery, link) == "missing"
    assert isinstance(outcome(Gallery(anew=listed), link), Link), "to the present version of it"
    assert isinstance(outcome(Gallery(present=listed, anew=None), link), Link), "nor is it read again once it is known"
    gone = replace(link, wanted=MEDIUM)
    never = Gallery(has_photo=False)
    never.settings_anew = None  # for what Piwigo lists from the beginning, it is not read again
    assert outcome(never, gone) == "missing"


def test_a_link_has_one_spelling_to_which_others_lead_who_may_have_it():
    gallery = Gallery()
    link = link_of(gallery)
    assert outcome(gallery, link, query="download") == "picture"
    assert outcome(gallery, link, appended="&b=1") == link
    assert outcome(gallery, link, query="x=1") == link
    for spelled in ({"query": "download&x=1"}, {"appended": "&download"}, {"query": "download=1"}):
        assert outcome(gallery, link, **spelled) == (link, "download")


@pytest.mark.parametrize("extension", ["", "jpg%0d", "jp\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_what_is_no_extension_leads_nowhere(extension):
    gallery = Gallery()
    assert outcome(gallery, link_of(gallery), extension=extension, query="x=1") == "missing"


def close(gallery):
    gallery.albums = ()


@pytest.mark.parametrize(("change", "expected"), [(lambda gallery: None, "picture"), (close, "withdrawn")])
def test_what_took_its_time_is_decided_about_anew(change, expected):
    made, opened = Gallery(), Gallery()
    made.rendering = partial(change, made)
    assert outcome(made, link_of(made)) == expected

    def open_late():
        change(opened)
        opened.late = LONGEST_DECISION + 0.1

    opened.opening = open_late
    assert outcome(opened, link_of(opened, wanted=ORIGINAL)) == expected


async def headers(gallery, link):
    return (await Serving(gallery).get(link)).headers


def test_how_long_who_may_keep_a_picture():
    gallery = Gallery()
    link = link_of(gallery)
    told = asyncio.run(headers(gallery, link))
    assert told["Cache-Control"] in ("public, max-age=300, immutable", "public, max-age=299, immutable")
    assert abs(int(told["X-Accel-Expires"].removeprefix("@")) - time.time()) <= 2
    assert "Cross-Origin-Resource-Policy" not in told
    assert (told["X-Pwgserve"], told["Server"], told["ETag"]) == ("hit", "pwgserve", f'"{link.fingerprint}"')
    hidden = Gallery(FAMILY, holders=LIVES)
    told = asyncio.run(headers(hidden, link_of(hidden, ANNAS)))
    assert told["Cache-Control"].startswith("private, max-age=")
    assert "X-Accel-Expires" not in told
    assert told["Cross-Origin-Resource-Policy"] == "same-site"


def test_an_original_that_was_decided_about_a_while_ago_is_sent_in_that_version_and_kept_by_no_proxy():
    gallery = Gallery()
    gallery.opening = partial(setattr, gallery, "late", AGE_FOR_PROXIES + 0.1)
    told = asyncio.run(headers(gallery, link_of(gallery, wanted=ORIGINAL)))
    assert (told["X-Accel-Expires"], told["X-Pwgserve"]) == ("0", "original")
    sent = gallery.sent
    assert (sent.size, sent.path, sent.internal) == (1000, "/gallery/a.jpg", "originals/upload/a.jpg")
    assert sent.mtime == 10**18, "so that no other version is sent"
    made = Gallery()
    made.rendering = partial(setattr, made, "late", AGE_FOR_PROXIES + 0.1)
    told = asyncio.run(headers(made, link_of(made)))
    assert told["X-Accel-Expires"].startswith("@"), "which was decided anew after it was made"
    assert told["X-Pwgserve"] == "render"


async def test_after_a_no_nothing_is_repeated():
    gallery = Gallery()
    link = await asyncio.to_thread(link_of, gallery)
    serving = Serving(gallery)
    name = f"/photos/pwgs/{SIGNER.sign(link)}.jpg"
    message = make_mocked_request("GET", name)._message

    def is_repeated():
        return serving.repeats.find(message, None, asyncio.get_running_loop().time()) is not None

    await serving.get(link)
    assert is_repeated()
    close(gallery)
    with pytest.raises(RefusedError):
        await serving.get(link)
    assert not is_repeated()
