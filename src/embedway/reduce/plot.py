"""Line plots as SVG that stands inside a page: no script, no font or image from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 132, 16, 48
LABEL_APART = 16
"""Points between the names of two lines that end near each other."""


@dataclass(frozen=True, slots=True)
class Line:
    """`points` are (x, y) with y from 0 to 1, by rising x; `kind` names its colour and dashes in the page's style."""

    name: str
    kind: str
    points: Sequence[tuple[float, float]]


def plot(title: str, lines: Sequence[Line], x_name: str, mark: float | None = None) -> str:
    """Shares against a length, on a logarithmic axis; `mark` is a length to be pointed out."""
    ends = [x for line in lines for x, _ in line.points]
    axis = _Axis(min(ends), max(ends))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        *_grid(
            axis, sorted({round(x) for line in lines if line.kind != "curve" for x, _ in line.points}) or axis.powers
        ),
        *([] if mark is None else _mark(axis, mark)),
        *(_path(axis, line) for line in lines),
        *_names(lines),
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">',
        f"{escape(x_name)}</text>",
        "</svg>",
    ]
    return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float

    def x(self, value: float) -> float:
        span = math.log(self.high / self.low) or 1.0
        return LEFT + math.log(value / self.low) / span * (WIDTH - LEFT - RIGHT)

    @property
    def powers(self) -> list[int]:
        return [2**power for power in range(13) if self.low <= 2**power <= self.high]


def _y(share: float) -> float:
    return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)


def _grid(axis: _Axis, ticks: Sequence[int]) -> list[str]:
    parts = []
    for percent in range(0, 101, 20):
        y = _y(percent / 100)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="axis" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    last = -math.inf
    for tick in ticks:
        x = axis.x(tick)
        if x - last > 30:
            parts.append(
                f'<text class="axis" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick}</text>'
            )
            last = x
    return parts


def _mark(axis: _Axis, value: float) -> list[str]:
    x = axis.x(value)
    return [f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>']


def _path(axis: _Axis, line: Line) -> str:
    places = " ".join(f"{axis.x(x):.1f},{_y(y):.1f}" for x, y in line.points)
    dots = "".join(
        f'<circle class="{line.kind}" cx="{axis.x(x):.1f}" cy="{_y(y):.1f}" r="3.5">'
        f"<title>{escape(line.name)}, {round(x)}: {y:.1%}</title></circle>"
        for x, y in line.points
        if line.kind != "curve"
    )
    return f'<polyline class="{line.kind}" points="{places}"/>{dots}'


def _names(lines: Sequence[Line]) -> list[str]:
    """Each line's name at its first point's height would overlap at the right end: they are set apart, by order of the
    values in the middle.
    """
    ordered = sorted(lines, key=lambda line: -line.points[len(line.points) // 2][1])
    parts = []
    y = -math.inf
    for line in ordered:
        y = max(_y(line.points[-1][1]) + 4, y + LABEL_APART)
        parts.append(f'<text class="{line.kind}" x="{WIDTH - RIGHT + 10}" y="{y:.1f}">{escape(line.name)}</text>')
    return parts
