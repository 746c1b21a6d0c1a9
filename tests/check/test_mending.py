"""What owners are told to mend."""

from pathlib import Path

import pytest

from pwgserve.check.attempts import Attempt
from pwgserve.check.mending import Line, Mender
from pwgserve.check.verdicts import Verdict
from pwgserve.setup.templates import Site, WebServer

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
