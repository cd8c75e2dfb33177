"""Small pieces of HTML: every text is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from infra.backtest.report.page.style import COLOURS


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its head, whether it holds words, and whether long words may wrap."""

    head: str
    is_text: bool = False
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with a tone: "good", "bad" or none; `background` as a CSS colour for heat tables."""

    text: str
    tone: str = ""
    background: str = ""


Value = str | Cell
Row = Sequence[Value]


def words(*heads: str) -> list[Column]:
    """Columns of words."""
    return [Column(head, is_text=True) for head in heads]


def figures(*heads: str) -> list[Column]:
    """Columns of numbers."""
    return [Column(head) for head in heads]


def table(columns: Sequence[Column], rows: Iterable[Row], kind: str = "", attributes: str = "") -> str:
    """A table; where there is no room for its columns every row is shown as a card, for which each cell carries its
    column's head. A first cell that names an engine gets its colour."""
    heads = "".join(f"<th{_class('text' if column.is_text else '')}>{escape(column.head)}</th>" for column in columns)
    lines = "".join(
        f"<tr{_class('strong' if _text(row[0]) == 'TOTAL' else '')}>"
        + "".join(
            _cell(column, value, place == 0) for place, (column, value) in enumerate(zip(columns, row, strict=True))
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"{attributes}><table{_class(kind)}><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def toned(value: float | None, text: str) -> Cell:
    """Losses are red; gains stay black."""
    return Cell(text, "bad" if value is not None and value < 0 else "")


def dot(name: str) -> str:
    """The engine's colour, if it has one."""
    return f'<span class="dot" style="background:{COLOURS[name]}"></span>' if name in COLOURS else ""


def _text(value: Value) -> str:
    return value.text if isinstance(value, Cell) else value


def _cell(column: Column, value: Value, is_first: bool) -> str:
    cell = value if isinstance(value, Cell) else Cell(value)
    names = [name for name, holds in (("text", column.is_text), ("wide", column.is_wide), (cell.tone, True)) if holds]
    style = f' style="background:{cell.background}"' if cell.background else ""
    mark = dot(cell.text) if is_first else ""
    label = f' data-label="{escape(column.head, quote=True)}"'
    return f"<td{_class(' '.join(filter(None, names)))}{label}{style}>{mark}{escape(cell.text)}</td>"


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""
