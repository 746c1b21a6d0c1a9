"""A derivative that is in the cache, asked for again and again: against nginx serving the same bytes as a file."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from galleries import GUEST

from benchmarks import thumbor
from benchmarks.lab import Lab, photograph
from benchmarks.load import hammer
from benchmarks.results import Bar, Row, Table, interleaved

STATIC = "nginx, the same file with no check at all"
DIRECT = "pwgserve alone"
THROUGH = "pwgserve behind nginx (X-Accel-Redirect)"
OVER_SOCKET = "pwgserve behind nginx, over a Unix socket, as `init` chooses (X-Accel-Redirect)"
CACHED = "pwgserve behind nginx with a cache of one second"
REDIRECT = "Piwigo's address → redirect to a signed URL"
THUMBOR = "thumbor, its cached result"
BARS = {
    DIRECT: Bar(at_least=0.5),
    THROUGH: Bar(at_least=0.5),
    OVER_SOCKET: Bar(at_least=0.5),
    CACHED: Bar(at_least=0.85),
}
SECONDS, TURNS = 1, 9
"""Many short turns rather than a few long ones: how fast a shared machine is changes within seconds, and a ratio is
of two values from the same turn."""

PATH = "upload/2026/05/14/20260514101112-00000001.jpg"


def measure(lab: Lab) -> Iterator[Table]:
    """Requests a second for one public photo in size "medium"."""
    gallery = lab.gallery()
    gallery.user(GUEST, "guest", "guest")
    gallery.album(1)
    file = gallery.root / PATH
    file.parent.mkdir(parents=True)
    photograph(2400, 1800).jpegsave(str(file), Q=92)
    gallery.photo(1, (1,), (2400, 1800), PATH)
    processes = {"processes": lab.processes}
    direct = lab.daemon(gallery, server=processes)
    behind = lab.daemon(gallery, server={**processes, "send_file": "x-accel-redirect"})
    local = lab.daemon(
        gallery,
        server={**processes, "send_file": "x-accel-redirect", "listen": f"unix:{lab.folder()}/pwgserve.sock"},
    )
    static = lab.folder()
    legacy = f"/i.php?/{PATH.replace('.jpg', '-me.jpg')}"
    picture = direct.visitor().follow(legacy).body
    (static / "picture.jpg").write_bytes(picture)
    link, link_behind, link_local = (daemon.visitor().link(legacy) for daemon in (direct, behind, local))
    behind.visitor().get(link_behind)
    local.visitor().get(link_local)
    plain, over_socket = lab.nginx(behind, static), lab.nginx(local, static)
    cached = lab.nginx(direct, static, "location ~ ^/pwgs/ { proxy_pass http://pwgserve; proxy_cache pictures; }")

    def rate(port: int, target: str) -> float:
        found = hammer(port, target, SECONDS, lab.connections)
        if found.errors:
            raise RuntimeError(f"{found.errors} for {target} on port {port}")
        return found.per_second

    contenders = {
        STATIC: lambda: rate(plain, "/static/picture.jpg"),
        DIRECT: lambda: rate(direct.port, link),
        THROUGH: lambda: rate(plain, link_behind),
        OVER_SOCKET: lambda: rate(over_socket, link_local),
        CACHED: lambda: rate(cached, link),
        REDIRECT: lambda: rate(direct.port, legacy),
    }
    if lab.thumbor:
        port = lab.enter(thumbor.running(lab.thumbor, gallery.root, lab.folder(), lab.processes))
        peer = thumbor.address(PATH, 792, 594)
        contenders[THUMBOR] = lambda: rate(port, peer)
    for name, address in lab.peers.items():
        parts = urlsplit(address)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        contenders[name] = lambda port=parts.port or 80, target=target: rate(port, target)
    found = interleaved(contenders, lab.rounds if lab.quick else TURNS)
    rows = [
        Row(name, found.median(name), found.ratio(name, STATIC) if name != STATIC else None, BARS.get(name))
        for name in contenders
    ]
    rows += [
        Row(f"{THROUGH}", found.median(THROUGH), found.ratio(THROUGH, name), Bar(at_least=8), against=name)
        for name in lab.peers
    ]
    size = f"{len(picture) / 1000:.0f} KB"
    yield Table("hot-hits", f"Hot hits: one derivative of {size}", "requests per second", "nginx's file", rows)
