"""Makes all attempts against a gallery's public address and collects what they came to.

What is tried is in `attempts`, what an answer gives away in `verdicts`, how it is asked in `stranger`.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from pwgserve.check.attempts import Attempt, Place, attempts, ops_attempts
from pwgserve.check.configured import of_settings, of_web_server
from pwgserve.check.doors import door_attempts, other_origins
from pwgserve.check.mending import Mender, lines_in, server_of
from pwgserve.check.reflection import reflect
from pwgserve.check.report import Control, Finding, Report
from pwgserve.check.samples import Sample, any_file_of_cache, hidden_photos, known_file, public_photos, sample
from pwgserve.check.stranger import Stranger, UnreachableError
from pwgserve.check.verdicts import Answer, Verdict, differs, is_ops, judge, seen, tells_path
from pwgserve.foundation import Reached
from pwgserve.piwigo.gallery import Gallery, GalleryConfigurationError
from pwgserve.piwigo.hidden import some_viewers
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import GalleryRules, Photo, Status, Viewer, may_see
from pwgserve.piwigo.requests import UnservedRequestError, clean_path
from pwgserve.settings import Listen, Settings
from pwgserve.setup.templates import FOLDERS, Site, WebServer
from pwgserve.targets import GallerySettings

Progress = Callable[[int, int], None]
"""Is told how many attempts have been made, and of how many."""


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


@dataclass(frozen=True)
class _Try:
    """An attempt at a hidden photo, and the same one at its twin."""

    sample: Sample
    attempt: Attempt
    twin: Attempt

    @property
    def shape(self) -> _Shape:
        """What makes two twins alike: the way of asking, and the kind of file."""
        target = self.twin.target
        for word in self.sample.twin.words():
            target = target.replace(word, "…")
        kind = self.sample.twin.path.rpartition(".")[2]
        return self.twin.method, self.twin.origin, target, kind, str(self.twin.headers)


_Shape: TypeAlias = tuple[str, str, str, str, str]


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
    front = await stranger.once(Attempt("door", "the gallery's page", site.base))
    mender = await asyncio.to_thread(_mender, options, site, front)
    gallery, how = reached.gallery, await reached.catalogue.settings()
    guest = (await People(gallery).viewers([how.conf.guest_id])).get(how.conf.guest_id)
    guest = replace(guest, status=Status.GUEST) if guest else None
    if settings.access.lockdown:
        how = replace(how, rules=GalleryRules(guest_access=False, gallery_locked=how.rules.gallery_locked))
    if options.only:
        photos = await _named(gallery, guest, how, options.only)
    else:
        photos = await hidden_photos(gallery, guest, how, options.photos)
    samples = await _samples(settings, gallery, photos, how)
    place = await _place(settings, site, gallery, how, photos)
    report.hidden = len(samples)
    report.findings += of_settings(settings)
    public = await public_photos(gallery, guest, how, 1)
    await _control(report, stranger, mender, settings, how, public, guest)
    if not samples:
        report.notes.append("No photo is hidden from guests, so there is nothing that could leak.")
    origins = await _answering(stranger, other_origins(settings.server.public_url, options.also))
    tries = [
        _Try(one, attempt, twin)
        for one in samples
        for attempt, twin in zip(
            [*attempts(one.subject, place), *door_attempts(one.subject, place, origins)],
            [*attempts(one.twin, place), *door_attempts(one.twin, place, origins)],
            strict=True,
        )
    ]
    await _all(report, stranger, mender, tries, list(ops_attempts(place)), progress)
    await reflect(report, stranger, settings, list(of_web_server(mender.lines, settings.server.listen)))
    await _direct(report, settings)
    report.requests = stranger.requests
    return report


async def _answering(stranger: Stranger, origins: Sequence[str]) -> list[str]:
    """Those where anybody answers."""
    found = []
    for origin in origins:
        try:
            await stranger.once(Attempt("door", "its first page", "/", origin=origin))
        except UnreachableError:
            continue
        found.append(origin)
    return found


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


async def _place(
    settings: Settings, site: Site, gallery: Gallery, how: GallerySettings, photos: Sequence[Photo]
) -> Place:
    root, cache = settings.piwigo.root, settings.cache.dir
    user = "webmaster"
    if how.conf.apache_authentication and photos:
        for viewer in await some_viewers(gallery, 50):
            account = (await People(gallery).accounts([viewer.user_id])).get(viewer.user_id)
            if account and viewer.user_id != how.conf.guest_id and may_see(viewer, photos[0], how.rules):
                user = account.username
                break
    return Place(
        base=site.base,
        folder=root.name,
        internal=site.internal_prefix,
        links=site.link_prefix,
        data=site.data,
        inner_cache=str(cache.relative_to(root)) if cache.is_relative_to(root) else None,
        user=user,
    )


def _mender(options: Options, site: Site, front: Answer) -> Mender:
    server = options.web_server or server_of(front.headers)
    folder = options.web_config or (FOLDERS[server] if server else None)
    return Mender(server, site, tuple(lines_in(folder)) if folder else ())


async def _all(
    report: Report,
    stranger: Stranger,
    mender: Mender,
    tries: Sequence[_Try],
    ops: Sequence[Attempt],
    progress: Progress,
) -> None:
    total, done = len(tries) + len(ops), 0
    twins: dict[_Shape, tuple[_Try, asyncio.Task[Answer]]] = {}
    results: list[tuple[_Try, Verdict, int]] = []

    async def made(one: _Try) -> None:
        nonlocal done
        # One twin stands for all photos of the same kind that are asked for in the same way.
        if one.shape not in twins:
            twins[one.shape] = (one, asyncio.create_task(stranger.ask(one.twin)))
        other, asking = twins[one.shape]
        answer, twin = await stranger.ask(one.attempt), await asking
        results.append((one, await _verdict(stranger, one, answer, other, twin), answer.status))
        done += 1
        progress(done, total)

    async def own_page(attempt: Attempt) -> None:
        nonlocal done
        answer = await stranger.ask(attempt)
        verdict = Verdict.NUMBERS if is_ops(answer) else Verdict.CLOSED
        _note(report, mender, attempt, verdict, answer.status, None)
        done += 1
        progress(done, total)

    try:
        async with asyncio.TaskGroup() as group:
            for attempt in ops:
                group.create_task(own_page(attempt))
            for one in tries:
                group.create_task(made(one))
    except* UnreachableError as errors:
        raise UnreachableError(str(errors.exceptions[0])) from errors
    finally:
        for _, asking in twins.values():
            asking.cancel()
    plain = [(one.attempt, verdict) for one, verdict, _ in results if not one.attempt.headers]
    leaking = {(attempt.origin, attempt.target, verdict) for attempt, verdict in plain}
    for one, verdict, status in results:
        # What comes out unasked says nothing about a header.
        known = (one.attempt.origin, one.attempt.target, Verdict.PICTURE)
        if not (one.attempt.headers and one.attempt.area in ("said", "door") and known in leaking):
            _note(report, mender, one.attempt, verdict, status, one.sample.subject.photo_id)


async def _verdict(stranger: Stranger, one: _Try, answer: Answer, other: _Try, twin: Answer) -> Verdict:
    """What an answer gives away. twin: the answer to the twin of `other`, an attempt of the same shape."""
    verdict = judge(answer, twin, one.sample.files)
    if verdict is not Verdict.CLOSED:
        return verdict
    final = await stranger.end(answer, one.attempt)
    if final is not answer and judge(final, twin, one.sample.files).is_leak:
        return judge(final, twin, one.sample.files)
    words, twin_words = one.sample.subject.words(), other.sample.twin.words()
    if not differs(answer, twin, words, twin_words, is_steady=True):
        return Verdict.CLOSED
    # A page may hold the time of day. Whatever is another answer each time tells nothing.
    again, twin_again = await stranger.ask(one.attempt), await stranger.ask(other.twin)
    is_steady = seen(twin, twin_words) == seen(twin_again, twin_words) and seen(answer, words) == seen(again, words)
    if again.is_unclear or twin_again.is_unclear:
        return Verdict.UNCLEAR
    return Verdict.EXISTENCE if differs(again, twin_again, words, twin_words, is_steady) else Verdict.CLOSED


def _note(report: Report, mender: Mender, attempt: Attempt, verdict: Verdict, status: int, photo: int | None) -> None:
    if verdict is Verdict.CLOSED:
        report.closed[attempt.area] = report.closed.get(attempt.area, 0) + 1
        return
    mend = mender.advice(attempt, verdict)
    if verdict is Verdict.UNCLEAR:
        mend = "is pwgserve running, and is the web server? Then run this again"
    report.findings.append(Finding(verdict, attempt.area, attempt.trick, photo, status, mend))


async def _control(
    report: Report,
    stranger: Stranger,
    mender: Mender,
    settings: Settings,
    how: GallerySettings,
    photos: Sequence[Photo],
    guest: Viewer | None,
) -> None:
    """A public photo must be shown, through pwgserve."""
    if not photos:
        report.notes.append("No photo is public, so it was not tried whether pictures are shown.")
        return
    photo = photos[0]
    base = settings.server.base_path
    code = next(code for code in ("me", *how.derivatives.types) if code in how.derivatives.types)
    stem, _, extension = clean_path(photo.path).rpartition(".")
    wanted = [("a public photo is shown", f"i.php?/{quote(stem)}-{code}.{extension}")]
    if guest is not None and guest.enabled_high:
        wanted.append(("its original can be opened", f"action.php?id={photo.photo_id}&part=e"))
    for what, target in wanted:
        attempt = Attempt("i.php", "control", base + target)
        answer = await stranger.ask(attempt)
        final = await stranger.end(answer, attempt)
        if tells_path(final):
            _note(report, mender, attempt, Verdict.PATH, final.status, photo.photo_id)
        report.controls.append(Control(f"{what} (photo {photo.photo_id})", _problem(settings, answer, final)))


def _problem(settings: Settings, answer: Answer, final: Answer) -> str:
    """Why a public photo is not shown as it should be, empty if it is."""
    folder = f"{settings.server.base_path}{settings.links.prefix}/"
    if final.status == 200 and "x-pwgserve" in final.headers and final.body:
        return "" if final is not answer else "it is shown, but without a signed link"
    if final.status == 200:
        return "it is shown, but not by pwgserve: the web server does not route this address to it"
    if answer.status == 302 and urlsplit(answer.headers.get("location", "")).path.startswith(folder):
        return f"its signed link answers {final.status}: is {folder} routed to pwgserve?"
    if answer.status >= 500:
        return f"the answer is {answer.status}: is pwgserve running, and may the web server reach it?"
    return f"the answer is {answer.status}"


async def _direct(report: Report, settings: Settings) -> None:
    """Whether the daemon itself can be reached from outside, past the web server."""
    listen = Listen.parse(settings.server.listen)
    host = urlsplit(settings.server.public_url).hostname or ""
    if listen.path or _is_loopback(listen.host):
        return
    async with Stranger(f"http://{host}:{listen.port}", 10) as stranger:
        try:
            answer = await stranger.once(Attempt("ops", "past the web server", "/-/health"))
        except UnreachableError:
            return
    if is_ops(answer):
        mend = f'server.listen: {settings.server.listen} is open to everybody; listen on "127.0.0.1:{listen.port}"'
        report.findings.append(Finding(Verdict.NUMBERS, "ops", "past the web server", None, answer.status, mend))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
