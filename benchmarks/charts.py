"""Bar charts as SVG texts: one bar a line, its value behind it, and a mark where the bar to be met is."""

from __future__ import annotations

from html import escape

from benchmarks.results import Row, Table, told

LABEL, WIDTH, LINE, PADDING = 330, 760, 30, 16
_STYLE = (
    "text{font:13px sans-serif;fill:#24292f}.peer{fill:#8b949e}.ours{fill:#2da44e}.missed{fill:#bf8700}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}}"
)


def svg(table: Table) -> str:
    """The chart of a table, values from zero; light and dark as its reader has it."""
    most = max((row.value for row in table.rows), default=0.0) or 1.0
    room = WIDTH - LABEL - 110
    height = PADDING * 2 + LINE * len(table.rows)
    bars = [_bar(row, PADDING + LINE * number, row.value / most * room) for number, row in enumerate(table.rows)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(table.title)}"><style>{_STYLE}</style>\n' + "\n".join(bars) + "\n</svg>\n"
    )


def _bar(row: Row, top: float, length: float) -> str:
    kind = {"": "ours" if row.ratio is not None else "peer", "met": "ours", "missed": "missed"}[row.verdict]
    middle = top + LINE / 2 + 4
    wide = max(1.0, length)
    return (
        f'<text x="{LABEL - 10}" y="{middle:.0f}" text-anchor="end">{escape(row.what)}</text>'
        f'<rect class="{kind}" x="{LABEL}" y="{top + 4:.0f}" width="{wide:.1f}" height="{LINE - 8}" rx="3"/>'
        f'<text x="{LABEL + length + 8:.0f}" y="{middle:.0f}">{told(row.value)}</text>'
    )
