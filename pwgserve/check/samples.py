"""Chooses the photos that are tried: different kinds of hidden ones, and public ones as a control.

Asks the gallery's database and looks at its files; sends nothing.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pwgserve.check.attempts import Subject
from pwgserve.check.verdicts import COMPARED, KnownFile
from pwgserve.piwigo.gallery import Gallery
from pwgserve.piwigo.hidden import candidates, folders, formats_of, largest_id
from pwgserve.piwigo.permissions import Photo, Viewer, may_see
from pwgserve.piwigo.requests import UnservedRequestError, clean_path, data_folder, format_path, representative_path
from pwgserve.targets import GallerySettings

WINDOWS = 6
WINDOW = 60
"""How many places of a gallery are looked at, and how many photos there."""

SIZES = ("me", "sq", "xx", "th", "sm", "la")
"""Types that are tried, the first enabled one in all spellings."""

FOLDERS = 50
"""How many folders of photos are looked at, besides the usual two."""

HEAD = 65_536

TWINS = 20
"""How many names are tried for a photo that does not exist."""


@dataclass(frozen=True)
class Sample:
    """A hidden photo: what is tried, its twin that does not exist, and what must not get out."""

    subject: Subject
    twin: Subject
    files: tuple[KnownFile, ...]


async def hidden_photos(gallery: Gallery, guest: Viewer | None, settings: GallerySettings, number: int) -> list[Photo]:
    """Photos that guests may not see, of as many kinds as there are. Raises GalleryUnavailableError."""
    level = guest.level if guest else 0
    found = {}
    for start in await _starts(gallery):
        # A gallery that is closed to guests hides all of its photos.
        for hidden in (True, False):
            for photo in await candidates(gallery, start, WINDOW, hidden, level):
                if guest is None or not may_see(guest, photo, settings.rules):
                    found[photo.photo_id] = photo
    return chosen(list(found.values()), number)


async def folders_of_photos(gallery: Gallery, settings: GallerySettings) -> tuple[list[str], bool]:
    """That of uploads, `galleries/`, and those of Piwigo's further sites; and whether that is all of them.

    Raises GalleryUnavailableError.
    """
    known = [f"./{clean_path(settings.conf.upload_dir)}/", "./galleries/"]
    further = await folders(gallery, known, FOLDERS + 1)
    return [*known, *further[:FOLDERS]], len(further) <= FOLDERS


async def one_of_each_folder(
    gallery: Gallery, guest: Viewer | None, settings: GallerySettings, places: Sequence[str], taken: Sequence[Photo]
) -> list[Photo]:
    """A hidden photo of each folder that has one, besides those that are taken: what closes one does not close another.

    Raises GalleryUnavailableError.
    """
    level = guest.level if guest else 0
    found = []
    for folder in places:
        if any(photo.path.startswith(folder) for photo in taken):
            continue
        for hidden in (True, False):
            some = await candidates(gallery, 0, WINDOW, hidden, level, folder)
            if secret := [one for one in some if guest is None or not may_see(guest, one, settings.rules)]:
                found.append(random.SystemRandom().choice(secret))
                break
    return found


async def public_photos(gallery: Gallery, guest: Viewer | None, settings: GallerySettings, number: int) -> list[Photo]:
    """Photos that guests may see, pictures first. Raises GalleryUnavailableError."""
    if guest is None:
        return []
    found = {}
    for start in await _starts(gallery):
        for photo in await candidates(gallery, start, WINDOW, hidden=False, level=guest.level):
            if may_see(guest, photo, settings.rules) and settings.conf.is_picture(photo.extension):
                found[photo.photo_id] = photo
        if len(found) >= number:
            break
    return list(found.values())[:number]


def chosen(photos: Sequence[Photo], number: int) -> list[Photo]:
    """At most `number` photos, each time the first of a kind that is not there yet."""
    left, found = list(photos), list[Photo]()
    random.SystemRandom().shuffle(left)
    seen: dict[tuple[object, ...], int] = {}
    while left and len(found) < number:
        best = min(left, key=lambda photo: seen.get(_kind(photo), 0))
        left.remove(best)
        found.append(best)
        seen[_kind(best)] = seen.get(_kind(best), 0) + 1
    return found


async def sample(gallery: Gallery, photo: Photo, settings: GallerySettings, root: Path, cached: str | None) -> Sample:
    """A photo with all that belongs to it, and its twin. Raises GalleryUnavailableError and UnservedRequestError."""
    path = clean_path(photo.path)
    if not photo.extension or "/" not in path:
        raise UnservedRequestError("a name that no photo of Piwigo has")
    known = await formats_of(gallery, photo.photo_id)
    formats = tuple((one.format_id, format_path(path, one.extension)) for one in known)
    representative = representative_path(path, photo.representative_ext) if photo.representative_ext else None
    source = representative or path
    made = await asyncio.to_thread(_made_by_piwigo, root, settings, source)
    codes = [code for code in SIZES if code in settings.derivatives.types][:3]
    sizes = dict.fromkeys([_size(source, code) for code in codes] + made)
    subject = Subject(photo.photo_id, path, representative, formats, tuple(sizes), cached)
    twin = await _twin(gallery, subject)
    data = f"{data_folder(settings.conf)}/i/"
    beside = [path for _, path in formats] + ([representative] if representative else [])
    paths = [path, *beside, *(data + size for size in made)]
    files = await asyncio.to_thread(_known, [root / one for one in paths])
    return Sample(subject, twin, files)


def known_file(path: Path) -> KnownFile | None:
    """What is needed to recognize a file; None when it cannot be read. Blocks."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(HEAD)
            stream.seek(max(0, size - COMPARED))
            return KnownFile(size, head, stream.read(COMPARED))
    except OSError:
        return None


def any_file_of_cache(directory: Path) -> str | None:
    """Some derivative in pwgserve's cache, by its path below it; None when there is none to be seen. Blocks."""
    try:
        for first in _two_letters(directory):
            for second in _two_letters(first):
                for file in second.iterdir():
                    return str(file.relative_to(directory))
    except OSError:
        pass
    return None


async def _starts(gallery: Gallery) -> list[int]:
    largest = await largest_id(gallery)
    return [0, *sorted(secrets.randbelow(largest + 1) for _ in range(WINDOWS - 1))] if largest else [0]


def _kind(photo: Photo) -> tuple[object, ...]:
    return (
        photo.path.removeprefix("./").partition("/")[0],
        photo.extension,
        photo.representative_ext is not None,
        photo.level > 0,
        not photo.albums,
        any(not album.visible for album in photo.albums),
    )


def _size(path: str, code: str) -> str:
    stem, _, extension = path.rpartition(".")
    return f"{stem}-{code}.{extension}"


def _made_by_piwigo(root: Path, settings: GallerySettings, path: str) -> list[str]:
    """Sizes of a photo that lie on the disk since before it was protected. Blocks."""
    stem, _, extension = path.rpartition(".")
    data = data_folder(settings.conf)
    if data is None:
        return []
    try:
        folder = (root / data / "i" / stem).parent
        names = sorted(file.name for file in folder.iterdir())
    except OSError:
        return []
    name = stem.rpartition("/")[2]
    inner = stem.rpartition("/")[0]
    own = [one for one in names if one.startswith(f"{name}-") and one.endswith(f".{extension}")]
    return [f"{inner}/{one}" for one in own[:2]]


async def _twin(gallery: Gallery, subject: Subject) -> Subject:
    """A photo of the same shape that does not exist: names that only differ in letters and digits."""
    largest = await largest_id(gallery)
    for number in range(TWINS):
        # Where names are so short that all of them may be taken, one more digit each time finds a free one.
        more = max(0, number - TWINS // 2)
        twin = twin_of(subject, largest + 1000 + secrets.randbelow(1000), more)
        if not (await gallery.photos_at([f"./{twin.path}"]))[f"./{twin.path}"]:
            return twin
    raise UnservedRequestError("no name is left for a photo that does not exist")


def twin_of(subject: Subject, photo_id: int, more: int = 0) -> Subject:
    """The subject under another name and id, spelled with the same kinds of characters. more: digits behind it."""
    stem = subject.path.rpartition(".")[0].rpartition("/")[2]
    other = _other_name(stem, more)

    def renamed(path: str) -> str:
        folder, slash, name = path.rpartition("/")
        return f"{folder}{slash}{other}{name[len(stem) :]}"

    return replace(
        subject,
        photo_id=photo_id,
        path=renamed(subject.path),
        representative=renamed(subject.representative) if subject.representative else None,
        formats=tuple((photo_id + number, renamed(path)) for number, (_, path) in enumerate(subject.formats)),
        sizes=tuple(renamed(size) for size in subject.sizes),
        cached="".join(_like(character) for character in subject.cached) if subject.cached else None,
    )


def _other_name(stem: str, more: int) -> str:
    """Another name of the same kind of characters. A name of signs alone has none, and gets digits as well."""
    digits = "".join(secrets.choice(string.digits) for _ in range(more or 6))
    if more:
        return "".join(map(_like, stem)) + digits
    for _ in range(TWINS):
        other = "".join(map(_like, stem))
        # A database that compares without case and accents must not take one for the other.
        if _bare(other) != _bare(stem):
            return other
    return stem + digits


def _bare(name: str) -> str:
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def _like(character: str) -> str:
    for letters in (string.digits, "abcdef", string.ascii_lowercase, string.ascii_uppercase):
        if character in letters:
            return secrets.choice(letters)
    return secrets.choice(_neighbours(character)) if character.isalpha() and not character.isascii() else character


def _neighbours(character: str) -> list[str]:
    """Letters of the same script and kind, with as many bytes in UTF-8: 64 of them differ in the last byte only."""
    first = ord(character) & ~63
    kind = unicodedata.category(character)
    near = [chr(code) for code in range(first, first + 64) if unicodedata.category(chr(code)) == kind]
    # Composed letters stay composed, so that no file system spells them in another way.
    return [one for one in near if unicodedata.is_normalized("NFC", one)] or [character]


def _two_letters(directory: Path) -> list[Path]:
    return [folder for folder in directory.iterdir() if len(folder.name) == 2]


def _known(paths: Sequence[Path]) -> tuple[KnownFile, ...]:
    return tuple(found for path in paths if (found := known_file(path)) is not None and found.size)
