"""Visitors of a gallery of 100,000 photos: album pages of 100 thumbnails and single pictures, guests and viewers.

The popular ones come often (Zipf), all are in the cache. Peer: nginx with the same files and the same requests.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon import Daemon

from benchmarks import populating
from benchmarks.issuing import issuing, zipf
from benchmarks.lab import Lab, photograph
from benchmarks.load import Load, replay
from benchmarks.populating import FIRST_USER, Scale
from benchmarks.results import Row, Table, interleaved

STATIC = "nginx, the same files with no check at all"
DIRECT = "pwgserve alone"
THROUGH = "pwgserve behind nginx (X-Accel-Redirect)"
THUMBNAIL, MEDIUM = "th", "me"
GUESTS = 0.5
"""Which share of the pages is looked at by guests; the rest by people who are logged in."""


@dataclass(frozen=True)
class Look:
    """One request: a derivative of a photo, by a user or (None) a guest."""

    photo: int
    code: str
    user: int | None


def measure(lab: Lab) -> Iterator[Table]:
    """Requests a second, and what they cost the database."""
    scale = Scale(2_000, 20, 20, 4, 100) if lab.quick else Scale(100_000, 1_000, 50, 10, 1_000)
    looks = visits(scale, pages=20 if lab.quick else 300, dice=random.Random(7))
    gallery = lab.gallery()
    populating.populate(gallery, scale)
    populating.files(
        gallery, {look.photo for look in looks}, pool=populating.QUICK_POOL if lab.quick else populating.POOL
    )
    options = {"processes": lab.processes, "send_file": "x-accel-redirect"}
    behind = lab.daemon(gallery, server=options)
    direct = lab.daemon(gallery, server={"processes": lab.processes})
    static = lab.folder()
    requests = {
        daemon: asyncio.run(prepared(daemon, looks, lab.folder(), static if daemon is behind else None))
        for daemon in (behind, direct)
    }
    plain = lab.folder() / "static.txt"
    plain.write_text("".join(f"/static/{look.code}/{look.photo}.jpg\t\n" for look in looks))
    port = lab.nginx(behind, static)
    questions: list[float] = []
    loads: dict[str, list[Load]] = {}

    def run(name: str, port: int, file: Path, daemon: Daemon | None = None) -> float:
        before = asked(daemon) if daemon else 0
        found = replay(port, file, lab.seconds, lab.folder(), lab.connections)
        if found.errors:
            raise RuntimeError(f"{found.errors}: {name}")
        if daemon:
            questions.append((asked(daemon) - before) / lab.seconds)
        loads.setdefault(name, []).append(found)
        return found.per_second

    found = interleaved(
        {
            STATIC: lambda: run(STATIC, port, plain),
            DIRECT: lambda: run(DIRECT, direct.port, requests[direct], direct),
            THROUGH: lambda: run(THROUGH, port, requests[behind], behind),
        },
        lab.rounds,
    )
    rows = [
        Row(name, found.median(name), None if name == STATIC else found.ratio(name, STATIC))
        for name in (STATIC, DIRECT, THROUGH)
    ]
    note = (
        f"{len({look.photo for look in looks}):,} of {scale.photos:,} photos, {len(looks):,} different requests, "
        f"{scale.users} people who are logged in. The database was asked at most {max(questions):,.0f} questions a "
        f"second by {lab.processes} server processes. Most pictures are asked for less than once in half a second, so "
        "each is decided for itself, which is what this costs."
    )
    yield Table("mixed-traffic", "Mixed traffic", "requests per second", "nginx's files", rows, note)


def visits(scale: Scale, pages: int, dice: random.Random) -> list[Look]:
    """What is asked for, in its order: pages of 100 thumbnails, each followed by some pictures of the same album."""
    looks: list[Look] = []
    albums_of_group = max(1, scale.albums // scale.groups)
    photos_of_album = min(100, scale.photos // scale.albums)
    for popular in zipf(pages, scale.albums, dice):
        album = 1 + popular * 37 % scale.albums
        is_private = album % populating.PRIVATE_SHARE == 0
        user = None
        if is_private or dice.random() >= GUESTS:
            readers = [
                user
                for user in range(FIRST_USER, FIRST_USER + scale.users)
                if not is_private
                or (album - 1 - (1 + user % scale.groups) * albums_of_group - 1) % scale.albums < albums_of_group
            ]
            user = dice.choice(readers) if readers else None
        if is_private and user is None:
            continue
        photos = [album - 1 + number * scale.albums or scale.photos for number in range(photos_of_album)]
        looks += [Look(photo, THUMBNAIL, user) for photo in photos if photo % 50]
        looks += [
            Look(photos[number], MEDIUM, user) for number in zipf(10, photos_of_album, dice) if photos[number] % 50
        ]
    return looks


async def prepared(daemon: Daemon, looks: list[Look], folder: Path, static: Path | None) -> Path:
    """Put what the looks need into the cache (and the folder of files); returns the file of their requests."""
    contents = {
        THUMBNAIL: photograph(144, 108).jpegsave_buffer(Q=90),
        MEDIUM: photograph(792, 594).jpegsave_buffer(Q=80),
    }
    lines = []
    async with issuing(daemon) as parts:
        photos = await parts.photos(look.photo for look in looks)
        stored: set[tuple[int, str]] = set()
        for look in looks:
            found, version = await parts.picture(photos[look.photo], look.code)
            is_open = not any(album.private for album in found.photo.albums) or look.user is None
            link = parts.link(found, version, None if is_open else look.user)
            lines.append(f"{link}\t{populating.cookie(look.user) if look.user else ''}\n")
            if (look.photo, look.code) not in stored:
                stored.add((look.photo, look.code))
                parts.store(version, contents[look.code])
                if static:
                    (static / look.code).mkdir(exist_ok=True)
                    (static / f"{look.code}/{look.photo}.jpg").write_bytes(contents[look.code])
    file = folder / "requests.txt"
    file.write_text("".join(lines))
    return file


def asked(daemon: Daemon) -> float:
    """How many questions the daemon has asked its database."""
    text = daemon.visitor().get("/-/metrics").body.decode()
    return float(text.partition("\npwgserve_database_questions_total ")[2].split()[0])
