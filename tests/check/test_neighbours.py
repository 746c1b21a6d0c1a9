"""Further sites that show the gallery, as people write them: each must be tried by its own name and at its own port."""

from pathlib import Path

import pytest
from written import below, config

from pwgserve.check.neighbours import neighbours
from pwgserve.setup.sites import sites_in
from pwgserve.setup.templates import WebServer

ROOT = Path("/var/www/photos")
URL = "https://example.org/photos/"


def found(server, text, here=(), url=URL):
    sites = sites_in(config(server, text), below(ROOT))
    return [
        (one.url, str(one.site.line), [(door.origin, door.host) for door in one.doors], one.is_inside)
        for one in neighbours(sites, url, here)
        if not one.is_protected
    ]


NGINX_OWN = """server {
    listen 443 ssl;
    server_name example.org;
    root /var/www;
    include snippets/pwgserve.conf;
}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "server {\n listen 443 ssl;\n server_name www.example.org;\n root /var/www;\n}",
            [("https://www.example.org/photos/", "7", [("https://example.org", "www.example.org"), ("https://www.example.org", "www.example.org")], False)],
        ),
        (
            "server {\n listen 192.0.2.7:8443 ssl;\n server_name _;\n location /pics/ { alias /var/www/photos/; }\n}",
            [("https://*:8443/pics/", "7", [("https://192.0.2.7:8443", "pwgserve-check.invalid:8443")], False)],
        ),
        (
            "server {\n listen 80;\n listen [::]:80;\n server_name .other.test;\n root /var/www/photos;\n}",
            [("http://check.other.test/", "7", [("http://example.org", "check.other.test"), ("http://check.other.test", "check.other.test")], False)],
        ),
        ("server {\n listen 127.0.0.1:8080;\n root /var/www;\n}", [("http://*:8080/photos/", "7", [("http://127.0.0.1:8080", "pwgserve-check.invalid:8080")], True)]),
        ("server {\n listen 80;\n server_name www.example.org;\n return 301 https://example.org$request_uri;\n}", []),
        ("server {\n listen 80;\n server_name blog.example.org;\n root /var/www/blog;\n}", []),
        ("server {\n listen 443 ssl;\n server_name www.example.org;\n root /var/www;\n include snippets/pwgserve.conf;\n}", []),
        ("# server {\n# root /var/www;\n#}", []),
    ],
)  # fmt: skip
def test_sites_of_nginx(text, expected):
    assert found(WebServer.NGINX, NGINX_OWN + text) == expected


def test_a_site_in_a_folder_with_an_umlaut_is_asked_as_browsers_ask():
    text = (NGINX_OWN + NGINX_OWN.replace("server_name ", "server_name www.")).replace("root", "location /für/ { alias")
    text = text.replace("alias /var/www;", "alias /var/www/photos/; }")
    sites = sites_in(config(WebServer.NGINX, text), below(ROOT))
    own, other = neighbours(sites, "https://example.org/f%C3%BCr/", ["192.0.2.7"])
    assert (own.is_protected, other.is_protected) == (True, True)
    assert [door.origin for door in own.doors] == ["https://192.0.2.7"], "its own address is tried anyway"
    assert {door.bases for door in other.doors} == {("/f%C3%BCr/",)}


def test_sites_of_apache():
    text = "<VirtualHost *:8443>\nServerName www.example.org\nSSLEngine on\nDocumentRoot /var/www\n</VirtualHost>"
    doors = [
        ("https://example.org:8443", "www.example.org:8443"),
        ("https://www.example.org:8443", "www.example.org:8443"),
    ]
    assert found(WebServer.APACHE, text) == [("https://www.example.org:8443/photos/", "1", doors, False)]


def test_a_site_that_seems_to_redirect_is_tried_as_well():
    redirect = "<If \"-n req('X')\">\nRedirect / https://example.org/\n</If>"
    text = f"<VirtualHost *:80>\nServerName b.test\nDocumentRoot /var/www\n{redirect}\n</VirtualHost>"
    (one,) = neighbours(sites_in(config(WebServer.APACHE, text), below(ROOT)), URL)
    assert (one.is_protected, len(one.doors)) == (True, 2)


def test_a_site_of_apache_is_where_apache_listens():
    text = "<VirtualHost *:8080>\nServerName b.test\nDocumentRoot /var/www\n</VirtualHost>"
    for listen, is_inside in (("127.0.0.1:8080", True), ("8080", False), ("127.0.0.1:8080\nListen 8080", False)):
        (one,) = found(WebServer.APACHE, f"Listen {listen}\n{text}")
        assert one[3] is is_inside


def test_sites_of_caddy():
    text = "www.example.org, http://old.example.org {\n\troot * /var/www\n\tfile_server\n}"
    assert [one[0] for one in found(WebServer.CADDY, text)] == [
        "https://www.example.org/photos/",
        "http://old.example.org/photos/",
    ]


def test_the_gallerys_own_site_is_tried_anyway():
    own = NGINX_OWN.replace("    include snippets/pwgserve.conf;\n", "    location / { proxy_pass http://pwgserve; }\n")
    assert found(WebServer.NGINX, own) == []
    other = NGINX_OWN.replace("include snippets/pwgserve.conf;", "").replace("example.org", "www.example.org")
    assert found(WebServer.NGINX, other) != []


def doors(text, here=("192.0.2.9", "2001:db8::9")):
    sites = sites_in(config(WebServer.NGINX, text), below(ROOT))
    return [(one.is_protected, [door.origin for door in one.doors]) for one in neighbours(sites, URL, here)]


def test_what_listens_at_any_address_of_this_machine_is_asked_there_too():
    # Also the gallery's own: a name leads to one of the addresses, and not each site listens at all of them.
    assert doors(NGINX_OWN) == [(True, ["https://192.0.2.9", "https://[2001:db8::9]"])]
    assert doors(NGINX_OWN, here=()) == []
    other = NGINX_OWN.replace("example.org", "b.test").replace("443", "192.0.2.7:443")
    assert doors(other) == [(True, ["https://192.0.2.7", "https://b.test"])]


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ("~^(www\\.)?example\\.org$", "example.org"),
        ("~^(?<who>.+)\\.example\\.org$", "www.example.org"),
        ("~^\\d+\\.test$ plain.test", "plain.test"),
        ("~^\\d+\\.test$", None),
        ("~[", None),
        ("www.example.*", "www.example.test"),
        ("'quoted.test'", "quoted.test"),
        ("_", "pwgserve-check.invalid"),
    ],
)
def test_names_by_which_a_site_may_be_asked_for(names, name):
    (one,) = neighbours(
        sites_in(config(WebServer.NGINX, f"server {{ server_name {names}; root /var/www; }}"), below(ROOT)), URL
    )
    assert {door.host for door in one.doors} == ({name} if name else set())


@pytest.mark.parametrize(
    ("lines", "is_protected"),
    [
        ("root /var/www; include snippets/pwgserve.conf;", True),
        ("root /var/www;", False),
        ("root /var/www/photos; include snippets/pwgserve.conf;", False),
        ("location /pics/ { alias /var/www/photos/; } include snippets/pwgserve.conf;", False),
    ],
)
def test_a_site_is_protected_where_the_line_is_for_what_it_shows(lines, is_protected):
    assert doors(f"server {{ server_name b.test; {lines} }}", ()) == [
        (is_protected, ["http://example.org", "http://b.test"])
    ]


def test_a_part_of_the_gallery_is_told_as_that():
    (site,) = sites_in(
        config(WebServer.NGINX, "server { server_name b.test; root /srv/x; include snippets/pwgserve.conf; }"),
        lambda folder: [("old", "upload")],
    )
    (one,) = neighbours([site], URL)
    assert (one.is_protected, one.doors[0].part, one.doors[0].bases) == (False, "upload", ("/old/",))
    assert one.told == "site.conf:1: a site (http://b.test/old/) shows upload/ of the gallery without pwgserve's line"
