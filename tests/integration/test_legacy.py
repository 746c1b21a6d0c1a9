import json
import time

import family
import pytest
import pyvips
from daemon import TTL
from family import FILM, LAKE, PARTY, SMALL
from links import expiry_of, wanted_of


@pytest.fixture
def anna(daemon):
    return daemon.visitor(family.cookie("anna"))


def derivative(gallery, photo, code="me"):
    return gallery.paths[photo].replace(".jpg", f"-{code}.jpg")


@pytest.mark.parametrize("form", ["i.php?/{}", "i.php?{}", "i?/{}", "i.php/{}", "i/{}", "_data/i/{}", "/i/{}"])
def test_every_form_of_a_derivatives_address_leads_to_the_same_signed_url(daemon, gallery, form):
    path = derivative(gallery, LAKE)
    expected = daemon.visitor().link(f"/i.php?/{path}")
    if form == "/i/{}":
        assert daemon.visitor().get(f"//i/{path}").status == 404  # another address, not this gallery's
    else:
        assert daemon.visitor().link("/" + form.format(path)) == expected


@pytest.mark.parametrize("code", ["sq", "th", "2s", "xs", "sm", "me", "la", "xl", "xx"])
def test_every_standard_type_is_served(daemon, gallery, code):
    link = daemon.visitor().link(f"/i.php?/{derivative(gallery, LAKE, code)}")
    assert wanted_of(link) == code


@pytest.mark.parametrize("code", ["3x", "4x", "zz", "ME", ""])
def test_types_that_the_gallery_has_not_are_malformed(daemon, gallery, code):
    assert daemon.visitor().get(f"/i.php?/{derivative(gallery, LAKE, code)}").status == 400


def test_percent_encoding_changes_nothing(daemon, gallery):
    path = derivative(gallery, LAKE)
    encoded = path.replace("upload", "%75pload").replace("/", "%2F")
    assert daemon.visitor().link(f"/i.php?/{encoded}") == daemon.visitor().link(f"/i.php?/{path}")


def test_the_redirect_is_kept_by_the_browser_and_by_no_shared_cache(anna, gallery):
    before = time.time()
    answer = anna.get(f"/i.php?/{derivative(gallery, PARTY)}")
    directives = answer.headers["cache-control"].split(", ")
    assert directives[0] == "private"
    assert answer.headers["vary"] == "Cookie, Accept"
    max_age = int(directives[1].removeprefix("max-age="))
    assert 0 <= max_age <= TTL // 2
    link_changes = expiry_of(answer.location) - TTL
    assert before - 1 <= link_changes - max_age <= time.time() + 1, "whole seconds"


def test_the_same_viewer_gets_the_same_url_again(anna, gallery):
    path = f"/i.php?/{derivative(gallery, PARTY)}"
    assert anna.link(path) == anna.link(path)


def test_a_link_lives_between_ttl_and_one_and_a_half_ttl(anna, gallery):
    before = time.time()
    expiry = expiry_of(anna.link(f"/i.php?/{derivative(gallery, PARTY)}"))
    assert before + TTL <= expiry <= time.time() + TTL + TTL // 2


def test_b_asks_for_an_answer_that_is_not_kept(anna, gallery):
    assert anna.get(f"/i.php?/{derivative(gallery, PARTY)}&b=123").headers["cache-control"] == "no-store"


def test_ajaxload_gets_the_absolute_url_as_json(daemon, anna, gallery):
    answer = anna.get(f"/i.php?/{derivative(gallery, PARTY)}&ajaxload=true")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    # As a no: or else a page of another site could tell the two apart.
    assert answer.headers["cross-origin-resource-policy"] == "same-site"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"].startswith("private, max-age=")
    uncached = anna.get(f"/i.php?/{derivative(gallery, PARTY)}&ajaxload=true&b=1")
    assert (uncached.status, uncached.headers["cache-control"]) == (200, "no-store")
    base = f"http://127.0.0.1:{daemon.port}"
    assert json.loads(answer.body) == {"url": base + anna.link(f"/i.php?/{derivative(gallery, PARTY)}")}


def test_ajaxload_refuses_like_everything_else(daemon, gallery):
    assert daemon.visitor().get(f"/i.php?/{derivative(gallery, PARTY)}&ajaxload=true").status == 404


def test_a_derivative_like_its_original_is_the_original(daemon, gallery):
    link = daemon.visitor().link(f"/i.php?/{derivative(gallery, SMALL)}")
    assert wanted_of(link) == "e"
    assert daemon.visitor().get(link).body == (gallery.root / gallery.paths[SMALL]).read_bytes()


def test_action_php_gives_the_original_and_the_representative(anna, gallery):
    original = anna.follow(f"/action.php?id={FILM}&part=e")
    assert original.headers["content-type"] == "video/mp4"
    representative = anna.follow(f"/action.php?id={FILM}&part=r")
    assert representative.headers["content-type"] == "image/jpeg"
    assert representative.body == (gallery.root / "upload/2026/05/14/pwg_representative/film.jpg").read_bytes()


def test_a_download_is_saved_under_the_owners_name(anna):
    answer = anna.follow(f"/action.php?id={FILM}&part=e&download")
    assert answer.headers["content-disposition"] == 'attachment; filename="First steps.mp4"'


@pytest.mark.parametrize(
    "query",
    ["", "id=1", "part=e", "id=x&part=e", "id=1&part=x", "id=1&part=", "id[]=1&part=e", "id=1%27&part=e"],
)
def test_action_php_with_wrong_parameters_is_malformed(daemon, query):
    assert daemon.visitor().get(f"/action.php?{query}").status == 400


@pytest.mark.parametrize("query", ["id=999999&part=e", "id=0&part=e", "id=-1&part=e", "id=1.5&part=e", "id=1&part=f"])
def test_action_php_for_nothing_is_a_refusal(daemon, query):
    assert daemon.visitor().get(f"/action.php?{query}").status == 404


@pytest.mark.parametrize(("written", "base"), [("photos", "/photos"), ("für uns", "/f%C3%BCr%20uns")])
def test_a_gallery_in_a_sub_path_answers_there_and_nowhere_else(gallery, start, written, base):
    daemon = start(gallery, server={"public_url": f"https://example.org/{written}/"})
    path = derivative(gallery, LAKE)
    link = daemon.visitor().link(f"{base}/i.php?/{path}")
    assert link.startswith(f"{base}/pwgs/")
    assert daemon.visitor().get(link).status == 200
    assert daemon.visitor().get(f"/i.php?/{path}").status == 404
    assert daemon.visitor().get(link.removeprefix(base)).status == 404
    answer = daemon.visitor().get(f"{base}/i.php?/{path}&ajaxload=true")
    assert json.loads(answer.body)["url"] == "https://example.org" + link


def test_a_custom_size_is_served_only_if_the_gallery_has_used_it(daemon, gallery, settled):
    custom = derivative(gallery, LAKE, "cu_e300x200")
    assert daemon.visitor().get(f"/i.php?/{custom}").status == 404
    row = 'a:2:{s:1:"d";a:1:{s:6:"medium";O:16:"DerivativeParams":2:{s:13:"last_mod_time";i:1;s:6:"sizing";'
    row += 'O:12:"SizingParams":3:{s:10:"ideal_size";a:2:{i:0;i:792;i:1;i:594;}s:8:"max_crop";i:0;'
    row += 's:8:"min_size";N;}}}s:1:"c";a:1:{s:8:"e300x200";i:1;}}'
    with gallery.config("derivatives", row):
        # At once: Piwigo lists a size while it writes the first page that holds it.
        assert daemon.visitor().follow(f"/i.php?/{custom}").status == 200
        assert daemon.visitor().get(f"/i.php?/{derivative(gallery, LAKE, 'cu_e301x200')}").status == 404
        assert daemon.visitor().get(f"/i.php?/{derivative(gallery, LAKE, 'th')}").status == 400
        link = daemon.visitor().link(f"/i.php?/{custom}")
    settled()
    assert daemon.visitor().get(link).status == 404
    with gallery.config("derivatives", row):
        assert daemon.visitor().get(link).status == 200, "as the plugin's link, which is in that first page"
    settled()


def test_icons_of_themes_and_plugins_are_public_and_nothing_else_beside_them_is(daemon, gallery):
    for folder in ("themes/default/icon/mimetypes", "plugins/zip/icons"):
        gallery.picture(f"{folder}/tar.gz.png", (300, 200))
        (gallery.root / folder / "code.php").write_text("<?php secret();")
        for outcome in ("render", "hit"):
            answer = daemon.visitor().get(f"/i.php?/{folder}/tar.gz-sq.png")
            assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
            assert answer.headers["cache-control"] == "private, max-age=86400"
            assert answer.headers["cross-origin-resource-policy"] == "same-site"
            assert answer.headers["content-disposition"] == 'inline; filename="tar.gz-square.png"'
            assert answer.headers["x-pwgserve"] == outcome
        upright = pyvips.Image.new_from_buffer(daemon.visitor().get(f"/i.php?/{folder}/tar.gz-th.png").body, "")
        assert (upright.width, upright.height) == (144, 96)
        asked = daemon.visitor().get(f"/i.php?/{folder}/tar.gz-sq.png&ajaxload=true")
        assert asked.headers["cross-origin-resource-policy"] == "same-site"
        assert (asked.headers["cache-control"], asked.headers["x-content-type-options"]) == ("no-store", "nosniff")
        assert asked.headers["server"] == answer.headers["server"] == "pwgserve"
        url = f"http://127.0.0.1:{daemon.port}"
        assert json.loads(asked.body) == {"url": f"{url}/i.php?/{folder}/tar.gz-sq.png"}
        assert daemon.visitor().get(f"/i.php?/{folder}/code-sq.php").status == 404
        assert daemon.visitor().get(f"/i.php?/{folder}/missing-sq.png").status == 404
        assert daemon.visitor().get(f"/{folder}/tar.gz.png").status == 404, "the web server's own"
    (gallery.root / "themes/out.jpg").symlink_to(gallery.root / gallery.paths[PARTY])
    assert daemon.visitor().get("/i.php?/themes/out-sq.jpg").status == 404


@pytest.mark.parametrize("folder", ["plugins/photos", "themes/photos"])
def test_a_photo_is_no_icon_wherever_it_lies(daemon, gallery, folder):
    """Uploads, or a further site of Piwigo, may lie below these folders, too."""
    with gallery.restored():
        hidden = f"/i.php?/{gallery.photo(41, (family.ANNAS,), path=f'{folder}/hidden.jpg')}".replace(".jpg", "-me.jpg")
        assert daemon.visitor().get(hidden).status == 404
        assert daemon.visitor().get(f"{hidden}&ajaxload=true").status == 404


def test_a_locked_gallery_keeps_even_its_icons(gallery, start):
    gallery.picture("themes/default/icon/mimetypes/zip.png", (300, 200))
    locked = start(gallery, access={"lockdown": True})
    address = "/i.php?/themes/default/icon/mimetypes/zip-sq.png"
    assert locked.visitor().get(address).status == 404
    assert locked.visitor(family.cookie("carol")).get(address).status == 200


def test_a_small_photo_that_tells_where_it_was_taken_is_served_without_that(daemon, gallery, start, settled):
    path = gallery.photo(40, (family.PUBLIC,), (300, 200))
    image = pyvips.Image.new_from_file(str(gallery.root / path)).copy_memory().copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "47/1 0/1 0/1")
    image.jpegsave(str(gallery.root / path))
    address = "/i.php?/" + path.replace(".jpg", "-me.jpg")
    answer = daemon.visitor().follow(address)
    assert answer.headers["x-pwgserve"] == "render"
    sent = pyvips.Image.new_from_buffer(answer.body, "")
    assert (sent.width, sent.height) == (300, 200)
    assert not sent.get_typeof("exif-ifd3-GPSLatitude")
    original = daemon.visitor().follow(f"/{path}").body
    assert original == (gallery.root / path).read_bytes(), "originals stay as they are"
    open_minded = start(gallery, render={"strip_gps": False})
    assert open_minded.visitor().follow(address).headers["x-pwgserve"] == "original"
