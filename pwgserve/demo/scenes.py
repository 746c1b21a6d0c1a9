"""Pictures of places that never were: each scene is an SVG drawing made from a seed, the same every time.

Drawings only; making files of them is in `photographs`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

WIDTH, HEIGHT = 1500, 1000
"""The drawing's own units; photographs are drawn at any size."""


def svg(scene: str, seed: int, width: int, height: int, moment: float = 0.0) -> bytes:
    """A scene as an SVG document of this size in pixels. moment: 0 to 1, how far its sun, lamps or balloons moved.

    The scene fills the whole picture; what does not fit is cut off at the sides.
    """
    body = SCENES[scene](random.Random(seed), moment)  # noqa: S311 - hills, not secrets
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMid slice">{body}</svg>'
    ).encode()


def _sky(name: str, *stops: str) -> str:
    marks = "".join(
        f'<stop offset="{index / (len(stops) - 1):.2f}" stop-color="{colour}"/>' for index, colour in enumerate(stops)
    )
    return (
        f'<defs><linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1">{marks}</linearGradient></defs>'
        f'<rect x="-1000" y="0" width="3500" height="{HEIGHT}" fill="url(#{name})"/>'
    )


def _sun(x: float, y: float, radius: float, colour: str, glow: str) -> str:
    return (
        f'<defs><radialGradient id="glow"><stop offset="0" stop-color="{glow}" stop-opacity=".9"/>'
        f'<stop offset="1" stop-color="{glow}" stop-opacity="0"/></radialGradient></defs>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius * 5:.1f}" fill="url(#glow)"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}"/>'
    )


def _ridge(rng: random.Random, base: float, rough: float, colour: str, bottom: float = HEIGHT) -> str:
    """A chain of hills: a few waves of different lengths on top of each other."""
    waves = [(rng.uniform(0, 6.3), rng.uniform(0.6, 1.4) * 2**octave) for octave in range(6)]
    points = []
    for x in range(-200, WIDTH + 201, 10):
        y = sum(math.sin(phase + x / WIDTH * 4 * rate) / rate**0.9 for phase, rate in waves)
        points.append(f"{x},{base - y * rough:.1f}")
    return f'<polygon fill="{colour}" points="-200,{bottom} {" ".join(points)} {WIDTH + 200},{bottom}"/>'


def _lake(rng: random.Random, moment: float) -> str:
    shore = 560
    sun_y = shore - 60 - 260 * moment
    parts = [
        _sky("s", "#2b2d5b", "#8a4f7d", "#f08a5d", "#ffd08a"),
        _sun(930, sun_y, 46, "#fff3cf", "#ffd9a0"),
        _ridge(rng, shore - 130, 70, "#7a4a6d", shore),
        _ridge(rng, shore - 60, 50, "#57365f", shore),
        _ridge(rng, shore - 15, 22, "#3a254b", shore),
        _sky("w", "#f3a36c", "#a8587c", "#3b2f5e").replace('y="0" width', f'y="{shore}" width'),
    ]
    for _ in range(170):
        y = shore + 4 + rng.random() ** 1.6 * (HEIGHT - shore)
        spread = 40 + (y - shore) * 0.9
        x = 930 + rng.gauss(0, spread * 0.5)
        length = rng.uniform(20, 60) * (0.4 + (y - shore) / 300)
        colour = rng.choice(("#ffe2a8", "#ffd08a", "#f6b27d"))
        parts.append(
            f'<rect x="{x - length / 2:.0f}" y="{y:.0f}" width="{length:.0f}" height="{2 + (y - shore) / 90:.1f}" '
            f'rx="2" fill="{colour}" fill-opacity="{rng.uniform(0.15, 0.6):.2f}"/>'
        )
    return "".join(parts)


def _mist(rng: random.Random, moment: float) -> str:
    colours = ("#b9cbd9", "#98b3c6", "#7698b0", "#547c96", "#33596f", "#1d3c4d")
    layers = [_ridge(rng, 430 + 105 * index, 85 - 6 * index, colour) for index, colour in enumerate(colours)]
    return (
        _sky("s", "#7fa7c9", "#d9e6ee", "#fbe9d3")
        + _sun(420, 330 - 80 * moment, 40, "#fffdf4", "#fff3d6")
        + "".join(layers)
    )


def _dunes(rng: random.Random, moment: float) -> str:
    colours = ("#e9b872", "#dd9f57", "#c9843f", "#a9672e", "#7d4822")
    layers = [_ridge(rng, 480 + 115 * index, 60 + 12 * index, colour) for index, colour in enumerate(colours)]
    return (
        _sky("s", "#3f88c5", "#a7d3ea", "#fbe3b9")
        + _sun(1150, 200 + 60 * moment, 38, "#fffbe8", "#fff0c0")
        + "".join(layers)
    )


def _forest(rng: random.Random, _moment: float) -> str:
    parts = [_sky("s", "#d7e7d4", "#f4f0d2", "#e8d9a8"), _sun(760, 300, 60, "#fffef0", "#fffbd5")]
    for depth, colour in enumerate(("#a9c3a4", "#7da283", "#4f7f63", "#2d5a46", "#153629")):
        count = 26 - 3 * depth
        for index in range(count):
            x = -60 + (WIDTH + 120) * (index + rng.random()) / count
            height = rng.uniform(330, 520) * (0.62 + 0.22 * depth)
            foot = 620 + 105 * depth
            half = height * 0.17
            tiers = "".join(
                f'<polygon points="{x - half * (0.45 + 0.2 * tier):.0f},{foot - height * (0.78 - 0.22 * tier):.0f} '
                f"{x:.0f},{foot - height * (1.05 - 0.22 * tier):.0f} "
                f'{x + half * (0.45 + 0.2 * tier):.0f},{foot - height * (0.78 - 0.22 * tier):.0f}"/>'
                for tier in range(4)
            )
            parts.append(
                f'<g fill="{colour}"><rect x="{x - 4:.0f}" y="{foot - 80}" width="8" height="400"/>{tiers}</g>'
            )
        parts.append(_ridge(rng, 640 + 105 * depth, 14, colour))
    return "".join(parts)


def _city(rng: random.Random, moment: float) -> str:
    parts = [_sky("s", "#070b1f", "#1b1e4b", "#5b3a6e", "#d97b66")]
    for _ in range(140):
        parts.append(
            f'<circle cx="{rng.uniform(0, WIDTH):.0f}" cy="{rng.uniform(0, 420):.0f}" r="{rng.uniform(0.6, 1.8):.1f}" '
            f'fill="#fff" fill-opacity="{rng.uniform(0.2, 0.9):.2f}"/>'
        )
    for depth, colour in enumerate(("#3a2f5e", "#241f47", "#120f2c")):
        x = -40.0
        while x < WIDTH + 40:
            width = rng.uniform(60, 130)
            top = rng.uniform(380, 640) + 90 * depth
            parts.append(f'<rect x="{x:.0f}" y="{top:.0f}" width="{width:.0f}" height="{HEIGHT}" fill="{colour}"/>')
            for row in range(int(top) + 18, HEIGHT, 26):
                for column in range(int(x) + 10, int(x + width) - 14, 22):
                    if rng.random() < 0.34 + 0.1 * moment:
                        light = rng.choice(("#ffd98a", "#ffe9b8", "#f7b267", "#bfe3ff"))
                        parts.append(
                            f'<rect x="{column}" y="{row}" width="10" height="14" fill="{light}" '
                            f'fill-opacity="{0.35 + 0.22 * depth:.2f}"/>'
                        )
            x += width + rng.uniform(0, 12)
    return "".join(parts)


def _sea(rng: random.Random, moment: float) -> str:
    parts = [_sky("s", "#0f4c81", "#5aa9d6", "#d8f0f7"), _sun(400, 240, 42, "#fffef4", "#ffffff")]
    for index in range(14):
        share = index / 13
        tone = f"rgb({int(20 + 20 * share)},{int(110 - 55 * share)},{int(150 - 50 * share)})"
        phase = rng.uniform(0, 6.3) + moment * 6.3
        base = 520 + 480 * share**1.4
        wave = 4 + 26 * share
        points = " ".join(
            f"{x},{base + math.sin(phase + x / (40 + 160 * share)) * wave:.1f}" for x in range(-20, WIDTH + 21, 12)
        )
        parts.append(f'<polygon fill="{tone}" points="-20,{HEIGHT} {points} {WIDTH + 20},{HEIGHT}"/>')
        parts.append(f'<polyline fill="none" stroke="#fff" stroke-opacity=".28" stroke-width="3" points="{points}"/>')
    parts.append(
        '<polygon points="1010,640 1250,640 1205,700 1050,700" fill="#7a2e2e"/>'
        '<polygon points="1125,630 1125,380 1240,610" fill="#fdf6e3"/><polygon points="1110,630 1110,420 1030,615" fill="#f2e3c6"/>'
    )
    return "".join(parts)


def _balloons(rng: random.Random, moment: float) -> str:
    parts = [_sky("s", "#7ec8f2", "#d6effb", "#fdf3e1")]
    parts += [
        _ridge(rng, 760 + 70 * index, 45, colour) for index, colour in enumerate(("#9ccf9a", "#6bb07a", "#3c8a5f"))
    ]
    for index in range(9):
        size = rng.uniform(38, 105)
        x, y = rng.uniform(80, WIDTH - 80), rng.uniform(120, 600) - 160 * moment * (index % 3 + 1) / 3
        dark, light = rng.choice(
            (("#d1495b", "#edae49"), ("#00798c", "#f4d35e"), ("#5f4bb6", "#86a5d9"), ("#ee6c4d", "#fff"))
        )
        stripes = "".join(
            f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{size * share:.0f}" ry="{size * 1.12:.0f}" fill="{colour}"/>'
            for share, colour in ((1, dark), (0.72, light), (0.42, dark), (0.14, light))
        )
        parts.append(
            stripes + f'<path d="M{x - size * 0.5:.0f} {y + size:.0f}L{x - size * 0.14:.0f} {y + size * 1.55:.0f}h'
            f'{size * 0.28:.0f}L{x + size * 0.5:.0f} {y + size:.0f}" fill="none" stroke="#5b4636" stroke-width="2"/>'
            f'<rect x="{x - size * 0.15:.0f}" y="{y + size * 1.55:.0f}" width="{size * 0.3:.0f}" height="{size * 0.24:.0f}" '
            'rx="4" fill="#6b4a2f"/>'
        )
    return "".join(parts)


def _boat(_rng: random.Random, _moment: float) -> str:
    """A folded paper boat on nothing: the rest is transparent."""
    return (
        '<polygon points="750,190 1010,560 490,560" fill="#f9fbff"/><polygon points="750,190 750,560 490,560" fill="#dfe8f5"/>'
        '<polygon points="170,500 750,640 1330,500 1120,820 380,820" fill="#eef3fb"/>'
        '<polygon points="170,500 750,640 380,820" fill="#c9d7ea"/><polygon points="1330,500 750,640 1120,820" fill="#b5c6de"/>'
        '<ellipse cx="750" cy="850" rx="520" ry="34" fill="#3b5b7d" fill-opacity=".25"/>'
    )


def _lighthouse(rng: random.Random, moment: float) -> str:
    angle = 360 * moment
    return (
        _sky("s", "#0a1030", "#1d2b5c", "#40507f")
        + "".join(
            f'<circle cx="{rng.uniform(0, WIDTH):.0f}" cy="{rng.uniform(0, 600):.0f}" r="2" fill="#fff" fill-opacity=".6"/>'
            for _ in range(90)
        )
        + f'<g transform="rotate({angle:.0f} 760 300)"><polygon points="760,300 2300,140 2300,460" fill="#fff4b8" fill-opacity=".55"/></g>'
        + _ridge(rng, 840, 40, "#0b1022")
        + '<polygon points="705,850 725,340 795,340 815,850" fill="#f3f0ea"/><polygon points="713,640 720,480 800,480 807,640" fill="#b33a3a"/>'
        + '<rect x="718" y="270" width="84" height="70" fill="#20263f"/><circle cx="760" cy="304" r="24" fill="#ffe98a"/>'
        + '<polygon points="706,270 760,220 814,270" fill="#8c2f2f"/>'
    )


SCENES: Mapping[str, Callable[[random.Random, float], str]] = {
    "lake": _lake,
    "mist": _mist,
    "dunes": _dunes,
    "forest": _forest,
    "city": _city,
    "sea": _sea,
    "balloons": _balloons,
    "boat": _boat,
    "lighthouse": _lighthouse,
}
