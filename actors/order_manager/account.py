"""The books of one account and what was last compared with the exchange."""

from __future__ import annotations

from collections.abc import Iterable

from actors.order_manager.parameters import OrderParameters
from actors.order_manager.seen import Seen
from statemachines.brain import StateRow
from statemachines.ledger.book import Book
from statemachines.requests import ExecutionReport
from statemachines.unusable import UnusableData
from statemachines.values import Account


class AccountBooks:
    """Ledger and positions, the execution ids booked, the external orders adopted.

    `is_opened` is false until the first reading ever has been posted as opening balances; `reconciled_ms` is the
    market time of the last completed comparison; `activity` counts bookings, so that a reading that overlapped
    one is not taken for a difference.
    """

    def __init__(self, account: Account, parameters: OrderParameters) -> None:
        self.account = account
        self.book = Book(account)
        self.seen = Seen(account, parameters.seen_buckets, parameters.seen_per_bucket)
        self.is_opened = False
        self.reconciled_ms = 0
        self.external_orders: set[str] = set()
        self.foreign_told: set[str] = set()
        self.unusable = UnusableData(f"account {account}")
        self.doubted: dict[str, ExecutionReport] = {}
        """By id: executions that cannot be, in memory only: after a restart the exchange's list tells them anew."""
        self.alive_after_end: set[str] = set()
        """Client ids of orders that the last reading showed open although the exchange had told their end: one reading
        may be older than the end, two are not. In memory only: a restart reads anew."""
        self.activity = 0
        self.is_dirty = False

    def is_booked(self, report: ExecutionReport) -> bool:
        """Whether the execution has been booked, or is older than anything that could be missing."""
        return report.execution_id in self.seen or report.executed_ms <= self.seen.forgotten_ms

    def changed(self) -> None:
        """Money or positions have changed: write the row, and distrust readings that are under way."""
        self.is_dirty = True
        self.activity += 1

    def rows(self) -> Iterable[StateRow]:
        """Rows changed since the last call."""
        if self.is_dirty or self.unusable.is_dirty:
            self.is_dirty = False
            data = {
                "book": self.book.as_data(),
                "reconciled_ms": self.reconciled_ms,
                "forgotten_ms": self.seen.forgotten_ms,
                "external_orders": sorted(self.external_orders),
                "foreign_told": sorted(self.foreign_told),
                "unusable": self.unusable.dump(),
            }
            yield StateRow(f"book:{self.account}", "OPENED" if self.is_opened else "NEW", 1, data)
        yield from self.seen.rows()

    def restore(self, row: StateRow) -> None:
        """Take back the row of the book (the buckets of `seen` are restored one by one)."""
        self.book = Book.from_data(self.account, row.data["book"])
        self.is_opened = row.state == "OPENED"
        self.reconciled_ms = row.data["reconciled_ms"]
        self.seen.forgotten_ms = max(self.seen.forgotten_ms, row.data["forgotten_ms"])
        self.external_orders = set(row.data["external_orders"])
        self.foreign_told = set(row.data.get("foreign_told", ()))
        self.unusable.load(row.data.get("unusable", []))
