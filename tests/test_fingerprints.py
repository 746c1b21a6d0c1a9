from dataclasses import replace

import pytest

from pwgserve import fingerprints
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import DEFAULTS, DerivativeParams, Watermark
from pwgserve.piwigo.permissions import GalleryRules, Photo
from pwgserve.piwigo.wanted import Wanted
from pwgserve.render.plan import RenderRules
from pwgserve.targets import GallerySettings, target
from pwgserve.versions import SourceFacts, Version

PHOTO = Photo(5, "./upload/a.jpg", "A.jpg", 0, 4000, 3000, 0, None, None, ())
SOURCE = SourceFacts("upload/a.jpg", 1000, 1_790_000_000_000_000_000)
SETTINGS = GallerySettings(PiwigoConf(), DEFAULTS, GalleryRules(), RenderRules())


def facts(photo=PHOTO, settings=SETTINGS, source=SOURCE, mark=None, code="sq"):
    found = target(photo, Wanted(code=code), settings)
    return fingerprints.facts(found, Version((), source.mtime // 10**9, source, mark), settings.derivatives)


def with_sizes(**changes):
    return replace(SETTINGS, derivatives=replace(DEFAULTS, **changes))


@pytest.mark.parametrize(
    "changed",
    [
        {"photo": replace(PHOTO, rotation=1)},
        {"photo": replace(PHOTO, rotation=None)},
        {"photo": replace(PHOTO, coi="bcde")},
        {"source": replace(SOURCE, size=1001)},
        {"source": replace(SOURCE, mtime=SOURCE.mtime + 10**9)},
        {"settings": with_sizes(quality=80)},
        {"settings": with_sizes(types={"sq": DerivativeParams((121, 120), 1, (120, 120))})},
        {"settings": with_sizes(types={"sq": DerivativeParams((120, 120), 0.9, (120, 120))})},
        {"settings": with_sizes(types={"sq": DerivativeParams((120, 120), 1, (100, 120))})},
        {"settings": with_sizes(types={"sq": DerivativeParams((120, 120), 1, (120, 120), sharpen=1)})},
        {"settings": with_sizes(watermark=Watermark("a.png", (1, 1))), "mark": SOURCE},
        {"settings": replace(SETTINGS, render=RenderRules(strip_gps=False))},
        {"settings": replace(SETTINGS, render=RenderRules(animate=True))},
        {"settings": replace(SETTINGS, render=RenderRules(keep_metadata_from=1))},
    ],
)
def test_whatever_changes_a_picture_changes_its_facts(changed):
    assert facts(**changed) != facts()


@pytest.mark.parametrize(
    "changed",
    [{"file": "b.png"}, {"xpos": 1}, {"ypos": 1}, {"xrepeat": 1}, {"yrepeat": 1}, {"opacity": 1}, {"min_size": (2, 2)}],
)
def test_whatever_changes_a_watermark_changes_the_facts_of_what_carries_it(changed):
    mark = Watermark("a.png", (1, 1))
    before = facts(settings=with_sizes(watermark=mark), mark=SOURCE)
    assert facts(settings=with_sizes(watermark=replace(mark, **changed)), mark=SOURCE) != before
    assert facts(settings=with_sizes(watermark=mark), mark=replace(SOURCE, size=9)) != before
    assert facts(settings=with_sizes(watermark=mark), mark=replace(SOURCE, mtime=0)) != before


def test_what_changes_nothing_in_a_picture_leaves_its_facts():
    assert facts(photo=replace(PHOTO, level=8, file="B.jpg")) == facts()
    assert facts(code="me", photo=replace(PHOTO, coi="bcde")) == facts(code="me"), "nothing is cropped"
    assert facts(settings=with_sizes(types=DEFAULTS.types | {"me": DerivativeParams((1, 1))})) == facts()


def test_the_rules_have_a_short_name_that_leaves_out_what_the_plugin_knows_itself():
    assert fingerprints.rules_digest(RenderRules(keep_metadata_from=1)) == fingerprints.rules_digest(RenderRules())
    assert len(fingerprints.rules_digest(RenderRules())) == 16
