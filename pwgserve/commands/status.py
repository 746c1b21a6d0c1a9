"""`pwgserve status`: is the daemon healthy, and what is it doing, in the terminal."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import uvloop
from rich.console import Console
from rich.table import Table

from pwgserve import settings_file
from pwgserve.commands.options import as_json, config_file
from pwgserve.http.status_page import count, duration, percent, size, span
from pwgserve.numbers.opsclient import OpsClient
from pwgserve.numbers.shared import Samples
from pwgserve.numbers.trend import PICTURES, by, by_outcome, ratio, reasons, total

UNHEALTHY = 1


@dataclass
class Status:
    """What `status` tells. problem: why it is not healthy, empty when it is. Sizes in bytes, times in seconds."""

    healthy: bool = False
    problem: str = ""
    version: str = ""
    uptime: float = 0.0
    processes: int = 0
    connections: int = 0
    pictures: dict[str, float] = field(default_factory=dict)
    hit_rate: float | None = None
    sent_bytes: float = 0.0
    renderings: float = 0.0
    mean_render_seconds: float | None = None
    render_queue: float = 0.0
    workers: float = 0.0
    workers_confined_by: str = ""
    workers_ended: dict[str, float] = field(default_factory=dict)
    refusals: dict[str, float] = field(default_factory=dict)
    cache_bytes: float = 0.0
    cache_files: float = 0.0
    cache_limit_bytes: float = 0.0
    database_questions: float = 0.0
    database_failures: float = 0.0
    audit_lost: float = 0.0


@click.command("status")
@config_file
@as_json
def status_command(file: Path, as_json: bool) -> None:
    """Ask the running daemon how it is. Exit code 0 when it is healthy, 1 when it is not."""
    found = settings_file.load(file)
    status = uvloop.run(_asked(found.server.listen))
    if as_json:
        click.echo(json.dumps(asdict(status), indent=2))
    else:
        _show(status)
    sys.exit(0 if status.healthy else UNHEALTHY)


async def _asked(listen: str) -> Status:
    client = OpsClient(listen)
    try:
        code, text = await client.get("ready")
        told = told_by(await client.samples())
        told.healthy = code == 200
        told.problem = "" if code == 200 else text.strip()
        return told
    except (OSError, TimeoutError, ValueError) as error:
        if isinstance(error, PermissionError):
            return Status(problem=f"this user may not connect to {listen}; run this as root or as the daemon's user")
        return Status(problem=f"nothing that is pwgserve answers at {listen}; is the daemon running?")
    finally:
        await client.close()


def told_by(samples: Samples) -> Status:
    """What the daemon's numbers say."""
    outcomes = by_outcome(samples)
    pictures = {name: outcomes.get(name, 0.0) for name in PICTURES}
    rendered = total(samples, "pwgserve_render_seconds_count")
    return Status(
        version=next(iter(by(samples, "pwgserve_build_info", "version")), ""),
        uptime=total(samples, "pwgserve_uptime_seconds"),
        processes=int(total(samples, "pwgserve_processes")),
        connections=int(total(samples, "pwgserve_connections")),
        pictures=pictures,
        hit_rate=ratio(pictures["hit"], pictures["hit"] + pictures["render"]),
        sent_bytes=total(samples, "pwgserve_sent_bytes_total"),
        renderings=rendered,
        mean_render_seconds=ratio(total(samples, "pwgserve_render_seconds_sum"), rendered),
        render_queue=total(samples, "pwgserve_render_queue"),
        workers=total(samples, "pwgserve_workers"),
        workers_confined_by=next(iter(by(samples, "pwgserve_workers_confined_info", "by")), ""),
        workers_ended=by(samples, "pwgserve_workers_ended_total", "reason"),
        refusals=dict(reasons(samples)),
        cache_bytes=total(samples, "pwgserve_cache_bytes"),
        cache_files=total(samples, "pwgserve_cache_files"),
        cache_limit_bytes=total(samples, "pwgserve_cache_limit_bytes"),
        database_questions=total(samples, "pwgserve_database_questions_total"),
        database_failures=total(samples, "pwgserve_database_failures_total"),
        audit_lost=total(samples, "pwgserve_audit_lost_total"),
    )


def _show(status: Status) -> None:
    console = Console(highlight=False)
    if not status.version:
        console.print(f"[bold red]not healthy[/]  {status.problem}")
        return
    state = "[bold green]healthy[/]" if status.healthy else f"[bold red]not healthy[/]  {status.problem}"
    console.print(f"{state}  pwgserve {status.version}, up {span(status.uptime)}, {status.processes} process(es)")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    hits = percent(status.hit_rate) if status.hit_rate is not None else "–"
    sent = ", ".join(f"{count(number)} {name}" for name, number in status.pictures.items())
    mean = duration(status.mean_render_seconds) if status.mean_render_seconds is not None else "–"
    refused = ", ".join(f"{count(number)} {name}" for name, number in list(status.refusals.items())[:8]) or "none"
    ended = ", ".join(f"{count(number)} {reason}" for reason, number in status.workers_ended.items())
    share = ratio(status.cache_bytes, status.cache_limit_bytes) or 0.0
    confined = f"{count(status.workers)}, confined by {status.workers_confined_by}"
    held = f"{size(status.cache_bytes)} of {size(status.cache_limit_bytes)} ({share:.0%})"
    failures = f"{count(status.database_failures)} without an answer"
    rows = (
        ("pictures", f"{sent}; {size(status.sent_bytes)} sent; {count(status.connections)} connections"),
        ("hit rate", hits),
        ("rendering", f"{count(status.renderings)} made, {mean} on average, {count(status.render_queue)} waiting"),
        ("workers", f"{confined}; ended: {ended}" if ended else confined),
        ("refusals", refused),
        ("cache", f"{held}, {count(status.cache_files)} files"),
        ("database", f"{count(status.database_questions)} questions, {failures}"),
    )
    for name, text in rows:
        table.add_row(f"[bold]{name}[/]", text)
    console.print(table)
    if status.audit_lost:
        console.print(f"[yellow]audit log: {count(status.audit_lost)} lines could not be written; see log.audit[/]")
