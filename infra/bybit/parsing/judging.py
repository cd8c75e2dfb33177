"""Rows of an answer or a frame judged one by one: what cannot be used is set aside, its neighbours are used."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from infra.bybit.parsing.fields import ForeignError, UnparsableError, shown_text
from statemachines.requests import SetAside, SetAsideKind

T = TypeVar("T")


def judged(
    kind: SetAsideKind, rows: Iterable[Any], parse: Callable[[Any], T], category: str = "", symbol: str = ""
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


def kept(
    aside: list[SetAside],
    kind: SetAsideKind,
    rows: Iterable[Any],
    parse: Callable[[Any], T],
    category: str = "",
    symbol: str = "",
) -> list[T]:
    """What the rows say that can be read; the others are added to `aside`."""
    good, bad = judged(kind, rows, parse, category, symbol)
    aside.extend(one for _row, one in bad)
    return [value for _row, value in good]


def distinct(
    aside: list[SetAside],
    kind: SetAsideKind,
    values: Sequence[T],
    name: Callable[[T], tuple[str, str, str]],
    *,
    may_repeat: bool = False,
    same: Callable[[T], Hashable] | None = None,
) -> list[T]:
    """The values of which there is one of each name (category, symbol, id). Several under one name contradict each
    other: none of them is used, and the name is added to `aside`. `may_repeat`: equal ones are one, as at the seam of
    two pages of a list that grows. `same`: what has to be unique, where it is less than the name."""
    groups: dict[Hashable, list[T]] = {}
    for value in values:
        group = groups.setdefault((same or name)(value), [])
        if not (may_repeat and value in group):
            group.append(value)
    for group in groups.values():
        names = dict.fromkeys(name(value) for value in group) if len(group) > 1 else {}
        for category, symbol, own_id in names:
            what = " ".join(part for part in (category, symbol, own_id) if part)
            problem = f"{kind} {what}: {len(group)} rows of the answer contradict each other; 1 row is required."
            aside.append(SetAside(kind=kind, category=category, symbol=symbol, problem=problem))
    return [group[0] for group in groups.values() if len(group) == 1]


def set_aside(kind: SetAsideKind, error: UnparsableError, row: Any, category: str = "", symbol: str = "") -> SetAside:
    """The row's fault as a value; category and symbol as far as the row has them in a usable form."""
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
