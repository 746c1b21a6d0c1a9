"""Further sites that show the gallery, as people write them: each must be tried by its own name and at its own port."""

from pathlib import Path

import pytest

from pwgserve.check.mending import Line
from pwgserve.check.neighbours import neighbours
from pwgserve.setup.templates import WebServer

ROOT = Path("/var/www/photos")
URL = "https://example.org/photos/"


def found(server, text, file="/etc/x/site.conf", url=URL):
    lines = [Line(Path(file), number, line) for number, line in enumerate(text.splitlines(), 1)]
    return [
        (one.url, one.place.rpartition(":")[2], [(door.origin, door.host) for door in one.doors], one.is_inside)
        for one in neighbours(server, lines, ROOT, url)
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


def test_sites_of_apache():
    text = "<VirtualHost *:8443>\nServerName www.example.org\nSSLEngine on\nDocumentRoot /var/www\n</VirtualHost>"
    doors = [
        ("https://example.org:8443", "www.example.org:8443"),
        ("https://www.example.org:8443", "www.example.org:8443"),
    ]
    assert found(WebServer.APACHE, text) == [("https://www.example.org:8443/photos/", "1", doors, False)]


def test_sites_of_caddy():
    text = "www.example.org, http://old.example.org {\n\troot * /var/www\n\tfile_server\n}"
    assert [one[0] for one in found(WebServer.CADDY, text)] == [
        "https://www.example.org/photos/",
        "http://old.example.org/photos/",
    ]


def test_the_gallerys_own_site_is_tried_anyway_and_what_is_not_in_use_is_not():
    own = NGINX_OWN.replace("    include snippets/pwgserve.conf;\n", "    location / { proxy_pass http://pwgserve; }\n")
    assert found(WebServer.NGINX, own) == []
    other = NGINX_OWN.replace("include snippets/pwgserve.conf;", "").replace("example.org", "www.example.org")
    assert found(WebServer.NGINX, other) != []
    for file in ("/etc/nginx/sites-available/x", "/etc/nginx/sites-enabled/x~", "/etc/nginx/conf.d/x.conf.bak"):
        assert found(WebServer.NGINX, other, file) == []
