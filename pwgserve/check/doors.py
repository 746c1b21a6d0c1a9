"""Other ways into the same server: without encryption, under another name, at another path of the same folder.

Pure. What is tried at the gallery's own address is in `attempts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pwgserve.check.attempts import NO_HOST, Attempt, Place, Subject, encoded

AREA = "door"


def other_origins(public_url: str, also: Sequence[str] = ()) -> tuple[str, ...]:
    """Where else the server may answer: the host's usual ports, http and https, and what the owner names."""
    own = urlsplit(public_url)
    host = f"[{own.hostname}]" if ":" in (own.hostname or "") else own.hostname
    found = [f"http://{host}", f"https://{host}"]
    found += [f"{one.scheme}://{one.netloc}" for one in map(urlsplit, also)]
    return tuple(dict.fromkeys(one for one in found if one != f"{own.scheme}://{own.netloc}"))


def door_attempts(subject: Subject, place: Place, origins: Sequence[str]) -> Iterator[Attempt]:
    """The plain addresses of one photo, at each of these origins and wherever its folder may be shown."""
    path = encoded(subject.path)
    # A folder below the one that a site shows has its own name there.
    bases = tuple(dict.fromkeys((place.base, f"/{encoded(place.folder)}/", "/")))
    for base in bases[1:]:
        yield Attempt(AREA, "another path of the same folder", base + path)
    for origin in origins:
        for trick, headers in ((f"at {origin}", ()), (f"at {origin}, asking for another host", (("Host", NO_HOST),))):
            for base in bases:
                yield Attempt(AREA, trick, base + path, headers=headers, origin=origin)
            for size in subject.sizes[:1]:
                yield Attempt(AREA, trick, f"{place.base}i.php?/{encoded(size)}", headers=headers, origin=origin)
            for size in subject.sizes:
                target = f"{place.base}{place.data}/i/{encoded(size)}"
                yield Attempt(AREA, trick, target, headers=headers, origin=origin)
            target = f"{place.base}action.php?id={subject.photo_id}&part=e"
            yield Attempt(AREA, trick, target, headers=headers, origin=origin)
