"""How long a picture still comes after it was taken away, while it is asked for as often as the machine allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from visitor import Visitor

from benchmarks import populating
from benchmarks.lab import Lab
from benchmarks.load import Load, hammer
from benchmarks.populating import FIRST_USER, Scale
from benchmarks.results import Bar, Row, Table

PROMISED = 2.0
SCALE = Scale(200, 10, 20, 5, 100)
PRIVATE, PUBLIC = 1, 2
"""Photos in album 2, which is private, and in album 3, which is not."""


def measure(lab: Lab) -> Iterator[Table]:
    """Seconds until the last picture, in the worst of some tries."""
    gallery = lab.gallery()
    populating.populate(gallery, SCALE)
    populating.files(gallery, range(1, 11), pool=populating.QUICK_POOL if lab.quick else populating.POOL)
    behind = lab.daemon(gallery, server={"processes": lab.processes, "send_file": "x-accel-redirect"})
    direct = lab.daemon(gallery, server={"processes": lab.processes})
    plain = lab.nginx(behind, lab.folder())
    cached = lab.nginx(direct, lab.folder(), "location ~ ^/pwgs/ { proxy_pass http://pwgserve; proxy_cache pictures; }")
    user = next(
        one
        for one in range(FIRST_USER, FIRST_USER + SCALE.users)
        if behind.visitor(populating.cookie(one)).get(populating.address(PRIVATE, "th")).status == 302
    )
    cookie = populating.cookie(user)

    def close_private() -> None:
        gallery.delete("sessions", id=f"7F00session{user}")

    def open_private() -> None:
        gallery.session(user, f"session{user}")

    def close_public() -> None:
        gallery.update("categories", {"id": PUBLIC + 1}, status="private")

    def open_public() -> None:
        gallery.update("categories", {"id": PUBLIC + 1}, status="public")

    rows, rates = [], []
    for what, port, daemon, photo, words, close, open_again in (
        ("session ended, behind nginx", plain, behind, PRIVATE, cookie, close_private, open_private),
        ("album closed, behind nginx with a cache", cached, direct, PUBLIC, "", close_public, open_public),
    ):
        worst = 0.0
        for _ in range(lab.rounds):
            link = daemon.visitor(words or None).link(populating.address(photo, "th"))
            seconds, load = _until_refused(lab, port, link, words, close)
            worst = max(worst, seconds)
            rates.append(load.per_second)
            open_again()
            time.sleep(PROMISED)
        rows.append(Row(what, worst, worst / PROMISED, Bar(at_most=1.0)))
    yield Table(
        "revocation",
        "What is taken away",
        "seconds until it is refused (worst)",
        "the promised 2 seconds",
        rows,
        f"While {min(rates):,.0f} to {max(rates):,.0f} requests a second ask for the very picture.",
    )


def _until_refused(lab: Lab, port: int, link: str, cookie: str, close: object) -> tuple[float, Load]:
    """Seconds from a change until the last answer that still was the picture."""
    loads: list[Load] = []
    seconds = 2 if lab.quick else 4
    raging = threading.Thread(target=lambda: loads.append(hammer(port, link, seconds, lab.connections, cookie)))
    raging.start()
    visitor = Visitor(port, cookie or None)
    time.sleep(0.7)
    if visitor.get(link).status != 200:
        raise RuntimeError("the picture does not come at all")
    close()  # type: ignore[operator]
    changed = last = time.monotonic()
    while time.monotonic() < changed + 2 * PROMISED and raging.is_alive():
        if visitor.get(link).status == 200:
            last = time.monotonic()
        time.sleep(0.01)
    raging.join()
    return last - changed, loads[0]
