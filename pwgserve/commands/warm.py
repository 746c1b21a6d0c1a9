"""`pwgserve warm`: renders what pages will show, before visitors come."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from pwgserve import logs, settings_file
from pwgserve.commands.options import ROW, chosen_albums, config_file
from pwgserve.commands.owner import keys_as_owner
from pwgserve.finished import Derivatives
from pwgserve.foundation import Foundation, encodings_of, pool_settings
from pwgserve.keys.keywatch import KeyWatch
from pwgserve.numbers.opsclient import OpsClient
from pwgserve.piwigo.derivatives import CODES
from pwgserve.piwigo.gallery import BULK_SECONDS, GalleryUnavailableError
from pwgserve.piwigo.walking import Walk
from pwgserve.render import machine
from pwgserve.render.pool import RenderPool
from pwgserve.settings import Settings
from pwgserve.warming import BROKEN_TOLD, BROWSERS, PROGRAMS, FullError, Tally, Warming

DEFAULT_TYPES = "sq,th,me"
"""What album and picture pages of Piwigo show before anybody chooses another size."""

FOR = {"all": (PROGRAMS, BROWSERS), "browsers": (BROWSERS,), "programs": (PROGRAMS,)}
"""For whom is rendered → what they accept. Browsers get `render.formats`; phone apps what there always was."""

NICENESS = 15
LINE_SECONDS = 10.0
"""How often a line is written where no bar can be drawn."""

FAILED = 1
INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""


@click.command("warm")
@config_file
@chosen_albums
@click.option("--types", default=DEFAULT_TYPES, show_default=True, metavar="TYPES", help="Sizes by code, or all.")
@click.option(
    "--for", "whom", type=click.Choice(list(FOR)), default="all", show_default=True, help="Whose encodings of pictures."
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=None, help="Renderings at once; default: half of render.workers."
)
@click.option("--after", type=click.IntRange(0, ROW.max), default=0, metavar="ID", help="Go on behind this photo.")
def warm_command(
    file: Path, albums: tuple[int, ...], sub_albums: bool, types: str, whom: str, jobs: int | None, after: int
) -> None:
    """Render what is not in the cache yet, as the lowest of priorities. Ctrl-C stops it; run it again to go on.

    Works beside a running daemon and without one. Exit code 1 when photos failed; they are listed at the end.
    """
    found = settings_file.load(file)
    logs.configure("error", found.log.format)
    keys = keys_as_owner(found)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)  # renderings inherit it, and the kernel reads and writes for others first
    machine.open_files()
    codes = _codes(types)
    tally = Tally(after=after)
    try:
        uvloop.run(_warm(found, keys, albums, sub_albums, codes, FOR[whom], jobs, tally))
    except KeyboardInterrupt:
        click.echo(f"\nStopped. What is done is in the cache. To go on:\n  {_command_to_go_on(tally)}", err=True)
        sys.exit(INTERRUPTED)
    except FullError as error:
        click.echo(f"pwgserve: {error}. To go on:\n  {_command_to_go_on(tally)}", err=True)
        sys.exit(FAILED)
    except OSError as error:
        problem = error.strerror or type(error).__name__
        click.echo(f"pwgserve: {problem}. To go on:\n  {_command_to_go_on(tally)}", err=True)
        sys.exit(FAILED)
    except GalleryUnavailableError:
        if tally.photos:
            click.echo(f"To go on when it answers again:\n  {_command_to_go_on(tally)}", err=True)
        raise
    _tell(tally)
    sys.exit(FAILED if tally.failed else 0)


def _codes(types: str) -> list[str]:
    codes = list(CODES) if types.strip() == "all" else [code.strip() for code in types.split(",") if code.strip()]
    unknown = [code for code in codes if code not in CODES]
    if unknown or not codes:
        raise click.UsageError(f"--types: {unknown[0] if unknown else ''!r} is no size; there are {', '.join(CODES)}")
    return codes


async def _warm(
    found: Settings,
    keys: KeyWatch,
    album_ids: tuple[int, ...],
    sub_albums: bool,
    codes: list[str],
    accepts: tuple[str, ...],
    jobs: int | None,
    tally: Tally,
) -> None:
    async with AsyncExitStack() as resources:
        house = await Foundation.open(found, resources, keys, BULK_SECONDS)
        albums = await house.albums(album_ids, sub_albums)
        wanted = pool_settings(found.render, found.cache.dir)
        at_once = jobs or max(1, wanted.workers // 2)
        # Nobody looks at a screen: a large picture waits for those of visitors, however many there are.
        pool = RenderPool(replace(wanted, workers=at_once, queue=8 * at_once * len(codes), patience=None))
        resources.push_async_callback(pool.close)
        await pool.start()
        derivatives = Derivatives(house.cache, pool, house.sources, lambda _seconds: None)
        # Whoever interrupts it does not wait until a large picture of visitors lets ours have its turn.
        resources.push_async_callback(derivatives.abandon)
        _let_go_when_stopped(derivatives)
        visitors = OpsClient(found.server.listen)
        resources.push_async_callback(visitors.close)
        warming = Warming(
            catalogue=house.catalogue,
            sources=house.sources,
            derivatives=derivatives,
            cache=house.cache,
            types=codes,
            encodings=encodings_of(found.render, pool),
            accepts=accepts,
            at_once=at_once,
            let_pass=visitors.wait_while_rendering,
        )
        walk = Walk(house.gallery, albums)
        total = await walk.count(tally.after)
        with _shown(total, tally) as advance:
            await warming.run(walk.photos(tally.after), tally, advance)


def _let_go_when_stopped(derivatives: Derivatives) -> None:
    """Let Ctrl-Z in a terminal keep no visitor waiting for what this process has in its hands."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        derivatives.let_go()
        loop.remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)  # returns when it is to go on
        loop.add_signal_handler(signal.SIGTSTP, stop)

    if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
        loop.add_signal_handler(signal.SIGTSTP, stop)


@contextlib.contextmanager
def _shown(total: int, tally: Tally) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, else a line now and then. Gives what is to be called for each photo."""
    console = Console(stderr=True)
    if not console.is_terminal:
        lines = _Lines(total, tally)
        yield lines.advance
        return
    columns = (
        TextColumn("Warming"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[made]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("warm", total=total, made="")
        yield lambda: progress.update(task, advance=1, made=_made(tally))


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="progress.data.speed")


class _Lines:
    """Progress where lines are kept: in a service's log, or a file."""

    def __init__(self, total: int, tally: Tally) -> None:
        self._total, self._tally = total, tally
        self._begun = self._last = time.monotonic()

    def advance(self) -> None:
        now = time.monotonic()
        if now - self._last < LINE_SECONDS:
            return
        self._last = now
        done = self._tally.photos
        rate = done / (now - self._begun)
        left = (self._total - done) / rate
        click.echo(
            f"{done} of {self._total} photos, {rate:.1f}/s, about {_span(left)} left; {_made(self._tally)}", err=True
        )


def _made(tally: Tally) -> str:
    failed = f", {tally.failed} failed" if tally.failed else ""
    return f"{tally.rendered} rendered{failed}"


def _span(seconds: float) -> str:
    minutes = int(seconds + 59) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _tell(tally: Tally) -> None:
    click.echo(
        f"{tally.photos} photos: {tally.rendered} pictures rendered, {tally.was_there} were there already, "
        f"{tally.not_needed} are shown as they are, {tally.failed} failed"
    )
    for photo_id, wanted, problem in tally.broken:
        click.echo(f"  photo {photo_id} ({wanted}): {problem}")
    if tally.failed > BROKEN_TOLD:
        click.echo(f"  and {tally.failed - BROKEN_TOLD} more")


def _command_to_go_on(tally: Tally) -> str:
    """The command line as it was given, with the place to go on from."""
    given, kept, skip = sys.argv[1:], [], False
    for word in given:
        if skip or word.startswith("--after="):
            skip = False
            continue
        if word == "--after":
            skip = True
            continue
        kept.append(word)
    return shlex.join(["pwgserve", *kept, "--after", str(tally.after)])
