"""Other ways into the same server: without encryption, under another name, at another path of the same folder.

Pure. What is tried at the gallery's own address is in `attempts`, which sites there are besides in `neighbours`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pwgserve.check.attempts import NO_HOST, Attempt, Place, Subject
from pwgserve.check.spelling import encoded

AREA = "door"


@dataclass(frozen=True)
class Door:
    """Where the same server may answer. origin: scheme, host and port.

    bases: further paths where the gallery may be shown there. host: the name to ask for, empty for any. place: file and
    line of the site, if it is known. is_named: whether the owner named it, and not we guessed it. part: the folder of
    the gallery that is shown, empty for all of it.
    """

    origin: str
    bases: tuple[str, ...] = ()
    host: str = ""
    place: str = ""
    is_named: bool = False
    part: str = ""

    def asking(self, attempt: Attempt) -> Attempt:
        """An attempt, made here."""
        headers = (("Host", self.host), *attempt.headers) if self.host else attempt.headers
        name = urlsplit(f"//{self.host}").hostname or ""
        return replace(attempt, origin=self.origin, headers=headers, server_name=name, place=self.place)


def other_doors(public_url: str, also: Sequence[str] = ()) -> tuple[Door, ...]:
    """Where else the server may answer: the host's usual ports, http and https, and what the owner names."""
    own = urlsplit(public_url)
    host = f"[{own.hostname}]" if ":" in (own.hostname or "") else own.hostname
    found = {f"{scheme}://{host}": Door(f"{scheme}://{host}") for scheme in ("http", "https")}
    found.pop(f"{own.scheme}://{own.netloc}", None)
    for one in map(urlsplit, also):
        origin, base = f"{one.scheme}://{one.netloc}", one.path.rstrip("/") + "/"
        if (origin, base) != (f"{own.scheme}://{own.netloc}", own.path.rstrip("/") + "/"):
            bases = found[origin].bases if origin in found else ()
            found[origin] = Door(origin, tuple(dict.fromkeys((*bases, base))), is_named=True)
    return tuple(found.values())


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host of this name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def door_attempts(subject: Subject, place: Place, doors: Sequence[Door]) -> Iterator[Attempt]:
    """The plain addresses of one photo, at each of these doors and wherever its folder may be shown."""
    path = encoded(subject.path)
    # A folder below the one that a site shows has its own name there.
    bases = tuple(dict.fromkeys((place.base, f"/{encoded(place.folder)}/", "/")))
    for base in bases[1:]:
        yield Attempt(AREA, "another path of the same folder", base + path)
    for door in doors:
        if door.host:
            trick = f"at {door.origin}, asking for {door.host}"
            for base in door.bases:
                plain = (
                    _part(subject, place, trick, base, door.part) if door.part else _plain(subject, place, trick, base)
                )
                yield from map(door.asking, plain)
            continue
        other = Door(door.origin, door.bases, NO_HOST)
        for one, trick in ((door, f"at {door.origin}"), (other, f"at {door.origin}, asking for another host")):
            for attempt in _at(subject, place, trick, tuple(dict.fromkeys((*bases, *door.bases))), door.bases):
                # The name that TLS asks for is the one that the certificate is for: servers hang up on others.
                yield replace(one.asking(attempt), server_name="")


def _at(subject: Subject, place: Place, trick: str, bases: Sequence[str], further: Sequence[str]) -> Iterator[Attempt]:
    for base in bases:
        if base == place.base or base in further:
            yield from _plain(subject, place, trick, base)
        else:
            yield Attempt(AREA, trick, base + encoded(subject.path))


def _part(subject: Subject, place: Place, trick: str, base: str, part: str) -> Iterator[Attempt]:
    """The addresses of those files that lie in one folder of the gallery, shown at a base."""
    beside = [path for _, path in subject.formats] + ([subject.representative] if subject.representative else [])
    for path in (subject.path, *beside, *(f"{place.data}/i/{size}" for size in subject.sizes)):
        if path.startswith(f"{part}/"):
            yield Attempt(AREA, trick, base + encoded(path.removeprefix(f"{part}/")))


def _plain(subject: Subject, place: Place, trick: str, base: str) -> Iterator[Attempt]:
    """All kinds of addresses of a photo, below one base."""
    yield Attempt(AREA, trick, base + encoded(subject.path))
    for size in subject.sizes[:1]:
        yield Attempt(AREA, trick, f"{base}i.php?/{encoded(size)}")
    for size in subject.sizes:
        yield Attempt(AREA, trick, f"{base}{place.data}/i/{encoded(size)}")
    yield Attempt(AREA, trick, f"{base}action.php?id={subject.photo_id}&part=e")
