"""Makes all attempts against a gallery's public address and collects what they came to.

What is tried is in `attempts`, what an answer gives away in `verdicts`, how it is asked in `stranger`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from pwgserve.check.attempts import Attempt, Place, attempts, ops_attempts
from pwgserve.check.configured import of_settings, of_web_server, served_cache
from pwgserve.check.controls import control, past_the_web_server
from pwgserve.check.doors import Door, door_attempts, other_doors
from pwgserve.check.mending import Mender, server_of
from pwgserve.check.neighbours import neighbours
from pwgserve.check.reflection import reflect
from pwgserve.check.report import Report
from pwgserve.check.samples import (
    Sample,
    any_file_of_cache,
    folders_of_photos,
    hidden_photos,
    known_file,
    one_of_each_folder,
    public_photos,
    sample,
)
from pwgserve.check.spelling import encoded
from pwgserve.check.stranger import Stranger, UnreachableError
from pwgserve.check.trying import Progress, Try, try_all
from pwgserve.check.verdicts import leads_to
from pwgserve.foundation import Reached
from pwgserve.piwigo.gallery import Gallery, GalleryConfigurationError
from pwgserve.piwigo.hidden import some_viewers
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import GalleryRules, Photo, Status, Viewer, may_see
from pwgserve.piwigo.requests import UnservedRequestError
from pwgserve.settings import Settings
from pwgserve.setup import machine
from pwgserve.setup.sites import FoundSite, sites_in, unknown_folders
from pwgserve.setup.templates import FOLDERS, Site, WebServer
from pwgserve.setup.webconfig import WebConfig, read
from pwgserve.targets import GallerySettings

UNREAD_NAMED = 3


@dataclass(frozen=True)
class Options:
    """How a check is made. photos: how many hidden ones are tried. rate: requests a second.

    only: ids of the photos to try, none to choose. web_server, web_config: which server it is and where its
    configuration lies, None to find out. also: other addresses of the same server.
    """

    photos: int = 3
    rate: float = 40.0
    only: tuple[int, ...] = ()
    web_server: WebServer | None = None
    web_config: Path | None = None
    also: tuple[str, ...] = ()


async def check(settings: Settings, options: Options, progress: Progress) -> Report:
    """Try everything. Raises UnreachableError, and what reaching the gallery's database raises."""
    async with AsyncExitStack() as resources:
        reached = await Reached.open(settings, resources)
        parts = urlsplit(settings.server.public_url)
        stranger = await resources.enter_async_context(Stranger(f"{parts.scheme}://{parts.netloc}", options.rate))
        return await _checked(settings, options, reached, stranger, progress)


async def _checked(
    settings: Settings, options: Options, reached: Reached, stranger: Stranger, progress: Progress
) -> Report:
    report = Report(settings.server.public_url)
    site = Site.of(settings, reached.conf)
    front = await stranger.once(Attempt("door", "the gallery's page", settings.server.base_path))
    named = options.web_server or server_of(front.headers)
    configs = await asyncio.to_thread(_configs, options, named)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(settings.server.public_url))
    if (elsewhere := leads_to(front)) not in ("", origin):
        report.notes.append(
            f"server.public_url redirects to {elsewhere}; write the address where visitors end. If that is a login of "
            "the web server, pictures must ask for it, too: docs/install.md, “Your web server's own login”."
        )
    gallery, how = reached.gallery, await reached.catalogue.settings()
    guest = (await People(gallery).viewers([how.conf.guest_id])).get(how.conf.guest_id)
    guest = replace(guest, status=Status.GUEST) if guest else None
    if settings.access.lockdown:
        how = replace(how, rules=GalleryRules(guest_access=False, gallery_locked=how.rules.gallery_locked))
    if options.only:
        photos = await _named(gallery, guest, how, options.only)
    else:
        photos = await hidden_photos(gallery, guest, how, options.photos)
        folders, is_all = await folders_of_photos(gallery, how)
        photos += await one_of_each_folder(gallery, guest, how, folders, photos)
        if not is_all:
            report.doubts.append(
                f"Photos lie in more folders than the {len(folders)} of which one was tried; name hidden ones of the "
                "others with --photo."
            )
    samples = await _samples(settings, gallery, photos, how)
    sites = await asyncio.to_thread(_sites, configs, site, [one.subject.path for one in samples])
    mender = _mender(named, configs, site, sites)
    caches = await asyncio.to_thread(served_cache, settings.cache.dir, site, mender.config)
    place = replace(await _place(site, gallery, how, photos), caches=tuple(encoded(one.path) for one in caches))
    report.hidden = len(samples)
    report.findings += of_settings(settings)
    report.findings += [one.finding for one in caches if one.finding]
    public = await public_photos(gallery, guest, how, 1)
    await control(report, stranger, mender, settings, how, public, guest, front)
    _tell_untried(report, photos, samples)
    doors = await _other_doors(report, stranger, settings, options)
    doors += await _neighbours(report, stranger, mender, configs, doors)
    tries = [
        Try(one, attempt, twin)
        for one in samples
        for attempt, twin in zip(
            [*attempts(one.subject, place), *door_attempts(one.subject, place, doors)],
            [*attempts(one.twin, place), *door_attempts(one.twin, place, doors)],
            strict=True,
        )
    ]
    await try_all(report, stranger, mender, tries, list(ops_attempts(place)), progress)
    await reflect(report, stranger, settings, list(of_web_server(mender.config.lines, settings.server.listen)))
    await past_the_web_server(report, settings)
    report.requests = stranger.requests
    return report


def _tell_untried(report: Report, photos: Sequence[Photo], samples: Sequence[Sample]) -> None:
    """Say which hidden photos were not tried: what was not tried is not closed."""
    if not photos:
        report.notes.append("No photo was found that is hidden from guests, so none was tried.")
    tried = {one.subject.photo_id for one in samples}
    names = ", ".join(str(photo.photo_id) for photo in photos if photo.photo_id not in tried)
    if names:
        told = report.notes if samples else report.doubts
        told.append(f"Hidden photos that cannot be tried, because of the characters in their names: {names}.")


async def _other_doors(report: Report, stranger: Stranger, settings: Settings, options: Options) -> list[Door]:
    """Those where anybody answers; what the owner named must."""
    found = []
    for door in other_doors(settings.server.public_url, (*settings.check.also, *options.also)):
        if await _answers(stranger, door):
            found.append(door)
        elif door.is_named:
            report.doubts.append(f"{door.origin} does not answer, so it was not tried.")
    return found


async def _neighbours(
    report: Report, stranger: Stranger, mender: Mender, configs: Sequence[WebConfig], others: Sequence[Door]
) -> list[Door]:
    """Further sites of the web servers that show the gallery, where they answer. others: what is tried anyway."""
    if not any(not site.part for site in mender.sites):
        report.notes.append(
            "No configuration of a web server here shows the gallery, so further sites that do were not looked for; "
            "say where it lies with --web-config, or name them with --also, or check.also."
        )
    for config in configs:
        # Of a server that is not the one that answers, it may be left over.
        told = report.doubts if config.server is mender.server else report.notes
        if config.unread:
            told.append(
                f"What the web server reads besides could not be read here, so sites in it were not looked for: "
                f"{', '.join(config.unread[:UNREAD_NAMED])}. Run this as root, or let pwgserve's user read it."
            )
        told += [
            f"{line.place} names another folder for each request, so it cannot be told whether it shows the gallery: "
            "write the folder out there, or keep the gallery where that line does not lead."
            for line in unknown_folders(config, mender.site.root)
        ]
    found = []
    for one in neighbours(mender.sites, report.url, _here()):
        if one.is_inside and not one.is_protected:
            report.notes.append(f"{one.told}; only this machine reaches it.")
        if one.is_inside:
            continue
        answering = [door for door in one.doors if await _answers(stranger, door)]
        found += answering
        own = urlsplit(one.url)
        # A site may listen elsewhere than its files say; then its owner has named its address.
        is_named = any(urlsplit(door.origin).hostname == own.hostname and own.path in door.bases for door in others)
        if not (answering or one.is_protected or is_named):
            told = report.doubts if one.site.server is mender.server else report.notes
            told.append(
                f"{one.told}. It did not answer here, or to no name that can be made up, so it was not tried: "
                f"{mender.to_close(one.site)}."
            )
    return found


def _here() -> list[str]:
    """This machine's own addresses, as it goes out into the world. Sends nothing."""
    found = []
    for family, anywhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as one:
            one.connect((anywhere, 9))
            found.append(str(one.getsockname()[0]))
    return found


async def _answers(stranger: Stranger, door: Door) -> bool:
    try:
        await stranger.once(door.asking(Attempt("door", "its first page", "/")))
    except UnreachableError:
        return False
    return True


async def _named(gallery: Gallery, guest: Viewer | None, how: GallerySettings, photo_ids: Sequence[int]) -> list[Photo]:
    found = []
    photos = await gallery.photos(photo_ids)
    for photo_id in photo_ids:
        photo = photos.get(photo_id)
        if photo is None:
            raise GalleryConfigurationError(f"--photo: the gallery has no photo {photo_id}")
        if guest is not None and may_see(guest, photo, how.rules):
            raise GalleryConfigurationError(f"--photo: photo {photo_id} is public; name one that guests may not see")
        found.append(photo)
    return found


async def _samples(settings: Settings, gallery: Gallery, photos: Sequence[Photo], how: GallerySettings) -> list[Sample]:
    cached = await asyncio.to_thread(any_file_of_cache, settings.cache.dir)
    found = []
    for photo in photos:
        try:
            found.append(await sample(gallery, photo, how, settings.piwigo.root, cached))
        except UnservedRequestError:
            continue
    kept = await asyncio.to_thread(known_file, settings.cache.dir / cached) if cached else None
    return [replace(one, files=(*one.files, kept)) if kept else one for one in found]


async def _place(site: Site, gallery: Gallery, how: GallerySettings, photos: Sequence[Photo]) -> Place:
    user = "webmaster"
    if how.conf.apache_authentication and photos:
        for viewer in await some_viewers(gallery, 50):
            account = (await People(gallery).accounts([viewer.user_id])).get(viewer.user_id)
            if account and viewer.user_id != how.conf.guest_id and may_see(viewer, photos[0], how.rules):
                user = account.username
                break
    return Place(
        base=encoded(site.base),
        folder=site.root.name,
        internal=site.internal_prefix,
        links=site.link_prefix,
        data=site.data,
        upload=site.upload,
        user=user,
    )


def _configs(options: Options, named: WebServer | None) -> list[WebConfig]:
    """The configurations of web servers that are here, the one of the server that answers first. Blocks."""
    folders = dict(FOLDERS)
    if options.web_config:
        folders = dict.fromkeys([named] if named else WebServer, options.web_config)
    found = [read(server, folder) for server, folder in folders.items()]
    return sorted((one for one in found if one.parts or one.unread), key=lambda one: one.server is not named)


def _sites(configs: Sequence[WebConfig], site: Site, paths: Sequence[str]) -> tuple[FoundSite, ...]:
    """Those that show the gallery, or folders of it. paths: of photos, whose folders count as well. Blocks."""
    root = Path(os.path.realpath(site.root))
    tops = dict.fromkeys((site.upload, "galleries", f"{site.data}/i", *(path.partition("/")[0] for path in paths)))
    for folder in (str(folder) for path in paths for folder in Path(path).parents[:-2]):
        # What lies behind a link may be shown where it really is.
        if (root / folder).is_symlink():
            tops[folder] = None

    def below(folder: Path) -> list[tuple[str, str]]:
        return machine.whole(root, site.root, folder) + machine.parts(root, tops, folder)

    return tuple(one for config in configs for one in sites_in(config, below))


def _mender(named: WebServer | None, configs: Sequence[WebConfig], site: Site, sites: tuple[FoundSite, ...]) -> Mender:
    # A server that hides its name is the one whose files have the gallery's site.
    server = named or next((one.server for one in sites if not one.part), None)
    config = next((one for one in configs if one.server is server), None)
    return Mender(server, site, config or WebConfig(server), sites)
