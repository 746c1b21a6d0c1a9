"""A cache that a web server shows, wherever it lies: one folder beside Piwigo's is as open as one below it."""

from pathlib import Path

import pytest
from written import config

from pwgserve.check.configured import served_cache
from pwgserve.check.verdicts import Verdict
from pwgserve.setup.templates import Site, WebServer
from pwgserve.setup.webconfig import WebConfig

GALLERY = Path("/var/www/photos")


def found(cache, text, base="/photos/", root=GALLERY):
    server = WebServer.APACHE if text[:1] in "<A" else WebServer.CADDY if "{\n\t" in text else WebServer.NGINX
    read = config(server, text) if text else WebConfig(server)
    site = Site("gallery.test", base, root, "127.0.0.1:8280", Path(cache))
    return [(one.path, one.finding and one.finding.verdict) for one in served_cache(Path(cache), site, read)]


LEAK = Verdict.PICTURE
NGINX = "server {\n    root /var/www;\n    include snippets/pwgserve.conf;\n}"
INTERNAL = "location ^~ /_pwgserve/ {\n internal;\n location ^~ /_pwgserve/cache/ { alias /var/cache/pwgserve/; }\n}"


@pytest.mark.parametrize(
    ("cache", "text", "expected"),
    [
        ("/var/cache/pwgserve", NGINX, []),
        ("/var/www/photos/_cache", NGINX, [("/photos/_cache", LEAK)]),
        ("/var/www/pwgcache", NGINX, [("/pwgcache", LEAK)]),
        ("/var/www/pwgcache", "<VirtualHost *:443>\nDocumentRoot \"/var/www\"\n</VirtualHost>", [("/pwgcache", LEAK)]),
        ("/var/www/pwgcache", "a.test {\n\troot * /var/www\n}", [("/pwgcache", LEAK)]),
        ("/srv/data/cache", "server { location /data/ { alias /srv/data/; } }", [("/data/cache", LEAK)]),
        ("/srv/data/cache", "Alias /data /srv/data", [("/data/cache", LEAK)]),
        ("/srv/data/cache", "# root /srv/data;", []),
        ("/srv/data/cache", "fastcgi_param DOCUMENT_ROOT $document_root;", []),
        ("/var/cache/pwgserve", INTERNAL, []),
        ("/var/www/pwgcache", INTERNAL + "\nroot /var/www;", [("/pwgcache", LEAK)]),
        ("/var/www/pwgcache", "server { root /var/other; }", [("/pwgcache", None)]),
        ("/var/www/pwgcache", "", [("/pwgcache", Verdict.UNCLEAR)]),
    ],
)  # fmt: skip
def test_where_the_cache_is_shown(cache, text, expected):
    assert found(cache, text) == expected


def test_links_on_the_disk_are_followed(tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "here").symlink_to(tmp_path / "www")
    cache = tmp_path / "here/pwgcache"
    assert found(cache, f"root {tmp_path}/www;", "/photos/", tmp_path / "gallery") == [("/pwgcache", LEAK)]


def test_the_line_is_named():
    read = config(WebServer.NGINX, "server {\n    root /var/www;\n}", "/etc/nginx/sites-enabled/x")
    site = Site("gallery.test", "/photos/", GALLERY, "127.0.0.1:8280", Path("/var/www/c"))
    (one,) = served_cache(Path("/var/www/c"), site, read)
    assert "/etc/nginx/sites-enabled/x:2 “root /var/www;”" in one.finding.mend
