"""What the plugin writes into pages, and what the daemon makes of it."""

import re
import time

import family
import pytest
from daemon import Daemon
from family import DOCUMENT, FILM, LAKE, NO_ORIGINAL, PARTY, SMALL, USERS, VISIBLE
from links import expiry_of, parts_of, wanted_of
from plugin_side import PluginSide, annas_gallery

PICTURES = set(range(1, 18)) - {DOCUMENT}


def is_signed(url):
    return url.startswith("/pwgs/")


@pytest.mark.parametrize("name", VISIBLE)
def test_pages_hold_links_that_need_no_redirect(plugin, name):
    found = plugin.addresses(name)
    stranger = plugin.daemon.visitor()
    for photo in PICTURES & VISIBLE[name]:
        urls = found["photos"][str(photo)]
        for what in ("sq", "me"):
            assert is_signed(urls[what])
            answer = stranger.get(urls[what])
            assert answer.status == 200, (name, photo, what)
            is_public = photo in VISIBLE["guest"]
            assert answer.headers["cache-control"].startswith("public" if is_public else "private")
            assert parts_of(urls[what])[2].startswith("p" if is_public else f"u{USERS[name]}s")


@pytest.mark.parametrize("name", VISIBLE)
def test_whoever_may_not_see_a_photo_gets_nothing_by_the_links_of_a_page(plugin, name):
    found = plugin.addresses(name)
    for photo in set(range(1, 18)) - VISIBLE[name]:
        for url in found["photos"][str(photo)].values():
            assert parts_of(url)[2:3] != ["p"], "nobody's photo is everybody's"
            assert plugin.daemon.visitor(family.cookie(name)).get(url).status == 404, (name, photo, url)


@pytest.mark.parametrize("name", VISIBLE)
def test_originals_are_for_those_who_may_have_them(plugin, name):
    found = plugin.addresses(name)
    for photo in VISIBLE[name] - {DOCUMENT}:
        answer = plugin.daemon.visitor(family.cookie(name)).follow(found["photos"][str(photo)]["e"])
        assert answer.status == (404 if photo in NO_ORIGINAL.get(name, ()) else 200), (name, photo)


def test_originals_are_public_only_if_guests_may_have_them(plugin):
    plugin.gallery.update("user_infos", {"user_id": 2}, enabled_high="false")
    try:
        time.sleep(2)
        photos = plugin.addresses("anna")["photos"]
        guest = plugin.addresses("guest")["photos"]
        assert parts_of(photos[str(LAKE)]["e"])[2].startswith("u3")
        assert parts_of(photos[str(SMALL)]["e"])[2] == "p", "it is shown as it is"
        assert not is_signed(guest[str(LAKE)]["e"])
        assert plugin.daemon.visitor().get(guest[str(LAKE)]["e"]).status == 404
        assert plugin.daemon.visitor().follow(guest[str(SMALL)]["e"]).status == 200
    finally:
        plugin.gallery.update("user_infos", {"user_id": 2}, enabled_high="true")
        time.sleep(2)


def test_a_film_is_shown_by_its_representative(plugin):
    urls = plugin.addresses("anna")["photos"][str(FILM)]
    assert wanted_of(urls["me"]) == "r-me"
    assert wanted_of(urls["e"]) == "r", "the source of its picture"
    assert plugin.daemon.visitor().get(urls["e"]).headers["content-type"] == "image/jpeg"


def test_all_photos_of_a_page_are_one_question(plugin):
    plugin.addresses("anna")
    assert plugin.addresses("anna")["questions"] == 1


def test_all_photos_of_the_batch_manager_are_one_question(plugin):
    assert plugin.addresses("webmaster", "batch")["questions"] == 1


def test_links_stay_the_same_within_their_time_bucket(plugin):
    assert plugin.addresses("anna") == plugin.addresses("anna")
    assert plugin.addresses("ben")["photos"][str(LAKE)] == plugin.addresses("guest")["photos"][str(LAKE)]
    link = plugin.daemon.visitor().link("/i.php?/" + plugin.gallery.paths[LAKE].replace(".jpg", "-me.jpg"))
    assert link == plugin.addresses("guest")["photos"][str(LAKE)]["me"], "the daemon's own, to the letter"


def test_piwigo_looks_for_no_finished_files_while_links_are_signed(plugin):
    assert plugin.addresses("guest")["style"] == 2


def test_answers_of_the_web_service_are_signed_as_a_whole(plugin):
    found = plugin.addresses("anna", "answer")
    assert found["questions"] == 0, "only when the answer is complete"
    stranger = plugin.daemon.visitor()
    for photo in VISIBLE["anna"]:
        urls = found["photos"][str(photo)]
        # A document's own picture is one of Piwigo's icons.
        own = [url for what, url in urls.items() if photo != DOCUMENT or "url" in what]
        assert all(is_signed(url) for url in own), (photo, urls)
        assert stranger.get(urls["element_url"]).headers["x-pwgserve"] == "original"
        assert stranger.get(urls["download_url"]).headers["content-disposition"].startswith("attachment")
    assert wanted_of(found["photos"][str(FILM)]["element_url"]) == "e"


def test_mails_are_for_their_recipients_and_live_longer(plugin):
    found = plugin.addresses("webmaster", "recipient", str(USERS["anna"]))
    url = found["photos"][str(PARTY)]["me"]
    assert parts_of(url)[2].startswith("u3m")
    assert expiry_of(url) - time.time() > 29 * 86400
    assert plugin.daemon.visitor().get(url).status == 200
    assert parts_of(found["photos"][str(LAKE)]["me"])[2] == "p"
    nobody = plugin.addresses("webmaster", "recipient", str(USERS["carol"]))["photos"][str(PARTY)]["me"]
    assert plugin.daemon.visitor().get(nobody).status == 404


def test_a_mail_that_has_a_second_reader_holds_nobodys_links(plugin):
    """Piwigo writes notification mails as their recipient, and may send the webmaster a copy."""
    anna = str(USERS["anna"])
    urls = re.findall('src="([^"]*)"', plugin.addresses("webmaster", "letter", "anna", anna)["body"])
    assert [parts_of(url)[2][:3] for url in urls] == ["u3m", "p"]
    urls = re.findall('src="([^"]*)"', plugin.addresses("webmaster", "letter", "anna,webmaster", anna)["body"])
    assert len(urls) == 2
    assert not any(is_signed(url) for url in urls)


@pytest.mark.parametrize("name", ["guest", "anna"])
def test_feeds_live_as_long_as_mails(plugin, name):
    found = plugin.addresses(name, "feed")["photos"]
    url = found[str(LAKE if name == "guest" else PARTY)]["me"]
    assert parts_of(url)[2][:3] == ("p" if name == "guest" else "u3m")
    assert expiry_of(url) - time.time() > 29 * 86400
    assert plugin.daemon.visitor().get(url).status == 200


def test_messages_are_in_the_format_that_every_program_shows(plugin, monkeypatch):
    """Whoever sends a mail has a browser that shows AVIF, which says nothing of who reads it."""
    monkeypatch.setenv("ACCEPT", "text/html,image/avif,image/webp,*/*;q=0.8")
    assert plugin.addresses("anna")["photos"][str(PARTY)]["me"].endswith(".avif")
    assert plugin.addresses("anna", "feed")["photos"][str(PARTY)]["me"].endswith(".jpg")
    urls = re.findall('src="([^"]*)"', plugin.addresses("anna", "letter", "ben")["body"])
    assert [is_signed(url) and url.endswith(".jpg") for url in urls] == [True, True]


def test_a_mail_that_was_written_for_several_is_signed_for_each(plugin):
    urls = re.findall('src="([^"]*)"', plugin.addresses("webmaster", "mail", "anna")["body"])
    assert [parts_of(url)[2][:3] for url in urls] == ["u3m", "p"]
    assert [plugin.daemon.visitor().get(url).status for url in urls] == [200, 200]
    for several in ("anna,ben", "stranger", "guest"):
        urls = re.findall('src="([^"]*)"', plugin.addresses("webmaster", "mail", several)["body"])
        assert len(urls) == 2
        assert not any(is_signed(url) for url in urls), "never a link of whoever sends it"


def test_links_of_whoever_sends_a_mail_never_leave_with_it(plugin):
    """Also when a program that knows nothing of the plugin mails what a page holds."""
    urls = re.findall('src="([^"]*)"', plugin.addresses("anna", "letter", "ben")["body"])
    assert [parts_of(url)[2][:3] for url in urls] == ["u4m", "p"]
    assert [plugin.daemon.visitor().get(url).status for url in urls] == [200, 200]
    for others in ("anna,ben", "stranger"):
        private, public = re.findall('src="([^"]*)"', plugin.addresses("anna", "letter", others)["body"])
        assert not is_signed(private)
        assert plugin.daemon.visitor().get(private).status == 404
        assert not is_signed(public), "Piwigo's own address of what is public never ends"
        assert plugin.daemon.visitor().follow(public).status == 200


def test_batch_generation_asks_the_daemon_what_is_missing_and_finishes(plugin):
    plugin.gallery.picture(plugin.gallery.paths[LAKE], (2300, 1500), 77)
    time.sleep(2)
    done = plugin.addresses("webmaster", "missing")
    assert f"photo={LAKE}&size=sq" in done["first"]["urls"][-1], "the newest first, and this one was changed"
    assert done["made"] == {"done": True}
    assert done["rest"].get("urls", []) == done["first"]["urls"][:-1]
    assert done["wrong"] == 1003


def test_a_daemon_on_a_socket_is_asked_in_the_same_way(tmp_path):
    (tmp_path / "gallery").mkdir()
    gallery = annas_gallery(tmp_path / "gallery")
    (tmp_path / "daemon").mkdir()
    listen = f"unix:{tmp_path}/pwgserve.sock"
    daemon = Daemon(gallery, tmp_path / "daemon", {"server": {"listen": listen}}).start()
    try:
        found = PluginSide(gallery, daemon).addresses("anna")
        assert found["problem"] == ""
        link = found["photos"][str(PARTY)]["me"]
        assert is_signed(link)
        # Whose address it is only the web server can tell; sessions of Piwigo are for one.
        answer = daemon.visitor(family.cookie("anna"), X_Forwarded_For="127.0.0.1").get(link)
        assert answer.headers["content-type"] == "image/jpeg"
        assert daemon.visitor(X_Forwarded_For="127.0.0.1").get("/" + gallery.paths[PARTY]).status == 404
    finally:
        daemon.stop()
        gallery.engine.dispose()


def test_a_session_that_the_daemon_cannot_know_yet_gets_piwigos_addresses(plugin):
    assert not is_signed(plugin.addresses("nobodys")["photos"][str(PARTY)]["me"])


def test_an_edited_photo_has_another_link(plugin):
    before = plugin.addresses("guest")["photos"][str(SMALL)]["me"]
    plugin.gallery.picture(plugin.gallery.paths[SMALL], (310, 200), 99)
    time.sleep(2)
    after = plugin.addresses("guest")["photos"][str(SMALL)]["me"]
    assert before != after
    assert plugin.daemon.visitor().get(after).status == 200
    old = plugin.daemon.visitor().get(before)
    assert (old.status, old.location) == (302, after), "an old page costs a redirect, and shows the new picture"


def test_what_programs_append_to_piwigos_addresses_does_no_harm_to_links(plugin):
    url = plugin.addresses("anna")["photos"][str(PARTY)]["me"]
    stranger = plugin.daemon.visitor()
    for appended in (
        "&b=1700000000",
        "&ajaxload=true",
        "&b=1&ajaxload=true",
        "&b=1?ajaxload=true",
        "&",
        "?ajaxload=true",
    ):
        answer = stranger.get(url + appended)
        assert (answer.status, answer.location) == (302, url), "one picture has one address"
        assert answer.headers["cache-control"] == "no-store"
    forged = url[:-5] + ("A" if url[-5] != "A" else "B") + url[-4:]
    assert stranger.get(forged + "&b=1").status == 404
    assert stranger.get(url + "%0d%0aX:%20y&b=1").status == 404


def test_the_leak_probe_says_what_leaks_and_nothing_else(plugin, nobodys_port):
    base = f"http://127.0.0.1:{plugin.daemon.port}/"
    results = plugin.addresses("webmaster", "probe", base, "pwgs")
    assert [one["name"] for one in results if one["is_right"]] == [one["name"] for one in results]
    assert {"derivative", "original", "forged", "control"} <= {one["name"] for one in results}
    with plugin.gallery.config("gallery_locked", "true"):
        names = [one["name"] for one in plugin.addresses("webmaster", "probe", base, "pwgs")]
    assert "control" not in names, "nobody gets a picture of a locked gallery"
    assert plugin.addresses("webmaster", "probe", f"http://127.0.0.1:{nobodys_port}/", "pwgs") == "no_way_out"
