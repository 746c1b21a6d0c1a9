"""Makes the attempts at hidden photos, each with the same one at a twin, and notes what they came to.

What is tried is in `attempts` and `doors`, what an answer gives away in `verdicts`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from pwgserve.check.attempts import Attempt, Subject
from pwgserve.check.mending import Mender
from pwgserve.check.report import Finding, Report
from pwgserve.check.samples import Sample
from pwgserve.check.stranger import Stranger, UnreachableError
from pwgserve.check.verdicts import Answer, Verdict, differs, differs_in_figures, is_ops, judge, seen

LOOKS_AT_FIGURES = 6
"""How often is looked again at answers that differ in figures alone: a page that tells how many milliseconds it took
says the same twice by chance, and something else of its twin."""

Progress = Callable[[int, int], None]
"""Is told how many attempts have been made, and of how many."""


@dataclass(frozen=True)
class Try:
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


async def try_all(
    report: Report,
    stranger: Stranger,
    mender: Mender,
    tries: Sequence[Try],
    ops: Sequence[Attempt],
    progress: Progress,
) -> None:
    """Make all of these and note what came of them. Raises UnreachableError."""
    total, done = len(tries) + len(ops), 0
    twins: dict[_Shape, tuple[Try, asyncio.Task[Answer]]] = {}
    results: list[tuple[Try, Verdict, int]] = []

    async def made(one: Try) -> None:
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
        note(report, mender, attempt, verdict, answer.status, None)
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
        # What comes out at the gallery's own address says nothing about this machine's, asked for that name.
        is_same = _is_own_site(one.attempt, report.url) and ("", one.attempt.target, verdict) in leaking
        if is_same and verdict.is_leak:
            continue
        # What comes out unasked says nothing about a header.
        known = (one.attempt.origin, one.attempt.target, Verdict.PICTURE)
        if not (one.attempt.headers and one.attempt.area in ("said", "door") and known in leaking):
            note(report, mender, one.attempt, verdict, status, one.sample.subject.photo_id)


def _is_own_site(attempt: Attempt, url: str) -> bool:
    """Whether an attempt asks another address for the gallery's own site."""
    own, other = urlsplit(url), urlsplit(attempt.origin)
    return (own.scheme, own.hostname, own.port) == (other.scheme, attempt.server_name, other.port)


async def _verdict(stranger: Stranger, one: Try, answer: Answer, other: Try, twin: Answer) -> Verdict:
    """What an answer gives away. twin: the answer to the twin of `other`, an attempt of the same shape."""
    verdict = judge(answer, twin, one.sample.files)
    if verdict is not Verdict.CLOSED:
        return verdict
    final = await stranger.end(answer, one.attempt)
    if judge(final, twin, one.sample.files).is_leak:
        # Some sites send whoever asks for any picture to one that says so.
        led = judge(final, await stranger.end(twin, other.twin), one.sample.files)
        if led.is_leak:
            return led
    words = repeated((one.attempt.target, one.sample.subject), (other.twin.target, other.sample.twin))
    if not differs(answer, twin, words, is_steady=True):
        return Verdict.CLOSED
    # A page may hold the time of day. Whatever is another answer each time tells nothing.
    is_steady = True
    for _ in range(LOOKS_AT_FIGURES if differs_in_figures(answer, twin, words) else 1):
        again, twin_again = await stranger.ask(one.attempt), await stranger.ask(other.twin)
        is_steady &= seen(answer, words) == seen(again, words) and seen(twin, words) == seen(twin_again, words)
        if again.is_unclear or twin_again.is_unclear:
            return Verdict.UNCLEAR
        if not differs(again, twin_again, words, is_steady):
            return Verdict.CLOSED
    return Verdict.EXISTENCE


def repeated(*requests: tuple[str, Subject]) -> tuple[str, ...]:
    """What answers may repeat of requests, given by address and photo: all of the address, or what stands in it of the
    photo. The longest first."""
    found = {
        word
        for target, subject in requests
        for word in (target, quote(target), quote(target, safe=""), *subject.words())
    }
    return tuple(sorted(found, key=len, reverse=True))


def note(report: Report, mender: Mender, attempt: Attempt, verdict: Verdict, status: int, photo: int | None) -> None:
    """Note what an attempt came to, with what is to be mended."""
    if verdict is Verdict.CLOSED:
        report.closed[attempt.area] = report.closed.get(attempt.area, 0) + 1
        return
    mend = mender.advice(attempt, verdict)
    if verdict is Verdict.UNCLEAR:
        mend = "is pwgserve running, and is the web server? Then run this again"
    report.findings.append(Finding(verdict, attempt.area, attempt.trick, photo, status, mend))
