"""The page `/-/status`: how the daemon is and was in the last hours, for a person on the machine itself.

It loads nothing, runs no script and is only ever given to who is on the machine (`ops` refuses what came through a
proxy). Charts are drawn by `charts`; the numbers come from `trend` and `metrics`.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from html import escape
from pathlib import Path

from pydantic import ByteSize

from pwgserve.http import charts
from pwgserve.http.charts import Series
from pwgserve.numbers.shared import Samples
from pwgserve.numbers.trend import Trend, by, ratio, reasons, total

SPANS = 96
"""How many points a chart has at the most."""

RELOAD_SECONDS = 15
LATELY = 300.0
"""Seconds of which the tiles tell."""

_STYLE = (Path(__file__).parent / "status.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(samples: Samples, trend: Trend, problem: str | None) -> str:
    """The page. problem: why nothing can be served now, None when all is well."""
    state = f'<span class="state away">{escape(problem)}</span>' if problem else '<span class="state">healthy</span>'
    version = next(iter(by(samples, "pwgserve_build_info", "version")), "")
    up = span(total(samples, "pwgserve_uptime_seconds"))
    processes = int(total(samples, "pwgserve_processes"))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>pwgserve</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{RELOAD_SECONDS}"><style>{_STYLE}</style>'
        f'<header><h1>pwgserve</h1>{state}<span class="quiet">{escape(version)} · up {up} · '
        f"{_several(processes, 'server process', 'server processes')}</span></header>"
        f'<main><div class="tiles">{_tiles(samples, trend)}</div><div class="charts">{_charts(samples, trend)}</div>'
        f'<div class="below">{_tables(samples)}</div></main>'
        f'<footer class="quiet">{time.strftime("%Y-%m-%d %H:%M:%S %Z")} · loaded again every {RELOAD_SECONDS} seconds '
        "· numbers as in /-/metrics</footer></html>"
    )


def span(seconds: float) -> str:
    """A length of time as people say it."""
    minutes, days = int(seconds) // 60, int(seconds) // 86_400
    if days:
        return f"{days} d {minutes // 60 % 24} h"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {int(seconds) % 60} s"


def size(number: float) -> str:
    """Bytes as people say them."""
    return ByteSize(int(number)).human_readable(decimal=True)


def percent(share: float) -> str:
    """A share as people say it: never 100 % that are not all."""
    return f"{share:.0%}" if share in (0.0, 1.0) else f"{min(share, 0.9999):.1%}".replace("100.0", "99.9")


def duration(seconds: float) -> str:
    """The length of a rendering."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def count(number: float) -> str:
    """A number of things."""
    return f"{number:,.0f}".replace(",", " ")


def _tiles(samples: Samples, trend: Trend) -> str:
    lately, seconds = trend.since(LATELY)
    pictures = lately.hit + lately.render + lately.original
    hits = ratio(lately.hit, lately.hit + lately.render)
    rendering = ratio(lately.render_seconds, lately.renderings)
    limit, held = total(samples, "pwgserve_cache_limit_bytes"), total(samples, "pwgserve_cache_bytes")
    last_hour, _ = trend.since(3600)
    refused = last_hour.guesses + last_hour.mishaps + last_hour.troubles
    tiles = (
        (percent(hits) if hits is not None else "–", "from the cache, 5 min"),
        (f"{pictures / seconds:.1f}/s" if seconds else "–", f"pictures, {size(lately.sent_bytes)} in 5 min"),
        (duration(rendering) if rendering is not None else "–", "a rendering, 5 min"),
        (count(total(samples, "pwgserve_render_queue")), "renderings wait"),
        (count(refused), "refused, last hour"),
        (f"{held / limit:.0%}" if limit else "–", f"of the cache: {size(held)}"),
        (count(total(samples, "pwgserve_connections")), "connections"),
    )
    return "".join(
        f'<div class="card tile"><b>{escape(value)}</b><span>{escape(what)}</span></div>' for value, what in tiles
    )


def _charts(samples: Samples, trend: Trend) -> str:
    spans = trend.spans(SPANS)
    times = [time.strftime("%H:%M", time.localtime(moment.at)) for moment, _ in spans]
    moments = [moment for moment, _ in spans]

    def rate(name: str) -> list[float]:
        return [getattr(moment, name) / seconds if seconds else 0.0 for moment, seconds in spans]

    def of(name: str) -> list[float]:
        return [getattr(moment, name) for moment in moments]

    pictures: list[Series] = [
        ("green", "from the cache", rate("hit")),
        ("orange", "rendered", rate("render")),
        ("blue", "originals", rate("original")),
    ]
    hits: list[Series] = [("green", "hit rate", [ratio(moment.hit, moment.hit + moment.render) for moment in moments])]
    rendering: list[Series] = [("orange", "mean", [ratio(one.render_seconds, one.renderings) for one in moments])]
    refusals: list[Series] = [
        ("red", "guesses", of("guesses")),
        ("violet", "mishaps", of("mishaps")),
        ("orange", "our trouble", of("troubles")),
    ]
    cache: list[Series] = [("blue", "in the cache", of("cache_bytes"))]
    queue: list[Series] = [("violet", "waiting", of("queue"))]
    limit = total(samples, "pwgserve_cache_limit_bytes")
    return "".join(
        (
            _chart("Pictures per second", pictures, charts.bars(pictures, times, lambda value: f"{value:.3g}/s")),
            _chart("Hit rate", hits, charts.lines(hits, times, percent, top=1.0)),
            _chart("Time of a rendering", rendering, charts.lines(rendering, times, duration)),
            _chart("Refusals", refusals, charts.bars(refusals, times, count)),
            _chart(f"Cache, of {size(limit)}", cache, charts.lines(cache, times, size)),
            _chart("Renderings that wait", queue, charts.lines(queue, times, count)),
        )
    )


def _chart(title: str, series: list[Series], drawing: str) -> str:
    key = "".join(f'<span><i class="{style}"></i>{escape(name)}</span>' for style, name, _ in series)
    return (
        f'<section class="card"><div class="title"><h2>{escape(title)}</h2><div class="key">{key}</div></div>'
        f"{drawing}</section>"
    )


def _tables(samples: Samples) -> str:
    refused = [(name, count(number)) for name, number in reasons(samples)[:12]] or [("none yet", "")]
    ended = by(samples, "pwgserve_workers_ended_total", "reason")
    questions, failures = (total(samples, f"pwgserve_database_{what}_total") for what in ("questions", "failures"))
    machine = [
        ("workers that render", count(total(samples, "pwgserve_workers"))),
        ("confined by", next(iter(by(samples, "pwgserve_workers_confined_info", "by")), "–")),
        *((f"workers ended: {reason}", count(number)) for reason, number in ended.items()),
        ("questions to the database", count(questions)),
        ("of these without an answer", count(failures)),
        ("derivatives in the cache", count(total(samples, "pwgserve_cache_files"))),
        ("lines lost of the audit log", count(total(samples, "pwgserve_audit_lost_total"))),
    ]
    return _table("Refusals by reason, since the start", refused) + _table("Behind the scenes", machine)


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<section class="card"><h2>{escape(title)}</h2><table>{lines}</table></section>'


def _several(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"
