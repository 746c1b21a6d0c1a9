"""Files sent by a real nginx in front, on pwgserve's word."""

import family
import pytest
from daemon import Daemon
from family import FILM, LAKE, PARTY
from nginx import Nginx
from ports import free_port
from visitor import Visitor

LOCATIONS = """
location / {{
    proxy_pass http://127.0.0.1:{daemon};
    proxy_set_header X-Forwarded-For $remote_addr;
}}
location /_pwgserve/cache/ {{
    internal;
    alias {cache}/;
    add_header X-Pwgserve $upstream_http_x_pwgserve;
    add_header X-Content-Type-Options nosniff;
}}
location /_pwgserve/originals/ {{
    internal;
    alias {originals}/;
    add_header X-Pwgserve $upstream_http_x_pwgserve;
    add_header X-Content-Type-Options nosniff;
}}
"""


@pytest.fixture(scope="module")
def proxied(gallery, tmp_path_factory):
    """The port of an nginx before a daemon that lets it send the files."""
    daemon = Daemon(gallery, tmp_path_factory.mktemp("daemon"), {"server": {"send_file": "x-accel-redirect"}}).start()
    locations = LOCATIONS.format(daemon=daemon.port, cache=daemon.directory / "cache", originals=gallery.root)
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), free_port(), locations)
    yield nginx.port
    nginx.stop()
    daemon.stop()


def test_nginx_sends_what_pwgserve_permits(proxied, gallery):
    anna = Visitor(proxied, family.cookie("anna"))
    path = "/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-sm.jpg")
    first, second = anna.follow(path), anna.follow(path)
    assert [answer.headers["x-pwgserve"] for answer in (first, second)] == ["render", "hit"]
    assert first.body == second.body
    assert first.headers["content-type"] == "image/jpeg"
    assert first.headers["cache-control"].startswith("private, max-age=")
    assert "Photo 2-small.jpg" in first.headers["content-disposition"]
    film = anna.follow(f"/action.php?id={FILM}&part=e", Range="bytes=5-9")
    assert (film.status, film.body) == (206, bytes(range(5, 10)))
    guide = anna.follow("/action.php?id=16&part=e")
    assert guide.body == (gallery.root / gallery.paths[family.DOCUMENT]).read_bytes(), "a path with a space"


def test_nginx_sends_nothing_else(proxied, gallery):
    stranger = Visitor(proxied)
    assert stranger.get("/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-sm.jpg")).status == 404
    for target in ("/_pwgserve/originals/" + gallery.paths[LAKE], "/_pwgserve/cache/", "/%5fpwgserve/originals/x"):
        assert stranger.get(target).status == 404
    assert stranger.get("/-/metrics").status == 404


def test_x_sendfile_names_the_file(gallery, start):
    daemon = start(gallery, server={"send_file": "x-sendfile"})
    answer = daemon.visitor().follow(f"/action.php?id={LAKE}&part=e")
    assert answer.headers["x-sendfile"] == str(gallery.root / gallery.paths[LAKE])
    assert answer.body == b""
