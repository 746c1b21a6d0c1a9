import asyncio
import ipaddress
import socket
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from pwgserve.http.own_server import AHEAD, Ahead, OwnAddresses
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import DEFAULTS
from pwgserve.piwigo.permissions import GalleryRules, Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.plan import RenderRules
from pwgserve.targets import GallerySettings, target


def own_address():
    """An address of this machine on a network, if it has one; else the loopback one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


@pytest.mark.parametrize(
    ("visitor", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        (own_address(), True),
        ("203.0.113.7", False),
        ("2001:db8::1", False),
        ("::ffff:203.0.113.7", False),
        ("255.255.255.255", False),
        ("0.0.0.0", False),
        ("nonsense", False),
        (None, False),
    ],
)
def test_the_machines_own_addresses_are_known_without_sending_anything(visitor, expected):
    assert OwnAddresses().has(visitor, {}) is expected


def test_an_address_over_ipv6_is_asked_for_over_ipv6(monkeypatch):
    """Few machines that run tests have one."""

    class Probe:
        def __init__(self, family, kind):
            assert family == socket.AF_INET6

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def connect(self, address):
            pass

        def getsockname(self):
            return ("2001:db8::5", 9)

    monkeypatch.setattr("pwgserve.http.own_server.socket.socket", Probe)
    assert OwnAddresses().has("2001:db8::5", {})
    assert not OwnAddresses().has("2001:db8::6", {})


def test_the_owner_may_name_further_ones():
    further = [ipaddress.ip_network("198.51.100.0/24"), ipaddress.ip_network("2001:db8::/64")]
    addresses = OwnAddresses(further)
    assert addresses.has("198.51.100.9", {})
    assert addresses.has("2001:db8::9", {})
    assert not addresses.has("198.51.101.9", {})


def test_who_brings_a_cookie_is_a_visitor():
    assert not OwnAddresses().has("127.0.0.1", {"Cookie": "pwg_id=x"})


def test_what_is_remembered_of_strangers_is_bounded(monkeypatch):
    from pwgserve.http import own_server

    monkeypatch.setattr(own_server, "KEPT", 10)
    addresses = OwnAddresses()
    for number in range(100):
        addresses.has(f"203.0.113.{number}", {})
    assert len(addresses._known) <= 10


AVIF = Wanted(code="me", encoding="avif")


@dataclass(frozen=True)
class Picture:
    """A target, as far as it is looked at before its file is."""

    plan: str | None = "a plan"
    wanted: Wanted = AVIF


class Stuck:
    """Sources and derivatives that never come to an end; counts what is under way."""

    def __init__(self):
        self.begun = 0

    async def version(self, found):
        self.begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.begun -= 1


async def test_a_flood_of_such_requests_makes_one_picture_at_a_time_and_few_wait():
    stuck = Stuck()
    ahead = Ahead(stuck, stuck, ())
    picture = Picture()
    for _ in range(1000):
        ahead.ask(picture, None)
        await asyncio.sleep(0)
    assert stuck.begun == 1
    assert ahead._wanted.qsize() == AHEAD
    async with asyncio.timeout(30):
        await ahead.close()
    assert stuck.begun == 0, "nothing goes on behind the back of who closes it"


async def test_nothing_is_made_of_what_has_no_sizes_or_does_not_exist():
    ahead = Ahead(None, None, ())
    ahead.ask(None, None)
    ahead.ask(Picture(plan=None), None)
    assert ahead._wanted.empty()
    await ahead.close()


class Making:
    """Sources and derivatives that are made at once."""

    def __init__(self):
        self.made = []
        self.clients = set()
        self.open = 0

    async def version(self, found):
        return "its version"

    async def get(self, found, version, client, settings):
        self.made.append(found.extension)
        self.clients.add(client)
        self.open += 1
        return self

    def close(self):
        self.open -= 1


async def test_it_makes_what_browsers_and_old_programs_get_keeps_nothing_of_it_and_lets_everybody_go_first():
    settings = GallerySettings(PiwigoConf(), DEFAULTS, GalleryRules(), RenderRules())
    photo = Photo(1, "./upload/a.jpg", "a.jpg", 0, 3000, 2000, 0, None, None, ())
    making = Making()
    ahead = Ahead(making, making, ("avif", "webp"))
    ahead.ask(target(photo, Wanted(code="me"), settings), settings)
    async with asyncio.timeout(30):
        while len(making.made) < 2:
            await asyncio.sleep(0.01)
    await ahead.close()
    assert sorted(making.made) == ["avif", "jpg"]
    assert all(client.is_bulk for client in making.clients)
    assert making.open == 0


async def test_one_photos_trouble_does_not_end_it_for_the_others():
    class Troubled(Stuck):
        async def version(self, found):
            self.begun += 1
            raise RuntimeError

    troubled = Troubled()
    ahead = Ahead(troubled, troubled, ())
    with capture_logs() as told:
        for _ in range(3):
            ahead.ask(Picture(), None)
        async with asyncio.timeout(30):
            while troubled.begun < 3:
                await asyncio.sleep(0.01)
        await ahead.close()
    assert [one["error"] for one in told] == ["RuntimeError"] * 3
