"""What owners are told to mend."""

from pathlib import Path

import pytest

from pwgserve.check.attempts import Attempt
from pwgserve.check.mending import Mender
from pwgserve.check.verdicts import Verdict
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.statements import Line
from pwgserve.setup.templates import Site, WebServer
from pwgserve.setup.webconfig import WebConfig

SITE = Site("gallery.test", "/photos/", Path("/srv/photos"), "127.0.0.1:8280", Path("/var/cache/pwgserve"))


def lines(name: str, text: str) -> tuple[Line, ...]:
    return tuple(Line(Path(name), number, line) for number, line in enumerate(text.splitlines(), 1))


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (WebServer.NGINX, "location ^~ /photos/archive/ { include snippets/pwgserve-proxy.conf; }"),
        (WebServer.APACHE, 'ProxyPass "/photos/archive/" "http://127.0.0.1:8280/photos/archive/" nocanon'),
        (WebServer.CADDY, "add /photos/archive/* to the line “@pwgserve path …”"),
        (None, "route /photos/archive/ to pwgserve"),
    ],
)
def test_the_folder_of_a_further_site_is_closed_like_galleries(server, expected):
    attempt = Attempt("archive/", "plain", "/photos/archive/1999/a.jpg")
    assert expected in Mender(server, SITE).advice(attempt, Verdict.PICTURE)


OWN = 'ProxyPass "/photos/i.php" "http://127.0.0.1:8280/photos/i.php" nocanon timeout=120 ttl=60'


@pytest.mark.parametrize(
    "rule",
    [
        'ProxyPassMatch "^/(.*\\.php(/.*)?)$" "fcgi://localhost/var/www/"',
        "ProxyPassMatch ^/(.+\\.php)$ unix:/run/php.sock|fcgi://localhost/var/www",
        'ProxyPass "/photos/" "http://127.0.0.1:9000/photos/"',
    ],
)
def test_a_rule_of_apache_that_comes_first_is_named(rule):
    there = lines("/etc/apache2/pwgserve.conf", OWN)
    site = lines(
        "/etc/apache2/sites-enabled/a.conf", f"<VirtualHost *:443>\n{rule}\nInclude pwgserve.conf\n</VirtualHost>"
    )
    found = Mender(WebServer.APACHE, SITE, WebConfig(WebServer.APACHE, (), there + site)).advice(
        Attempt("i.php", "plain", "/photos/i.php?/a-me.jpg"), Verdict.PICTURE
    )
    assert f"/etc/apache2/sites-enabled/a.conf:2 “{rule}”" in found
    assert "“Include pwgserve.conf” must stand before every ProxyPass" in found


@pytest.mark.parametrize("rule", ['ProxyPass "/chat" "http://127.0.0.1:9000/"', 'ProxyPass "/photos/i.php" "!"'])
def test_other_rules_of_apache_are_not_blamed(rule):
    there = lines("/etc/apache2/pwgserve.conf", OWN)
    site = lines(
        "/etc/apache2/sites-enabled/a.conf", f"<VirtualHost *:443>\n{rule}\nInclude pwgserve.conf\n</VirtualHost>"
    )
    found = Mender(WebServer.APACHE, SITE, WebConfig(WebServer.APACHE, (), there + site)).advice(
        Attempt("i.php", "plain", "/photos/i.php?/a-me.jpg"), Verdict.PICTURE
    )
    assert "passes it on" not in found


def test_what_another_web_server_shows_is_not_to_have_the_line():
    site = FoundSite(WebServer.APACHE, Path("/etc/apache2/x.conf"), 3, "http://a.test:8080/", False, path="/photos/")
    attempt = Attempt("door", "at", "/photos/upload/a.jpg", place="/etc/apache2/x.conf:3")
    config = WebConfig(WebServer.NGINX, (), ())
    found = Mender(WebServer.NGINX, SITE, config, (site,)).advice(attempt, Verdict.PICTURE)
    assert found.endswith(
        "the block that begins at /etc/apache2/x.conf:3 shows it, past nginx; let apache listen on 127.0.0.1 only"
    )
