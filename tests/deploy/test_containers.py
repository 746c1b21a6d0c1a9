"""What deploy/containers puts before a Piwigo in a container: its nginx, its addresses, and that nothing is open there."""

import ipaddress
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import family
import pytest
from commands import here
from daemon import Daemon
from family import DOCUMENT, LAKE, PARTY
from mariadb import program
from ports import free_port
from servers import IS_ROOT, NGINX, WEB_GROUP, for_web_servers
from visitor import Visitor
from waiting import until

from pwgserve.setup.templates import SNIPPETS, Site, WebServer, filled, text

ROOT = Path(__file__).parents[2]
CONTAINERS = ROOT / "deploy/containers"
FILES = CONTAINERS / "pwgserve"
IN_CONTAINERS = Site(
    "gallery.example.org",
    "/",
    Path("/var/www/html/piwigo"),
    "unix:/run/pwgserve/pwgserve.sock",
    Path("/var/cache/pwgserve"),
)
PIWIGO = """
server {{
    listen 127.0.0.1:{port};
    root {root};
    index index.php;
    location ~ \\.php$ {{ include /etc/nginx/fastcgi.conf; fastcgi_pass unix:{php}; }}
}}
"""
"""As in Piwigo's own container: its folder as it lies there, and every program in it."""


@pytest.mark.parametrize("name", SNIPPETS[WebServer.NGINX])
def test_the_lines_for_nginx_are_those_that_init_would_write(name):
    assert (FILES / name).read_text() == filled(WebServer.NGINX, text(WebServer.NGINX, name), IN_CONTAINERS)


def test_the_images_configuration_and_the_lines_for_nginx_name_the_same_places():
    config = (ROOT / "packaging/container/pwgserve.toml").read_text()
    for place in (IN_CONTAINERS.listen, str(IN_CONTAINERS.root), str(IN_CONTAINERS.cache_dir), "x-accel-redirect"):
        assert f'"{place}"' in config


def test_the_addresses_fit_together():
    """Containers without an address of their own get the lowest ones, in the order in which they start."""
    compose = (CONTAINERS / "compose.override.yaml").read_text()
    gallery, piwigo = re.findall(r"ipv4_address: (\S+)", compose)
    network, dynamic = (ipaddress.ip_network(re.search(rf"{key}: (\S+)", compose)[1]) for key in ("subnet", "ip_range"))
    for address in (gallery, piwigo):
        assert ipaddress.ip_address(address) in network
        assert ipaddress.ip_address(address) not in dynamic
    assert f"PWGSERVE_PIWIGO__VISITOR_ADDRESS: {gallery}\n" in compose
    assert f"PWGSERVE_SERVER__OWN_ADDRESSES: '[\"{piwigo}/32\"]'\n" in compose


@pytest.fixture(scope="module")
def contained(gallery, place):
    """A visitor of the gallery, and the daemon, with nginx in both places."""
    folder = Path(tempfile.mkdtemp(dir=place))
    folder.chmod(0o755)
    front, piwigo = free_port(), free_port()
    socket, cache = for_web_servers(folder / "run") / "pwgserve.sock", for_web_servers(folder / "cache")
    changes = {
        "server": {
            "listen": f"unix:{socket}",
            "public_url": f"http://localhost:{front}/",
            "send_file": "x-accel-redirect",
        },
        # As its container sees it, Piwigo has one visitor.
        "piwigo": {"visitor_address": "127.0.0.1"},
        "cache": {"dir": str(cache)},
    }
    daemon = Daemon(gallery, folder, changes).start()
    before = folder / "front"
    shutil.copytree(FILES, before)
    ours = {
        "/run/pwgserve/pwgserve.sock": str(socket),
        "/var/cache/pwgserve/": f"{cache}/",
        "/var/www/html/piwigo/": f"{gallery.root}/",
        "listen 80 default_server;": f"listen 127.0.0.1:{front};",
        "piwigo-main:80": f"127.0.0.1:{piwigo}",
    }
    for file in before.glob("*/*.conf"):
        content = file.read_text()
        for theirs, own in ours.items():
            content = content.replace(theirs, own)
        file.write_text(content)
    (before / "site.conf").write_text("")
    behind = folder / "piwigo"
    (behind / "conf.d").mkdir(parents=True)
    (behind / "site.conf").write_text(PIWIGO.format(port=piwigo, root=gallery.root, php=place / "php.sock"))
    servers = [_nginx(behind, piwigo), _nginx(before, front)]
    yield Visitor(front), daemon, Visitor(piwigo)
    for server in servers:
        server.terminate()
        server.wait(120)
    daemon.stop()


def _nginx(folder, port):
    user = f"user {WEB_GROUP};" if IS_ROOT else ""
    (folder / "main").write_text(NGINX.format(folder=folder, user=user))
    with folder.with_suffix(".output").open("ab") as output:
        process = subprocess.Popen([program("nginx"), "-c", str(folder / "main")], stdout=output, stderr=output)

    def answers():
        assert process.poll() is None, folder.with_suffix(".output").read_text()
        try:
            return Visitor(port).get("/").status > 0
        except OSError:
            return False

    until(answers)
    return process


def size(daemon, photo):
    return f"/i.php?/{daemon.gallery.paths[photo].replace('.jpg', '-sm.jpg')}"


def test_pictures_come_from_pwgserve_and_pages_from_piwigo(contained):
    visitor, daemon, _ = contained
    anna = Visitor(visitor.port, family.cookie("anna"))
    for photo in (LAKE, PARTY):
        answer = anna.follow(size(daemon, photo))
        assert (answer.status, answer.body[:3]) == (200, b"\xff\xd8\xff")
    original = anna.follow(f"/action.php?id={DOCUMENT}&part=e")
    assert original.body == (daemon.gallery.root / daemon.gallery.paths[DOCUMENT]).read_bytes()
    assert visitor.follow(size(daemon, PARTY)).status == 404
    assert visitor.get("/index.php").body == b"<html>a page</html>"
    assert visitor.get("/_data/combined/style.css").status == 200


def test_check_finds_what_piwigos_container_shows_and_nothing_before_it(contained, tmp_path):
    _, daemon, piwigo = contained
    _, report = checked(daemon, tmp_path)
    # Port 80 is the machine's own, and there may be a gallery.
    leaks = [leak for leak in report["leaks"] if not re.match(r"at http://localhost(,|$)", leak["trick"])]
    assert leaks == [], json.dumps(leaks, indent=1)
    assert [control["problem"] for control in report["controls"]] == ["", "", ""]
    assert sum(report["attempts_that_came_to_nothing"].values()) > 300
    code, report = checked(daemon, tmp_path, "--url", f"http://localhost:{piwigo.port}/")
    assert (code, report["result"]) == (1, "leaks")


def checked(daemon, folder, *options):
    config = ["--config", str(daemon.directory / "pwgserve.toml"), "--web-config", str(folder)]
    done = here("check", *config, "--rate", "500", "--json", *options)
    return done.code, json.loads(done.out)


@pytest.mark.parametrize("spelled", [str.upper, str.title])
def test_a_disk_that_does_not_tell_upper_case_from_lower_shows_nothing(contained, spelled):
    visitor, daemon, piwigo = contained
    path = daemon.gallery.paths[LAKE]
    made = [daemon.gallery.root / spelled(name) for name in ("upload", "_data", "i.php", "action.php")]
    try:
        for place in made:
            place.symlink_to(place.name.lower())
        targets = [spelled(f"/{folder}") + f"/{path}" for folder in ("_data/i", "i.php", "i")]
        targets += [f"/{spelled('upload')}/{path.partition('/')[2]}", f"/{spelled('i.php')}?/{path}"]
        assert piwigo.get(targets[-2]).status == 200
        for target in (*targets, f"/{spelled('action.php')}?id=1&part=e"):
            assert visitor.get(target).status == 404, target
    finally:
        for place in made:
            place.unlink()
