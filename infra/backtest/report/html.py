"""Small pieces of HTML: tables that scroll in their own box, tiles, charts. All text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import orjson

from infra.backtest.report.charts import Chart
from infra.backtest.report.look import COLOURS

BADGE = '<span class="badge">synthetic market</span>'


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text and CSS classes: text (left), wide (wraps), good, bad; `dot` is an engine's colour mark."""

    text: str
    kind: str = ""
    dot: str = ""
    style: str = ""


def text(words: str) -> Cell:
    """A left-aligned cell."""
    return Cell(words, "text")


def wide(words: str) -> Cell:
    """A cell whose text wraps."""
    return Cell(words, "text wide")


def named(name: str) -> Cell:
    """An engine or benchmark with its colour."""
    return Cell(name, "text", COLOURS.get(name, ""))


def judged(words: str, value: float | None) -> Cell:
    """A number in the colour of its sign."""
    return Cell(words, "" if value is None or value == 0 else ("good" if value > 0 else "bad"))


Row = Sequence[Cell | str]


def _cell(cell: Cell | str) -> str:
    own = Cell(cell) if isinstance(cell, str) else cell
    dot = f'<span class="dot" style="background:{own.dot}"></span>' if own.dot else ""
    kind = f' class="{own.kind}"' if own.kind else ""
    style = f' style="{own.style}"' if own.style else ""
    return f"<td{kind}{style}>{dot}{escape(own.text)}</td>"


def table(
    heads: Sequence[str], rows: Iterable[Row], kinds: Sequence[str] = (), attributes: str = "", css: str = ""
) -> str:
    """A table in a box of its own. `kinds` are the rows' CSS classes (strong, sub)."""
    lines = list(rows)
    if not lines:
        return '<p class="muted">None.</p>'
    first_line = [cell if isinstance(cell, Cell) else Cell(cell) for cell in lines[0]]
    head = "".join(
        f"<th{' class=' + chr(34) + 'text' + chr(34) if 'text' in cell.kind else ''}>{escape(name)}</th>"
        for name, cell in zip(heads, first_line, strict=True)
    )
    body = "".join(
        f"<tr{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{''.join(_cell(cell) for cell in line)}</tr>"
        for line, kind in zip(lines, kinds or [""] * len(lines), strict=True)
    )
    return (
        f'<div class="scroll {css}" tabindex="0" {attributes}><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def tile(value: str, label: str, remark: str = "") -> str:
    """One figure in a box."""
    below = f"<span>{escape(remark)}</span>" if remark else ""
    return f'<div class="tile"><span>{escape(label)}</span><b>{escape(value)}</b>{below}</div>'


def chart_box(chart: Chart, is_synthetic: bool) -> str:
    """A chart with title, legend and switches; the drawing itself is made by the page's script."""
    box = f"chart-{chart.key}"
    chips = "".join(
        f'<button type="button" data-box="{box}" data-group="{escape(name)}"><i class="{"block" if is_area else ""}" '
        f'style="{"background" if is_area else "border-color"}:{colour}"></i>{escape(name)}</button>'
        for name, colour, is_area in chart.legend
    )
    switches = "".join(
        f'<button type="button" class="{"on" if place == 0 else ""}" data-box="{box}" '
        f'data-update="{escape(orjson.dumps(update).decode())}">{escape(name)}</button>'
        for place, (name, update) in enumerate(chart.choices)
    )
    return (
        f'<figure class="card" style="margin-inline:0"><div class="head"><h3>{escape(chart.title)}</h3>'
        f"{BADGE if is_synthetic else ''}{f'<span class=toggle>{switches}</span>' if switches else ''}</div>"
        f"{f'<p class=note>{escape(chart.note)}</p>' if chart.note else ''}"
        f"{f'<div class=chips>{chips}</div>' if chips else ''}"
        f'<div class="chart" id="{box}" data-chart="{escape(chart.key)}" style="min-height:{chart.narrow}px"></div></figure>'
    )


def script_json(content: object) -> str:
    """JSON that may stand inside a <script>: no "<" can end it early."""
    return orjson.dumps(content).decode().replace("<", "\\u003c")


def paragraphs(lines: Iterable[str]) -> str:
    """One paragraph per line."""
    return "".join(f"<p>{escape(each)}</p>" for each in lines)


def note(words: str) -> str:
    """Small print."""
    return f'<p class="note">{escape(words)}</p>'
