"""How lists are read: newest first, in pages that begin behind a place of the list's unique key, cut by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

NEVER_MS = 2**62
"""Later than every instant: the start of a list."""

MAX_ROWS = 1000

Place = tuple[int | str, ...]
"""Where a page ends or begins: values of the columns of a `PageKey`."""


@dataclass(frozen=True, slots=True)
class PageKey:
    """What a list is ordered by, newest first: columns that together are unique, so that no row is lost or repeated
    between two pages. `types` of their values, in the same order; the first is a number."""

    columns: tuple[LiteralString, ...]
    types: tuple[type, ...]
    time: LiteralString
    """The column with a row's instant, by which a `Span` cuts."""

    @property
    def newest(self) -> Place:
        """A place before the newest row."""
        return tuple(NEVER_MS if kind is int else "" for kind in self.types)

    @property
    def before(self) -> LiteralString:
        """The condition that a row lies behind the place given as `p0`, `p1`, ..."""
        marks: list[LiteralString] = ["%(p0)s", "%(p1)s", "%(p2)s"]
        return "(" + ", ".join(self.columns) + ") < (" + ", ".join(marks[: len(self.columns)]) + ")"

    @property
    def order(self) -> LiteralString:
        """The list's order, newest first."""
        return ", ".join([column + " DESC" for column in self.columns])


@dataclass(frozen=True, slots=True)
class Span:
    """A part of market time: from `from_ms` on, before `to_ms`."""

    from_ms: int
    to_ms: int

    @classmethod
    def of(cls, from_ms: int | None = None, to_ms: int | None = None) -> Span:
        """Unbounded where nothing is given."""
        return cls(-NEVER_MS if from_ms is None else from_ms, NEVER_MS if to_ms is None else to_ms)


ALL_TIME = Span.of()


def _key(*columns: LiteralString, time: LiteralString | None = None) -> PageKey:
    """A key that begins with a number; that is the instant, too, unless `time` names another column."""
    types = tuple(str if at else int for at in range(len(columns)))
    return PageKey(columns, types, columns[0] if time is None else time)


JOURNAL = _key("id", time="market_ms")
ORDERS = _key("created_ms", "client_order_id")
EXECUTIONS = _key("executed_ms", "account", "execution_id")
POSTINGS = _key("posted_ms", "posting_id")
TRANSFERS = _key("requested_ms", "transfer_id")
ALERTS = _key("market_ms", "alert_id")
DELIVERIES = _key("number", "delivery_id", time="market_ms")
DISCREPANCIES = _key("found_ms", "discrepancy_id")
SWITCH_TRIPS = _key("tripped_ms", "trip_id")
SUMMARIES = _key("day_ms")
COMMANDS = _key("given_ms", "command_id")
PERFORMANCE = _key("day_ms", "engine")
EVENTS = PageKey(("market_ms", "sender", "seq"), (int, str, int), "market_ms")
