"""Names of the cache: different pictures never share one, and nobody outside can make or guess one."""

import itertools
import re

import family
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import SECRET, comparable

from pwgserve.cache.store import Cache

facts = st.lists(st.text(max_size=6) | st.sampled_from(["", "1:", "1:a", "2:ab", ":", "0:", "a\0b"]), max_size=5)


@settings(max_examples=300)
@given(facts, facts)
def test_different_pictures_never_share_a_name_in_the_cache(tmp_path_factory, one, other):
    """Also where the facts of both, written one behind the other, are the same text."""
    cache = Cache(tmp_path_factory.getbasetemp() / "names", b"k" * 32, 10**6)
    assert (cache.name(*one) == cache.name(*other)) == (one == other)


@given(st.lists(st.text(max_size=30), max_size=6), st.binary(min_size=1, max_size=40))
def test_a_name_is_a_place_below_the_folder_and_depends_on_the_key(tmp_path_factory, one, key):
    cache = Cache(tmp_path_factory.getbasetemp() / "names", key, 10**6)
    assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}", cache.name(*one))
    assert cache.name(*one) != Cache(tmp_path_factory.getbasetemp() / "names", key + b"x", 10**6).name(*one)


@pytest.fixture(scope="module")
def names(daemon, gallery):
    """The files of the cache, with private pictures among them."""
    anna = daemon.visitor(family.cookie("anna"))
    for photo, code in itertools.product((family.PARTY, family.LETTER, family.LAKE), ("sq", "th", "me")):
        assert anna.follow(f"/i.php?/{gallery.paths[photo].replace('.jpg', f'-{code}.jpg')}").status == 200
    folder = daemon.directory / "cache"
    found = [file.relative_to(folder) for file in folder.glob("??/??/*") if file.is_file()]
    assert len(found) >= 9
    return found


def test_what_a_visitor_may_choose_never_chooses_a_file_of_the_cache(daemon, names, no):
    """Even who knows a file's name, which nobody can, gets nothing for it at any address."""
    for name in names[:4]:
        flat = str(name).replace("/", "")
        for target in (
            f"/{name}",
            f"/cache/{name}",
            f"/_data/i/{name}",
            f"/_pwgserve/cache/{name}",
            f"/pwgs/{flat}",
            f"/pwgs/{flat}.jpg",
            f"/upload/{name}.jpg",
            f"/upload/../cache/{name}",
            f"/i.php?/upload/{flat}-me.jpg",
        ):
            answer = daemon.visitor().get(target)
            assert answer.status == 400 or comparable(answer) == no, target


def test_headers_and_queries_make_no_other_picture(daemon, gallery, names):
    """Whatever a visitor adds: one picture has one file, so that nobody can fill the cache with copies of one."""
    folder = daemon.directory / "cache"
    before = {file for file in folder.glob("??/??/*") if file.is_file()}
    path = gallery.paths[family.LAKE].replace(".jpg", "-me.jpg")
    link = daemon.visitor().link(f"/i.php?/{path}")
    for query in ("", "?download", "?x=1", "?download&x", "?w=9999", "#x", "?%00"):
        answer = daemon.visitor().get(link + query)
        is_led = answer.status == 302 and answer.location in (link, f"{link}?download")
        assert is_led or answer.status in (200, 400, 404), "one spelling, or caches hold many copies"
        assert SECRET not in answer.body
    for target in (
        f"/i.php?/{path}&b=1",
        f"/i.php?/{path}&w=1&h=2",
        f"/i.php?/{path}&x=/../../secret",
        f"/i/{path}?q=1",
    ):
        assert daemon.visitor().follow(target).status == 200
    for headers in (
        {"Width": "9"},
        {"DPR": "4"},
        {"Viewport_Width": "9"},
        {"Save_Data": "on"},
        {"Accept_Language": "x"},
    ):
        assert daemon.visitor().get(link, **headers).status == 200
    assert {file for file in folder.glob("??/??/*") if file.is_file()} == before


def test_a_link_with_a_query_leads_to_the_link_and_who_wanted_to_save_still_does(daemon, gallery):
    link = daemon.visitor().link("/i.php?/" + gallery.paths[family.LAKE].replace(".jpg", "-me.jpg"))
    for query in ("?1", "?x=2", "?x=download", "?downloads", "&b=1"):
        answer = daemon.visitor().get(link + query)
        assert (answer.status, answer.location) == (302, link)
    for query in ("?download&x", "?download=1", "?download=&b=1", "?b=1&download", "&download", "&b=1?download"):
        answer = daemon.visitor().get(link + query)
        assert (answer.status, answer.location) == (302, f"{link}?download"), query
    assert daemon.visitor().get(link + "?download").status == 200
    private = daemon.visitor(family.cookie("anna")).link("/action.php?id=2&part=e")
    changed = private[:-12] + ("A" if private[-12] != "A" else "B") + private[-11:]
    assert daemon.visitor().get(changed + "?x").status == 404
