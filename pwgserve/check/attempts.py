"""Every way in which a stranger may try to get at one photo: addresses, spellings, headers, forged links.

Pure but for the keys and cookies that it draws at random. An attempt is made twice, for a photo that exists and for a
twin that does not: whatever differs between the two answers tells the stranger something. What an answer gives away is
decided in `verdicts`.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from pwgserve.check.spelling import encoded, repeated, spellings
from pwgserve.keys.keys_file import generated
from pwgserve.links import PUBLIC, Link, LinkSigner
from pwgserve.piwigo.wanted import Part, Wanted

FAR_FUTURE = 4_102_444_800
"""The year 2100, in seconds since 1970."""

NO_HOST = "pwgserve-check.invalid"
"""A name that no site has, so that the server's default site answers."""

UNASKED = "to be a user, with a wrong password"
"""nginx has a name for whoever says one (`$remote_user`), and looks at the password only where `auth_basic` is on."""

SHORT = 3
"""Letters of a name that stand in any page."""


@dataclass(frozen=True)
class Place:
    """Where a gallery is. base: its path with a slash at both ends. folder: the name of Piwigo's folder on the disk.

    internal: of `server.internal_prefix`. caches: where the cache may be shown, without a slash at the end.
    user: somebody who may see the photo, for galleries that believe a proxy's word about users.
    """

    base: str
    folder: str
    internal: str = "/_pwgserve"
    links: str = "pwgs"
    data: str = "_data"
    upload: str = "upload"
    caches: tuple[str, ...] = ()
    user: str = "webmaster"


@dataclass(frozen=True)
class Subject:
    """A photo that is tried, or its twin. Paths are clean and below Piwigo's root; `sizes` below its `_data/i/`.

    formats: (id, path) of its other formats. cached: a file in pwgserve's own cache, by its path below it.
    """

    photo_id: int
    path: str
    representative: str | None = None
    formats: tuple[tuple[int, str], ...] = ()
    sizes: tuple[str, ...] = ()
    cached: str | None = None
    # What is made up is the same for a photo and its twin: it says nothing of either, and answers may repeat it.
    signer: LinkSigner = field(default_factory=lambda: LinkSigner(generated()), compare=False, repr=False)
    made_up: str = field(default_factory=lambda: secrets.token_hex(16), compare=False, repr=False)

    def forged_links(self) -> tuple[str, ...]:
        """Tokens of signed links to it, as a stranger may make them up."""
        wanted = (Wanted(), Wanted(code="me"), Wanted(Part.REPRESENTATIVE))
        return tuple(self.signer.sign(Link(self.photo_id, one, PUBLIC, FAR_FUTURE, "A" * 16)) for one in wanted)

    def unsigned_link(self) -> str:
        """The same without a signature."""
        return f"{self.photo_id}.e.p.{FAR_FUTURE}.{'A' * 16}."

    def words(self) -> tuple[str, ...]:
        """What an answer may repeat of the request, the longest first."""
        paths = [self.path, *self.sizes, *(path for _, path in self.formats)]
        paths += [path for path in (self.representative, self.cached) if path]
        names = [part.rpartition("/")[2] for part in paths]
        stems = [name.rpartition(".")[0] for name in names]
        texts = [*paths, *names, *stems, *self.forged_links(), self.unsigned_link(), self.made_up, self.made_up[:30]]
        found = {word for text in texts for word in repeated(text)}
        # Numbers only where they are repeated as what they are: "2" is part of many a page.
        numbers = [self.photo_id, *(format_id for format_id, _ in self.formats)]
        before = [equals + more for equals in ("=", "%3D", "%253D") for more in ("", "0", " ", "+", "%20", "%2520")]
        found |= {f"{start}{number}" for start in before for number in numbers}
        found |= {word.upper() for word in found}
        return tuple(sorted((word for word in found if len(word) > SHORT or "=" in word), key=len, reverse=True))


@dataclass(frozen=True)
class Attempt:
    """One request. area: which kind of address, as in AREAS. trick: in words. target: as it is sent, byte for byte.

    origin: scheme, host and port, where they are not the gallery's own. server_name: what TLS asks for, where that is
    not the origin's host. place: where the site that is asked stands in a configuration, if that is known.
    """

    area: str
    trick: str
    target: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    origin: str = ""
    server_name: str = ""
    place: str = ""


AREAS = {
    "i.php": "sizes through i.php",
    "i/": "sizes through i/",
    "_data/i/": "sizes that Piwigo made before",
    "action.php": "originals through action.php",
    "upload/": "files below upload/",
    "galleries/": "files below galleries/",
    "links": "forged signed links",
    "internal": "pwgserve's internal location",
    "cache": "pwgserve's cache folder",
    "said": "what a stranger says of himself",
    "ops": "pwgserve's own numbers under /-/",
    "door": "other addresses of the same server",
}
"""The areas, in words. Folders of further sites of Piwigo are areas, too, by their own names."""

OPS = ("/-/metrics", "/-/health", "/-/ready", "/-/status", "//-/metrics", "/%2d/metrics", "/-//metrics")
ALIASED = ("i", "_data", "upload", "galleries", "themes", "plugins", "local", "template-extension")
"""Folders that owners give locations of their own, and may forget a slash with."""


def attempts(subject: Subject, place: Place) -> Iterator[Attempt]:
    """All attempts at one photo. A twin of the same shape gets the same ones, in the same order."""
    yield from _files(subject, place)
    yield from _sizes(subject, place)
    yield from _action(subject, place)
    yield from _links(subject, place)
    yield from _internal(subject, place)
    yield from _said(subject, place)


def ops_attempts(place: Place) -> Iterator[Attempt]:
    """Attempts at the daemon's own addresses, which no visitor may reach."""
    for target in OPS:
        yield Attempt("ops", "through the web server", target)
    yield Attempt("ops", "below the gallery's address", f"{place.base}-/metrics")
    yield Attempt("ops", "with another Host", "/-/metrics", headers=(("Host", NO_HOST),))


def in_words(area: str) -> str:
    """An area as a person reads it."""
    return AREAS.get(area, f"files below {area}")


def area_of(path: str, upload: str = "upload") -> str:
    """The area of an original's path: that of uploads, or the folder itself, as further sites of Piwigo have others."""
    return "upload/" if path.startswith(f"{upload}/") else f"{path.partition('/')[0]}/"


def _files(subject: Subject, place: Place) -> Iterator[Attempt]:
    area = area_of(subject.path, place.upload)
    for trick, target in spellings(place.base, subject.path):
        yield Attempt(area, trick, target)
    path = encoded(subject.path)
    for folder in ALIASED:
        yield Attempt(area, "a location that lacks a slash", f"{place.base}{folder}../{path}")
    if place.base != "/":
        above = f"{place.base.rstrip('/')}../{quote(place.folder)}/{path}"
        yield Attempt(area, "a location that lacks a slash", above)
    target = place.base + path
    yield Attempt(area, "a part of the file", target, headers=(("Range", "bytes=0-1023"),))
    yield Attempt(area, "its end only", target, headers=(("Range", "bytes=-1024"),))
    yield Attempt(area, "HEAD", target, "HEAD")
    yield Attempt(area, "POST", target, "POST")
    yield Attempt(area, "any version", target, headers=(("If-None-Match", "*"),))
    beside = [path for _, path in subject.formats] + ([subject.representative] if subject.representative else [])
    for other in beside:
        for trick, target in list(spellings(place.base, other))[:4]:
            yield Attempt(area, f"{'representative' if other == subject.representative else 'format'}, {trick}", target)


def _sizes(subject: Subject, place: Place) -> Iterator[Attempt]:
    base = place.base
    for number, size in enumerate(subject.sizes):
        path = encoded(size)
        yield Attempt("i.php", "plain", f"{base}i.php?/{path}")
        yield Attempt("i/", "plain", f"{base}i/{path}")
        yield Attempt("i.php", "as a path", f"{base}i.php/{path}")
        yield Attempt("_data/i/", "plain", f"{base}{place.data}/i/{path}")
        if number:
            continue
        yield Attempt("i.php", "without a slash", f"{base}i.php?{path}")
        yield Attempt("i.php", "as data", f"{base}i.php?/{path}&ajaxload=true")
        yield Attempt("i.php", "not kept", f"{base}i.php?/{path}&b=1")
        yield Attempt("i.php", "encoded", f"{base}i.php?{quote('/' + size, safe='')}")
        yield Attempt("i.php", "with a key that nobody has", f"{base}i.php?/{path}&auth={subject.made_up[:30]}")
        yield Attempt("i.php", "another name of the program", f"{base}i%2ephp?/{path}")
        yield Attempt("i.php", "another case of the program", f"{base}I.PHP?/{path}")
        yield Attempt("i.php", "a doubled slash in front", f"{base}/i.php?/{path}")
        yield Attempt("i.php", "up and down", f"{base}themes/../i.php?/{path}")
        yield Attempt("i.php", "a dot in front", f"{base}./i.php?/{path}")
        yield Attempt("i.php", "HEAD", f"{base}i.php?/{path}", "HEAD")
        yield Attempt("i.php", "POST", f"{base}i.php?/{path}", "POST")
        yield Attempt("i.php", "a forged session", f"{base}i.php?/{path}", headers=_forged_cookies())
        data = f"{place.data}/i"
        for trick, target in list(spellings(base, f"{data}/{size}"))[1:]:
            yield Attempt("_data/i/", trick, target)
        yield Attempt("_data/i/", "a location that lacks a slash", f"{base}{place.data}../{encoded(data)}/{path}")
        yield Attempt("_data/i/", "a location that lacks a slash", f"{base}i../{place.data}/i/{path}")
        yield Attempt("_data/i/", "a location that lacks a slash", f"{base}i../i/{path}")
        yield Attempt("i/", "an encoded letter", f"{base}%69/{path}")
        yield Attempt("i/", "doubled slashes", f"{base}i//{path}")
        yield Attempt("i/", "with a question mark", f"{base}i?/{path}")


def _action(subject: Subject, place: Place) -> Iterator[Attempt]:
    action = f"{place.base}action.php"
    number = subject.photo_id
    for trick, query in (
        ("plain", f"id={number}&part=e"),
        ("as a download", f"id={number}&part=e&download"),
        ("the representative", f"id={number}&part=r"),
        ("a number in other words", f"id=0{number}&part=e"),
        ("a fraction", f"id={number}.0&part=e"),
        ("a list", f"id[]={number}&part=e"),
        ("two numbers", f"id=0&id={number}&part=e"),
        ("a space in front", f"id=%20{number}&part=e"),
        ("a forged token", f"id={number}&part=e&pwg_token={subject.made_up}"),
        ("a key that nobody has", f"id={number}&part=e&auth={subject.made_up[:30]}"),
    ):
        yield Attempt("action.php", trick, f"{action}?{query}")
    for format_id, _ in subject.formats:
        yield Attempt("action.php", "a format", f"{action}?id={number}&part=f&format={format_id}")
        yield Attempt("action.php", "a format alone", f"{action}?format={format_id}")
    query = f"?id={number}&part=e"
    yield Attempt("action.php", "with a path behind it", f"{action}/x{query}")
    yield Attempt("action.php", "a doubled slash in front", f"{place.base}/action.php{query}")
    yield Attempt("action.php", "encoded", f"{place.base}action%2ephp{query}")
    yield Attempt("action.php", "a part of the file", action + query, headers=(("Range", "bytes=0-1023"),))
    yield Attempt("action.php", "HEAD", action + query, "HEAD")
    yield Attempt("action.php", "a forged session", action + query, headers=_forged_cookies())


def _links(subject: Subject, place: Place) -> Iterator[Attempt]:
    extension = subject.path.rpartition(".")[2].lower()
    for token in subject.forged_links():
        yield Attempt("links", "signed by a stranger", f"{place.base}{place.links}/{token}.{extension}")
    yield Attempt("links", "not signed", f"{place.base}{place.links}/{subject.unsigned_link()}.{extension}")


def _internal(subject: Subject, place: Place) -> Iterator[Attempt]:
    inner, path = place.internal, encoded(subject.path)
    yield Attempt("internal", "plain", f"{inner}/originals/{path}")
    yield Attempt("internal", "doubled slashes", f"/{inner}//originals//{path}")
    yield Attempt("internal", "an encoded letter", f"/%{ord(inner[1]):02x}{inner[2:]}/originals/{path}")
    yield Attempt("internal", "a location that lacks a slash", f"{inner}/originals../{quote(place.folder)}/{path}")
    yield Attempt("internal", "below the gallery's address", f"{place.base.rstrip('/')}{inner}/originals/{path}")
    if subject.cached:
        yield Attempt("internal", "a file of the cache", f"{inner}/cache/{subject.cached}")
        yield Attempt("cache", "below the gallery's address", f"{place.base}cache/{subject.cached}")
        for cache in place.caches:
            yield Attempt("cache", "plain", f"{encoded(cache)}/{subject.cached}")


def _said(subject: Subject, place: Place) -> Iterator[Attempt]:
    base, path = place.base, encoded(subject.path)
    pictures = [base + path]
    if subject.sizes:
        pictures.append(f"{base}i.php?/{encoded(subject.sizes[0])}")
    for target in pictures:
        yield Attempt("said", "to be a user of the gallery", target, headers=(("X-Remote-User", place.user),))
        yield Attempt("said", "to be a user, in other words", target, headers=(("X_Remote_User", place.user),))
        login = b64encode(f"{place.user}:{subject.made_up}".encode()).decode()
        yield Attempt("said", UNASKED, target, headers=(("Authorization", f"Basic {login}"),))
        here = (("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Forwarded", "for=127.0.0.1"))
        yield Attempt("said", "to come from the server itself", target, headers=here)
        yield Attempt("door", "asking for another host", target, headers=(("Host", NO_HOST),))
        yield Attempt("said", "to mean GET", target, "POST", (("X-HTTP-Method-Override", "GET"),))
    for header in ("X-Original-URL", "X-Rewrite-URL"):
        yield Attempt("said", f"to mean another address ({header})", base, headers=((header, base + path),))
    inner = f"{place.internal}/originals/{path}"
    yield Attempt("said", "to be pwgserve (X-Accel-Redirect)", pictures[0], headers=(("X-Accel-Redirect", inner),))
    yield Attempt("said", "to be pwgserve (X-Sendfile)", pictures[0], headers=(("X-Sendfile", f"/{path}"),))


def _forged_cookies() -> tuple[tuple[str, str], ...]:
    remembered = f"1-{FAR_FUTURE}-{secrets.token_urlsafe(20)}"
    return (("Cookie", f"pwg_id={secrets.token_hex(13)}; pwg_remember={remembered}"),)
