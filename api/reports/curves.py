"""Daily curves as inline SVG: no script, no outside request, readable without colours. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date
from html import escape
from typing import NamedTuple

Points = Sequence[tuple[date, float | None]]

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 680, 8, 104, 12, 24
ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Steps of an axis, times a power of ten."""


class Look(NamedTuple):
    """How a curve is drawn. `shown` writes a value of the axis; `is_from_zero`: the area below (or above) is filled to
    zero, which the axis then has. `lines`: about so many lines of the grid."""

    title: str
    colour: str
    shown: Callable[[float], str]
    height: int = 220
    lines: int = 4
    is_from_zero: bool = False


def svg(points: Points, look: Look) -> str:
    """The drawing; a sentence where there is nothing to draw. A day without a value interrupts the line."""
    known = [(place, value) for place, (_, value) in enumerate(points) if value is not None]
    if len(known) < 2:
        return f'<p class="muted">{escape(look.title)}: there are fewer than two days with a value.</p>'
    values = [value for _, value in known]
    grid = ticks(*_range(values, is_from_zero=look.is_from_zero), look.lines)
    low, high = grid[0], grid[-1]
    ground = look.height - BOTTOM

    def x(place: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * place / (len(points) - 1)

    def y(value: float) -> float:
        return ground - (ground - TOP) * (value - low) / (high - low)

    base = y(0.0) if look.is_from_zero else ground
    parts = []
    for line in _runs(points):
        drawn = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in line)
        first, last = x(line[0][0]), x(line[-1][0])
        area = f"{first:.1f},{base:.1f} {drawn} {last:.1f},{base:.1f}"
        parts.append(f'<polygon points="{area}" fill="{look.colour}" fill-opacity="0.10"/>')
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{look.colour}" stroke-width="2" '
                     'stroke-linejoin="round" stroke-linecap="round"/>')  # fmt: skip
    last_place, last_value = known[-1]
    parts.append(f'<circle cx="{x(last_place):.1f}" cy="{y(last_value):.1f}" r="3.5" fill="{look.colour}"/>')
    lines = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#8795a3" '
        f'stroke-opacity="0.25"/><text x="{WIDTH - RIGHT + 8}" y="{y(value) + 4:.1f}">'
        f"{escape(look.shown(value))}</text>"
        for value in grid
    )
    about = (
        f"{look.title} from {points[0][0]} to {points[-1][0]}: first {look.shown(values[0])}, last "
        f"{look.shown(values[-1])}, lowest {look.shown(min(values))}, highest {look.shown(max(values))}"
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {look.height}" role="img" aria-label="{escape(about, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(about)}</title>{lines}{"".join(parts)}'
        f'<text x="{LEFT}" y="{look.height - 5}">{points[0][0]}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{look.height - 5}" text-anchor="end">{points[-1][0]}</text></svg>'
    )


def _range(values: Sequence[float], *, is_from_zero: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if is_from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    return (low, high) if high > low else (low - (abs(low) * 0.01 or 0.01), high)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round values from at most `low` to at least `high`, some `about` of them."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(one * power for one in ROUND if one * power >= raw * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [number * step for number in range(first, last + 1)]


def _runs(points: Points) -> list[list[tuple[int, float]]]:
    """The stretches without a gap."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, (_, value) in enumerate(points):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place, value))
    return [run for run in runs if run]
