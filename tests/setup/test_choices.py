"""What `init` takes of what it found when nobody is there to ask."""

from dataclasses import replace
from pathlib import Path

import pytest

from pwgserve.commands.choices import Given, InitError, send_file, url
from pwgserve.setup.machine import WebSeen
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.templates import WebServer

GIVEN = Given(Path("/srv"), Path("/etc/x.toml"), None, None, None, None, None, None, None, True, False, False)


def seen(*urls):
    sites = tuple(FoundSite(WebServer.NGINX, Path("/etc/nginx/x"), 1, one, False) for one in urls)
    return WebSeen(WebServer.NGINX, Path("/etc/nginx"), True, None, sites)


def test_the_only_address_is_taken_and_of_several_none_is_guessed():
    assert url(GIVEN, {}, seen("http://a.test/", "https://a.test/")) == "https://a.test/"
    with pytest.raises(InitError, match="several sites show this folder; give the one that visitors type: https"):
        url(GIVEN, {}, seen("https://a.test/", "https://b.test/x/"))
    assert url(replace(GIVEN, url="https://b.test/x/"), {}, seen("https://a.test/", "https://b.test/x/"))
    known = {"server": {"public_url": "https://b.test/x/"}}
    assert url(GIVEN, known, seen("https://a.test/", "https://b.test/x/")) == "https://b.test/x/"
    for nothing in (None, seen(), seen("")):
        with pytest.raises(InitError, match="no site of a web server here shows this folder by a name"):
            url(GIVEN, {}, nothing)


@pytest.mark.parametrize(
    ("before", "server", "expected"),
    [
        ("x-accel-redirect", WebServer.NGINX, "x-accel-redirect"),
        ("x-sendfile", WebServer.APACHE, "x-sendfile"),
        ("direct", WebServer.NGINX, "direct"),
        ("x-accel-redirect", WebServer.APACHE, "direct"),
        ("x-accel-redirect", WebServer.CADDY, "direct"),
        ("x-sendfile", WebServer.NGINX, "direct"),
        ("x-sendfile", None, "x-sendfile"),
        (None, None, "direct"),
        (None, WebServer.CADDY, "direct"),
    ],
)
def test_who_sends_files_stays_unless_another_web_server_would_send_empty_pictures(before, server, expected):
    known = {"server": {"send_file": before}} if before else {}
    assert send_file(GIVEN, known, server, None) == expected
    assert send_file(replace(GIVEN, send_file="x-sendfile"), known, server, None) == "x-sendfile"
