"""Charts as SVG, made here: no script and no library in the page. Pure: numbers in, text out.

Colours are classes, for the page's style sheet. What the numbers are is decided in `status_page`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TypeAlias

WIDTH, HEIGHT = 560, 150
LEFT, RIGHT, TOP, BOTTOM = 4, 4, 22, 18

Series: TypeAlias = tuple[str, str, Sequence[float | None]]
"""(class, what it is, its values; None where there is none)."""


def bars(series: Sequence[Series], times: Sequence[str], spelled: Callable[[float], str]) -> str:
    """Values on top of each other, one bar for each time. spelled: a value as people read it."""
    number = len(times)
    sums = [sum(values[index] or 0.0 for _, _, values in series) for index in range(number)]
    top = nice(max(sums, default=0.0))
    width = (WIDTH - LEFT - RIGHT) / max(1, number)
    parts = []
    for index in range(number):
        x, below = LEFT + index * width, 0.0
        for style, _, values in series:
            value = values[index] or 0.0
            if value:
                y, height = _y(below + value, top), _y(below, top) - _y(below + value, top)
                parts.append(
                    f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{max(0.6, width * 0.86):.1f}" '
                    f'height="{max(0.4, height):.1f}"/>'
                )
                below += value
    return _framed("".join(parts), top, times, spelled, _told(series, times, spelled))


def lines(
    series: Sequence[Series], times: Sequence[str], spelled: Callable[[float], str], top: float | None = None
) -> str:
    """Values over time; nothing is drawn where there are none. top: of the scale, or as the values need it."""
    highest = max((value for _, _, values in series for value in values if value is not None), default=0.0)
    top = top or nice(highest)
    width = (WIDTH - LEFT - RIGHT) / max(1, len(times) - 1)
    parts = []
    for style, _, values in series:
        for run in _runs(values):
            points = [(LEFT + index * width, _y(values[index] or 0.0, top)) for index in run]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            if len(points) == 1:
                parts.append(f'<circle class="{style}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2"/>')
                continue
            floor = f"{points[-1][0]:.1f},{HEIGHT - BOTTOM} {points[0][0]:.1f},{HEIGHT - BOTTOM}"
            parts.append(f'<polygon class="{style} under" points="{line} {floor}"/>')
            parts.append(f'<polyline class="{style} line" points="{line}"/>')
    return _framed("".join(parts), top, times, spelled, _told(series, times, spelled))


def nice(value: float) -> float:
    """The next round number that is not less: 1, 2 or 5 times a power of ten."""
    if value < 1e-9 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999999)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - min(1.0, value / top) * (HEIGHT - TOP - BOTTOM)


def _runs(values: Sequence[float | None]) -> list[list[int]]:
    """The indices of values that follow each other without a gap."""
    runs: list[list[int]] = []
    for index, value in enumerate(values):
        if value is None:
            continue
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _told(series: Sequence[Series], times: Sequence[str], spelled: Callable[[float], str]) -> str:
    """A stripe for each time that tells its values when one points at it."""
    width = (WIDTH - LEFT - RIGHT) / max(1, len(times))
    stripes = []
    for index, moment in enumerate(times):
        told = [f"{name}: {spelled(value)}" for _, name, values in series if (value := values[index]) is not None]
        if told:
            stripes.append(
                f'<rect class="stripe" x="{LEFT + index * width:.1f}" y="{TOP}" width="{width:.1f}" '
                f'height="{HEIGHT - TOP - BOTTOM}"><title>{escape(moment)}\n{escape(chr(10).join(told))}</title></rect>'
            )
    return "".join(stripes)


def _framed(content: str, top: float, times: Sequence[str], spelled: Callable[[float], str], over: str) -> str:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    first, last = (times[0], times[-1]) if times else ("", "")
    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for y in (TOP, middle, HEIGHT - BOTTOM)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{grid}{content}'
        f'<text x="{LEFT}" y="{TOP - 6}">{escape(spelled(top))}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">{escape(first)}</text>'
        f'<text class="end" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}">{escape(last)}</text>{over}</svg>'
    )
