"""What a run leaves behind besides its journal: orders, fills, transfers, postings; in memory or in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg

from actors.runtime.memory_store import MemoryStore
from tests.kit.journals import RECOVERING, Journals, first_difference, from_memory, without_versions

Rows = list[tuple[Any, ...]]

ORDERS = (
    "client_order_id",
    "engine",
    "account",
    "symbol",
    "side",
    "order_type",
    "quantity",
    "price",
    "trigger_price",
    "state",
    "filled_quantity",
    "average_price",
)
FILLS = (
    "executed_ms",
    "account",
    "client_order_id",
    "symbol",
    "side",
    "quantity",
    "price",
    "fee",
    "fee_coin",
    "is_maker",
    "realized_pnl",
)
TRANSFERS = ("transfer_id", "from_account", "to_account", "coin", "amount", "purpose", "state")
LINES = ("account", "ledger_account", "coin", "amount")
REPAIRED = "booked from the exchange's list"
"""How a reconciliation resolves what a crash kept from us: the recovery itself, not a difference that stayed."""


class Books(NamedTuple):
    """Everything in an order that does not depend on when it was committed. Times and ids are the exchange's."""

    orders: Rows
    fills: Rows
    transfers: Rows
    postings: Rows
    days: list[int]
    open_discrepancies: Rows

    def faults(self) -> list[str]:
        """OR-6, EX-5: postings that do not balance, orders that differ from their fills, differences left open."""
        found = [f"discrepancy {row}" for row in self.open_discrepancies]
        for posting in self.postings:
            sums: dict[str, Decimal] = defaultdict(Decimal)
            for _account, _ledger_account, coin, amount in posting[2]:
                sums[coin] += amount
            found += [f"posting {posting} does not balance in {coin}" for coin, total in sums.items() if total]
        filled: dict[str, Decimal] = defaultdict(Decimal)
        for fill in self.fills:
            filled[fill[FILLS.index("client_order_id")]] += fill[FILLS.index("quantity")]
        for order in self.orders:
            executed = order[ORDERS.index("filled_quantity")]
            booked = filled.pop(order[0], Decimal(0))
            if executed != booked:
                found.append(f"order {order} says {executed}, booked were {booked}")
        return found + [f"fills of order {client_order_id}, which is not known" for client_order_id in filled]

    def first_difference(self, other: Books) -> str:
        """The first row that only one of two books has, as a sentence; "" when they are the same."""
        for name in ("orders", "fills", "transfers", "postings", "days"):
            ours, theirs = getattr(self, name), getattr(other, name)
            for one, two in zip(ours, theirs, strict=False):
                if one != two:
                    return f"The {name} differ: one run has {one}, the other has {two}."
            if len(ours) != len(theirs):
                longer = max(ours, theirs, key=len)
                return f"One run has {len(ours)} {name}, the other {len(theirs)}; the first more: " + str(
                    longer[min(len(ours), len(theirs))]
                )
        return ""


def books_in_memory(store: MemoryStore) -> Books:
    """The books of a run in process."""

    def rows(table: str, names: Sequence[str]) -> Rows:
        return [tuple(_plain(getattr(fact, name)) for name in names) for fact in store.facts(table)]

    postings: list[Any] = list(store.facts("postings"))
    discrepancies = rows("discrepancies", ("account", "kind", "subject", "ours", "theirs", "resolution"))
    return _sorted(
        rows("orders", ORDERS),
        rows("executions", FILLS),
        rows("transfers", TRANSFERS),
        [(p.posted_ms, p.kind, sorted(tuple(getattr(each, n) for n in LINES) for each in p.lines)) for p in postings],
        [day for (day,) in rows("daily_summaries", ("day_ms",))],
        discrepancies,
    )


def books_in_database(url: str) -> Books:
    """The books of a run on PostgreSQL."""
    with psycopg.connect(url) as connection:

        def rows(table: str, names: Sequence[str]) -> Rows:
            return connection.execute(f"SELECT {', '.join(names)} FROM {table}".encode()).fetchall()

        postings: dict[str, tuple[int, str, list[tuple[Any, ...]]]] = {}
        for posting_id, posted_ms, kind in rows("postings", ("posting_id", "posted_ms", "kind")):
            postings[posting_id] = (posted_ms, kind, [])
        for posting_id, *line in rows("posting_lines", ("posting_id", *LINES)):
            postings[posting_id][2].append(tuple(line))
        return _sorted(
            rows("orders", ORDERS),
            rows("executions", FILLS),
            rows("transfers", TRANSFERS),
            [(posted_ms, kind, sorted(lines)) for posted_ms, kind, lines in postings.values()],
            [day for (day,) in rows("daily_summaries", ("day_ms",))],
            rows("discrepancies", ("account", "kind", "subject", "ours", "theirs", "resolution")),
        )


def _sorted(orders: Rows, fills: Rows, transfers: Rows, postings: Rows, days: list[int], differing: Rows) -> Books:
    still_open = [row for row in differing if row[-1] != REPAIRED]
    return Books(
        sorted(orders, key=str),
        sorted(fills, key=lambda fill: (fill[0], str(fill[1:]))),
        sorted(transfers, key=str),
        sorted(postings, key=lambda posting: (posting[0], str(posting[1:]))),
        sorted(days),
        still_open,
    )


def _plain(value: Any) -> Any:
    """A value as the database gives it back."""
    return value.value if hasattr(value, "value") else value


def assert_same_run(calm: MemoryStore, journals: Journals, books: Books) -> None:
    """A run that was disturbed has the engines' decisions of the calm one, and orders, fills, transfers and ledger row
    for row; its books are in order."""
    difference = first_difference(without_versions(from_memory(calm)), without_versions(journals), leave_out=RECOVERING)
    assert difference == ""
    expected = books_in_memory(calm)
    assert expected.fills, "a run that traded nothing proves nothing"
    assert expected.first_difference(books) == ""
    assert books.faults() == []
