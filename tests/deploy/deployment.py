"""A gallery behind a real web server, with exactly the files of deploy/ between the two."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import family
from daemon import Daemon
from galleries import TestGallery
from ports import free_port
from servers import Change, TlsVisitor, WebServerProcess, for_web_servers

from pwgserve.setup.templates import Site, WebServer

BASE = "/photos/"


@dataclass(frozen=True)
class Way:
    """One of the ways to stand a web server in front of pwgserve."""

    server: WebServer
    send_file: str = "direct"
    keeps_public: bool = False
    over_socket: bool = False


WAYS = {
    "nginx": Way(WebServer.NGINX, "x-accel-redirect"),
    "nginx-keeping-public": Way(WebServer.NGINX, keeps_public=True),
    "apache": Way(WebServer.APACHE),
    "apache-xsendfile": Way(WebServer.APACHE, "x-sendfile"),
    "caddy": Way(WebServer.CADDY),
    "nginx-over-a-socket": Way(WebServer.NGINX, "x-accel-redirect", over_socket=True),
    "apache-over-a-socket": Way(WebServer.APACHE, over_socket=True),
    "caddy-over-a-socket": Way(WebServer.CADDY, over_socket=True),
}


@dataclass
class Deployed:
    """A gallery behind a web server, as visitors meet it."""

    way: Way
    gallery: TestGallery
    daemon: Daemon
    server: WebServerProcess

    def visitor(self, name: str = "guest", **headers: str) -> TlsVisitor:
        return self.server.visitor(family.cookie(name), **headers)

    def size(self, photo: int, code: str = "sm") -> str:
        """The address of a derivative as Piwigo's pages have it."""
        stem, _, extension = self.gallery.paths[photo].rpartition(".")
        return f"{BASE}i.php?/{stem}-{code}.{extension}"

    def original(self, photo: int) -> str:
        return f"{BASE}action.php?id={photo}&part=e"


def deploy(way: Way, gallery: TestGallery, place: Path, change: Change | None = None, **settings: object) -> Deployed:
    """Start a daemon and its web server."""
    folder = Path(tempfile.mkdtemp(dir=place))
    folder.chmod(0o755)
    port = free_port()
    cache = for_web_servers(folder / "cache")
    changes = {
        "server": {"send_file": way.send_file, "public_url": f"https://localhost:{port}{BASE}"},
        "cache": {"dir": str(cache)},
    }
    if way.over_socket:
        # Its group is the folder's, as under systemd it is the service's.
        changes["server"]["listen"] = f"unix:{for_web_servers(folder / 'run')}/pwgserve.sock"
    for table, values in settings.items():
        changes.setdefault(table, {}).update(values)
    conf = changes.get("piwigo", {}).pop("conf", {})
    changes |= {"piwigo.conf": conf} if conf else {}
    (folder / "web").mkdir()
    daemon = Daemon(gallery, folder, changes).start()
    listen = daemon.tables["server"]["listen"]
    site = Site(f"localhost:{port}", BASE, gallery.root, listen, cache, php=str(place / "php.sock"))
    web = WebServerProcess(
        way.server, site, folder / "web", port, free_port(), way.send_file == "x-sendfile", way.keeps_public
    )
    web.write(change)
    try:
        web.start()
    except BaseException:
        web.stop()
        daemon.stop()
        raise
    return Deployed(way, gallery, daemon, web)
