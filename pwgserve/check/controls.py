"""What must work: a public photo is shown, by pwgserve. What is closed because nothing works is not protected.

And whether the daemon itself can be reached, past the web server.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from pwgserve.check.attempts import Attempt
from pwgserve.check.doors import is_loopback
from pwgserve.check.mending import Mender
from pwgserve.check.report import Control, Finding, Report
from pwgserve.check.stranger import HUNG_UP, Stranger, UnreachableError
from pwgserve.check.trying import note
from pwgserve.check.verdicts import Answer, Verdict, is_ops, tells_path
from pwgserve.piwigo.permissions import Photo, Viewer
from pwgserve.piwigo.requests import clean_path
from pwgserve.settings import Listen, Settings
from pwgserve.targets import GallerySettings


async def control(
    report: Report,
    stranger: Stranger,
    mender: Mender,
    settings: Settings,
    how: GallerySettings,
    photos: Sequence[Photo],
    guest: Viewer | None,
    front: Answer,
) -> None:
    """A public photo must be shown, through pwgserve. front: how the gallery's first page answers."""
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
            note(report, mender, attempt, Verdict.PATH, final.status, photo.photo_id)
        report.controls.append(Control(f"{what} (photo {photo.photo_id})", _problem(settings, answer, final, front)))


def _problem(settings: Settings, answer: Answer, final: Answer, front: Answer) -> str:
    """Why a public photo is not shown as it should be, empty if it is."""
    folder = f"{settings.server.base_path}{settings.links.prefix}/"
    if final.status == HTTPStatus.OK and front.status == HTTPStatus.UNAUTHORIZED:
        return (
            "everybody is shown it, although the web server asks for a password before the gallery's page: let it ask "
            f"for {folder} and pwgserve's other addresses as well; see docs/install.md, “Your web server's own login”"
        )
    if final.status == 200 and "x-pwgserve" in final.headers and final.body:
        return "" if final is not answer else "it is shown, but without a signed link"
    if final.status == 200:
        return "it is shown, but not by pwgserve: the web server does not route this address to it"
    if answer.status == 302 and urlsplit(answer.headers.get("location", "")).path.startswith(folder):
        return f"its signed link answers {final.status}: is {folder} routed to pwgserve?"
    if answer.status == HUNG_UP:
        return "the server hangs up without an answer: which rule of it does that?"
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return "the web server asks everybody for a password before pwgserve: what is behind that, no stranger can try"
    if answer.status >= 500:
        return f"the answer is {answer.status}: is pwgserve running, and may the web server reach it?"
    return f"the answer is {answer.status}"


async def past_the_web_server(report: Report, settings: Settings) -> None:
    """Whether the daemon itself can be reached from outside, past the web server."""
    listen = Listen.parse(settings.server.listen)
    host = urlsplit(settings.server.public_url).hostname or ""
    if listen.path or is_loopback(listen.host):
        return
    async with Stranger(f"http://{host}:{listen.port}", 10) as stranger:
        try:
            answer = await stranger.once(Attempt("ops", "past the web server", "/-/health"))
        except UnreachableError:
            return
    if is_ops(answer):
        mend = f'server.listen: {settings.server.listen} is open to everybody; listen on "127.0.0.1:{listen.port}"'
        report.findings.append(Finding(Verdict.NUMBERS, "ops", "past the web server", None, answer.status, mend))
