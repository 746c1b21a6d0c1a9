"""Shows tables: in the terminal, and as docs/performance.md with its charts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as Shown

from benchmarks.charts import svg
from benchmarks.results import Row, Table, told

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/performance.md"
CHARTS = ROOT / "docs/performance"
RECORDED = Path(__file__).with_name("recorded.toml")

_INTRODUCTION = """# Performance

Measured by `make bench`, which writes this page. Peers are measured in the same run, in turns, with the same files and
the same client, and what counts is the ratio: absolute numbers are those of the machine below. Of several turns
it is the median of each turn's ratio, so not always that of the two medians beside it; bars are compared with it before
it is rounded. Permission is asked again for every request of pwgserve's, as always.
"""


def show(table: Table, console: Console) -> None:
    """Print a table for people."""
    shown = Shown(title=f"{table.title} ({table.unit})", title_justify="left", caption=table.note or None)
    shown.add_column("", no_wrap=True)
    for name in ("value", f"to {table.peer}", "bar", ""):
        shown.add_column(name, justify="right")
    for row in table.rows:
        style = "yellow" if row.verdict == "missed" else None
        shown.add_row(row.what, told(row.value), _ratio(row), str(row.bar or ""), row.verdict, style=style)
    console.print(shown)


def write(tables: Sequence[Table], facts: Mapping[str, str]) -> None:
    """Write docs/performance.md and its charts."""
    CHARTS.mkdir(exist_ok=True)
    parts = [_INTRODUCTION]
    for table in tables:
        (CHARTS / f"{table.key}.svg").write_text(svg(table))
        parts.append(_section(table))
    parts.append(_recorded())
    parts.append(
        "## The machine\n\n| | |\n|---|---|\n" + "".join(f"| {name} | {text} |\n" for name, text in facts.items())
    )
    DOCUMENT.write_text("\n".join(part for part in parts if part))


def _section(table: Table) -> str:
    lines = [f"## {table.title}\n", f"![{table.title}](performance/{table.key}.svg)\n"]
    lines += [f"| | {table.unit} | ratio to {table.peer} | bar | |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.what} | {told(row.value)} | {_ratio(row)} | {row.bar or ''} | {row.verdict} |" for row in table.rows
    ]
    notes = [table.note, *(f"{row.what}: {row.note}" for row in table.rows if row.note)]
    return "\n".join(lines) + "\n" + "".join(f"\n{note}\n" for note in notes if note)


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ""
    return f"{row.ratio:.2f}" + (f" (to {row.against})" if row.against else "")


def _recorded() -> str:
    """What was measured by hand, because its peer cannot be installed by a script of ours."""
    content = tomllib.loads(RECORDED.read_text("utf-8"))
    lines = ["## Measured by hand\n", content["how"].strip()]
    for table in content["table"]:
        lines += [f"\n### {table['title']}\n", table["how"].strip() + "\n"]
        lines += [f"| | {table['unit']} | {table['ratio']} |", "|---|---|---|"]
        lines += [f"| {row['what']} | {told(row['value'])} | {row.get('ratio', '')} |" for row in table["row"]]
    return "\n".join(lines) + "\n"
