"""What becomes of a rendering when things fail that cannot be made to fail from outside."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest

from pwgserve.answers.sources import Sources
from pwgserve.cache.store import Cache
from pwgserve.finished import Derivatives
from pwgserve.originals import Originals
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import DEFAULTS
from pwgserve.piwigo.permissions import GalleryRules, Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.plan import RenderRules
from pwgserve.render.turns import Client
from pwgserve.shortage import ShortageError
from pwgserve.targets import GallerySettings, target

SETTINGS = GallerySettings(PiwigoConf(), DEFAULTS, GalleryRules(guest_access=True, gallery_locked=False), RenderRules())


class Contended(Cache):
    """Another process is making what is wanted; once it has ended, the machine has no descriptor left for a look."""

    def __init__(self, directory):
        super().__init__(directory, b"k" * 32, 10**9)
        self.looks = self.claims = 0
        self.is_claimed = False

    def get(self, name):
        self.looks += 1
        if self.looks > 1:
            raise ShortageError
        return super().get(name)

    def claim(self, name):
        self.claims += 1
        self.is_claimed = self.claims > 1
        return self.is_claimed

    def release(self, name):
        self.is_claimed = False


class NoPool:
    def on_its_way(self, file):
        return nullcontext()

    def join(self, job, client):
        pass


def test_a_claim_is_given_back_when_looking_fails(tmp_path):
    (tmp_path / "upload").mkdir()
    (tmp_path / "upload/1.jpg").write_bytes(b"a photo")
    photo = Photo(1, "./upload/1.jpg", "1.jpg", 0, 4000, 3000, 0, None, None, ())
    cache = Contended(tmp_path / "cache")
    sources = Sources(Originals(tmp_path, ["upload"]), Originals(tmp_path, ["upload"]))
    derivatives = Derivatives(cache, NoPool(), sources, lambda seconds: None)
    found = target(photo, Wanted(code="th"), SETTINGS)

    async def ask():
        await derivatives.get(found, await sources.version(found), Client("somebody"))

    with pytest.raises(ShortageError):
        asyncio.run(ask())
    assert cache.claims == 2
    # Or no other process would ever make it again, and whoever asked one would wait for ever.
    assert not cache.is_claimed
