"""`pwgserve check`: proof from outside that strangers get nothing."""

from __future__ import annotations

import asyncio
import json
import math
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from pwgserve import logs, settings_file
from pwgserve.check.attempts import AREAS, in_words
from pwgserve.check.reflection import ANSWERS
from pwgserve.check.report import Finding, Report
from pwgserve.check.run import Options, check
from pwgserve.check.trying import Progress as Told
from pwgserve.check.verdicts import IN_WORDS
from pwgserve.commands.options import ROW, as_json, config_file
from pwgserve.problems import OwnerError
from pwgserve.settings import Server, Settings
from pwgserve.settings_file import SettingsError
from pwgserve.setup.templates import NAMES, WebServer

TRICKS_NAMED = 3


class _Rate(click.FloatRange):
    """A number of the range; "nan" is beyond no limit, and none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        return self.fail(f"{value!r} is not a number", param, ctx) if math.isnan(number) else number


@click.command("check")
@config_file
@as_json
@click.option("--url", default=None, metavar="URL", help="The gallery's address; default: server.public_url.")
@click.option("--photos", type=click.IntRange(1, 20), default=3, show_default=True, help="Hidden photos to try.")
@click.option("--photo", "only", type=ROW, multiple=True, metavar="ID", help="Try this one; repeatable.")
@click.option(
    "--also", multiple=True, metavar="URL", help="Another address of the same server, to try as well; repeatable."
)
@click.option("--rate", type=_Rate(1, 1000), default=40.0, show_default=True, help="Requests a second.")
@click.option("--web-server", type=click.Choice(NAMES), default=None, help="Which one it is, if it hides it.")
@click.option(
    "--web-config",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=None,
    metavar="DIR",
    help="Where its configuration lies, to find its sites; default: /etc/nginx, /etc/apache2 and /etc/caddy.",
)
def check_command(
    file: Path,
    as_json: bool,
    url: str | None,
    photos: int,
    only: tuple[int, ...],
    also: tuple[str, ...],
    rate: float,
    web_server: str | None,
    web_config: Path | None,
) -> None:
    """Try as a stranger to get hidden photos through the gallery's public address, in every way that is known.

    Exit code 0: nothing came out, and public photos are shown. 1: something leaks, or pwgserve does not answer as it
    should. 2: it cannot be told, or could not be tried. Sends a few hundred requests and no secret; fit for cron, which
    mails only what is said: use --json or mail on failure.
    """
    found = settings_file.load(file)
    for address in also:
        _with_url(found, address, "--also")
    if url is not None:
        found = _with_url(found, url)
    logs.configure("error", found.log.format)
    options = Options(photos, rate, only, WebServer(web_server) if web_server else None, web_config, also)
    try:
        report = _made(found, options, is_quiet=as_json)
    except OwnerError:
        raise
    except Exception:
        # Python ends with 1, which means that something leaks, and nothing else.
        traceback.print_exc()
        sys.exit(2)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(report, Console(highlight=False, soft_wrap=True))
    sys.exit(report.exit_code)


def _with_url(found: Settings, url: str, option: str = "--url") -> Settings:
    values = found.server.model_dump() | {"public_url": url}
    try:
        return found.model_copy(update={"server": Server.model_validate(values)})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{option}: {url}: {problem}") from error


def _made(found: Settings, options: Options, is_quiet: bool) -> Report:
    console = Console(stderr=True)
    if is_quiet or not console.is_terminal:
        return asyncio.run(check(found, options, lambda done, total: None))
    columns = (TextColumn("Trying as a stranger"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        told: Told = tell
        return asyncio.run(check(found, options, told))


def _show(report: Report, console: Console) -> None:
    console.print(f"{escape(report.url)}: {report.requests} requests, {report.hidden} hidden photos tried\n")
    areas = dict.fromkeys([*AREAS, *report.closed, *(finding.area for finding in report.findings)])
    for area, name in ((area, in_words(area)) for area in areas):
        open_here = [finding for finding in report.findings if finding.area == area]
        if open_here:
            _show_area(name, open_here, console)
        elif report.closed.get(area):
            console.print(f"[green]closed[/]   {name} ({report.closed[area]} attempts)")
    for control in report.controls:
        mark = "[red]broken[/]" if control.problem else "[green]works[/] "
        console.print(f"{mark}   {escape(control.what)}" + (f": {escape(control.problem)}" if control.problem else ""))
    for note in report.notes:
        console.print(f"[yellow]note[/]     {escape(note)}")
    for doubt in report.doubts:
        console.print(f"[yellow]unclear[/]  {escape(doubt)}")
    console.print()
    match report.exit_code:
        case 0 if not report.hidden:
            console.print("[green]No hidden photo is there to be tried, and nothing else was found open.[/]")
        case 0:
            console.print("[green]All closed: no hidden photo came out.[/]")
        case 1 if report.leaks:
            console.print("[red]Photos leak. Mend what is named above, reload the web server, and run this again.[/]")
        case 1 if report.unclear or any(control.what == ANSWERS for control in report.broken):
            console.print("[red]pwgserve does not answer as it should, so it cannot be told whether photos leak.[/]")
        case 1:
            console.print("[red]Nothing leaks, but pictures are not shown as they should be.[/]")
        case _ if report.doubts:
            console.print("[yellow]It cannot be told whether photos leak: see what is unclear above.[/]")
        case _:
            console.print("[yellow]It cannot be told: some answers were not clear. Run this again.[/]")


def _show_area(name: str, findings: Sequence[Finding], console: Console) -> None:
    by_advice: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_advice.setdefault((finding.verdict, finding.mend), []).append(finding)
    for (_, mend), alike in by_advice.items():
        verdict = alike[0].verdict
        mark = "[red]OPEN[/]  " if verdict.is_leak else "[yellow]unclear[/]"
        tricks = list(dict.fromkeys(finding.trick for finding in alike))
        more = f" and {len(tricks) - TRICKS_NAMED} more ways" if len(tricks) > TRICKS_NAMED else ""
        photos = sorted({finding.photo for finding in alike if finding.photo is not None})
        whose = f", photos {', '.join(map(str, photos))}" if photos else ""
        console.print(f"{mark}   {name}: {IN_WORDS[verdict]} ({escape(', '.join(tricks[:TRICKS_NAMED]))}{more}{whose})")
        console.print(f"         mend: {escape(mend)}")
