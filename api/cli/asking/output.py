"""What a command prints: tables that fit the terminal, or one JSON document. Times are UTC."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import typer
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 200
"""Characters of a line where no terminal says how wide it is: a row is cut by no line break below that."""

WIDE = 110
"""From this many characters on a table has all its columns."""

UNKNOWN = "–"
MANY_YEARS_MS = 100_000_000_000
"""A value beyond this is an instant, one below it a length of time."""

SHORT_LIST = 6
MARKET_TIME = "times are market time, UTC"


class Column(NamedTuple):
    """A column; those that are only for a wide terminal are left out of a narrow one."""

    name: str
    is_number: bool = False
    is_wide: bool = False
    is_whole: bool = False
    """Never broken, as an instant."""


def console() -> Console:
    """The standard output; without colour where it is no terminal or NO_COLOR is set."""
    is_wide = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(highlight=False, markup=False, emoji=False, width=None if is_wide else PIPE_WIDTH)


def print_json(document: object) -> None:
    """One document."""
    typer.echo(json.dumps(document, indent=1, ensure_ascii=False))


def table(columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], width: int) -> Table:
    """The rows below their heads."""
    shown = [at for at, column in enumerate(columns) if width >= WIDE or not column.is_wide]
    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for at in shown:
        column = columns[at]
        made.add_column(
            column.name, justify="right" if column.is_number else "left", overflow="fold", no_wrap=column.is_whole
        )
    for row in rows:
        made.add_row(*(_cell(row[at]) for at in shown))
    return made


def _cell(value: str | Text) -> Text:
    return value if isinstance(value, Text) else Text(value)


def print_list(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Text]],
    following: str | None = None,
    more: Sequence[RenderableType] = (),
) -> None:
    """A list with its title; `following` is the cursor of the page after."""
    out = console()
    if not rows:
        out.print(Text(f"{title}: none."))
        return
    out.print(Text(f"{title}; {MARKET_TIME}", "dim"))
    out.print(table(columns, rows, out.width))
    for one in more:
        out.print(one)
    if following is not None:
        out.print(Text(f"There are older ones: --before {following}", "dim"), soft_wrap=True)


def indented(text: str, style: str = "", by: int = 4) -> Padding:
    """A paragraph below its head."""
    return Padding(Text(text, style), (0, 0, 0, by), expand=False)


def instant(at_ms: int | None) -> str:
    """An instant to the minute; to the second where it has one."""
    if at_ms is None:
        return UNKNOWN
    try:
        found = datetime.fromtimestamp(at_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"
    return found.strftime("%Y-%m-%d %H:%M:%S" if found.second else "%Y-%m-%d %H:%M")


def amount(text: str | None, places: int = 2) -> str:
    """Money for the screen; `--json` has it exactly."""
    return UNKNOWN if text is None else f"{Decimal(text):,.{places}f}"


def exact(text: str | None, places: int | None = None) -> str:
    """A quantity or a price with all its digits, or so many places, without zeros at its end."""
    if text is None:
        return UNKNOWN
    number = Decimal(text).normalize()
    if places is not None and -int(number.as_tuple().exponent) > places:
        number = number.quantize(Decimal(1).scaleb(-places)).normalize()
    return f"{number:f}" if number else "0"


def percent(part: Decimal | float | str | None, *, is_signed: bool = False) -> str:
    """A fraction as per cent."""
    if part is None:
        return UNKNOWN
    shown = round(float(part) * 100, 2) or 0.0  # a loss that rounds to nothing is no minus
    return f"{shown:{'+' if is_signed else ''}.2f} %"


def numbers(data: Mapping[str, Any]) -> str:
    """The single values of a document on one line; of what is nested, how much there is."""
    return ", ".join(_named(name, value) for name, value in data.items() if value not in (None, "", [], {}))


def _named(name: str, value: object) -> str:
    if name.endswith("_ms") and isinstance(value, int) and value > MANY_YEARS_MS:
        return f"{name.removesuffix('_ms')} {instant(value)}"
    return f"{name} {_short(value)}"


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return f"({len(value)} values)"
    if isinstance(value, list):
        plain = [str(one) for one in value if isinstance(one, str | int | float)]
        if len(plain) < len(value):
            return f"({len(value)} rows)"
        return "[" + ", ".join(plain[:SHORT_LIST]) + (f", … {len(plain)} in all]" if len(plain) > SHORT_LIST else "]")
    return str(value)
