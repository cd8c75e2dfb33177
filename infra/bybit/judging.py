"""Rows of an answer or a frame judged one by one: what cannot be used is set aside, its neighbours are used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from infra.bybit.fields import ForeignError, UnparsableError, shown_text
from statemachines.requests import SetAside

T = TypeVar("T")
Kind = Literal["order", "execution", "position", "balance", "bar", "quote", "instrument", "funding_rate", "frame"]


def judged(
    kind: Kind, rows: Iterable[Any], parse: Callable[[Any], T], category: str = "", symbol: str = ""
) -> tuple[list[tuple[Any, T]], list[tuple[Any, SetAside]]]:
    """(row, what it says) of the rows that can be read, and (row, why not) of the others. `category` and `symbol` stand
    in where the rows do not carry their own."""
    good: list[tuple[Any, T]] = []
    bad: list[tuple[Any, SetAside]] = []
    for row in rows:
        try:
            good.append((row, parse(row)))
        except UnparsableError as error:
            bad.append((row, set_aside(kind, error, row, category, symbol)))
    return good, bad


def set_aside(kind: Kind, error: UnparsableError, row: Any, category: str = "", symbol: str = "") -> SetAside:
    """The row's fault as a value; category and symbol as far as the row tells them in a usable form."""
    return SetAside(
        kind=kind,
        category=category or _told(row, "category"),
        symbol=symbol or _told(row, "symbol") or _told(row, "coin"),
        problem=shown_text(str(error), 400),
        is_foreign=isinstance(error, ForeignError),
    )


def _told(row: Any, field: str) -> str:
    value = row.get(field) if isinstance(row, Mapping) else None
    return value if isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= 40 else ""
