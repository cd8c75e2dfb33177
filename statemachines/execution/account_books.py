"""The accounts of one sub-account: its ledger, and the state of its comparison with the exchange."""

from __future__ import annotations

from collections.abc import Iterable

from statemachines.actor_logic import StateRow
from statemachines.execution.parameters import OrderParameters
from statemachines.execution.records.seen_ids import SeenIds
from statemachines.execution.records.transaction_records import TransactionRecords
from statemachines.ledger.account_ledger import AccountLedger
from statemachines.requests import ExecutionReport
from statemachines.state_store import RowKind
from statemachines.unusable_data import UnusableData
from statemachines.values import Account

PREFIX = "book:"
SCHEMA = 2


def _without_earn(row: StateRow) -> StateRow:
    """Schema 1 was written by versions that did not read Earn."""
    return row._replace(schema=2, data={**row.data, "is_earn_opened": False})


ROWS = RowKind(PREFIX, SCHEMA, {1: _without_earn})


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false is required, not {value!r}")
    return value


class AccountBooks:
    """Ledger and positions, the execution ids booked, the external orders adopted.

    `is_opened` is false until the very first reading has been posted as opening balances; `reconciled_ms` is the
    market time of the last completed comparison; `activity` counts bookings, so that a reading that overlapped one is
    not mistaken for a difference. `is_earn_opened` is false until the first reading of Earn has been posted.
    """

    def __init__(self, account: Account, parameters: OrderParameters) -> None:
        self.account = account
        self.book = AccountLedger(account)
        # An order keeps its executions' ids too; only these outlive its slot and cover executions of no order of ours.
        self.deduplicator = SeenIds("executions", account, parameters.seen_buckets, parameters.seen_per_bucket)
        self.transactions = TransactionRecords(account, parameters.seen_buckets, parameters.seen_per_bucket)
        self.is_opened = False
        self.is_earn_opened = False
        self.reconciled_ms = 0
        self.external_orders: set[str] = set()
        self.reported_foreign: set[str] = set()
        self.unusable = UnusableData(f"account {account}")
        self.doubted: dict[str, ExecutionReport] = {}
        """Implausible executions by id, in memory only: after a restart the exchange's list contains them again."""
        self.alive_after_end: set[str] = set()
        """Client ids of orders that the last reading showed open although the exchange had reported their end: one
        reading may be older than the end, two cannot both be. In memory only: a restart reads the account again."""
        self.activity = 0
        self.is_dirty = False

    def changed(self) -> None:
        """Money or positions have changed: write the row, and treat readings under way as overlapped."""
        self.is_dirty = True
        self.activity += 1

    def rows(self) -> Iterable[StateRow]:
        """Every row in its current form."""
        return [self._row(), *self.deduplicator.rows(), *self.transactions.rows()]

    def dirty(self) -> Iterable[StateRow]:
        """Rows changed since the last call."""
        if self.is_dirty or self.unusable.is_dirty:
            self.is_dirty = False
            yield self._row()
        yield from self.deduplicator.dirty()
        yield from self.transactions.dirty()

    def _row(self) -> StateRow:
        data = {
            "book": self.book.as_data(),
            "reconciled_ms": self.reconciled_ms,
            "forgotten_ms": self.deduplicator.horizon_ms,
            "external_orders": sorted(self.external_orders),
            "foreign_told": sorted(self.reported_foreign),
            "unusable": self.unusable.dump(),
            "is_earn_opened": self.is_earn_opened,
        }
        return StateRow(f"{PREFIX}{self.account}", "OPENED" if self.is_opened else "NEW", SCHEMA, data)

    def restore(self, row: StateRow) -> None:
        """Restore the account's row (the buckets of `deduplicator` are restored one by one)."""
        self.book = AccountLedger.from_data(self.account, row.data["book"])
        self.is_opened = row.state == "OPENED"
        self.reconciled_ms = row.data["reconciled_ms"]
        self.deduplicator.horizon_ms = max(self.deduplicator.horizon_ms, row.data["forgotten_ms"])
        self.external_orders = set(row.data["external_orders"])
        self.reported_foreign = set(row.data["foreign_told"])
        self.unusable.load(row.data["unusable"])
        self.is_earn_opened = _boolean(row.data["is_earn_opened"])
