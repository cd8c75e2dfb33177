"""OR-6: what an account has taken from its transaction log, so that each row is booked once, over restarts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from statemachines.actor_logic import StateRow
from statemachines.execution.records.seen_ids import SeenIds
from statemachines.state_store import RowKind
from statemachines.values import Account

MAX_OPEN = 1_000
"""Confirmed transfers without their row, and corrections without an explanation, that are kept; the oldest go first."""


class OwnLeg(NamedTuple):
    """What a confirmed transfer or staking order of ours did to the wallet; its row of the log is not booked again."""

    own_id: str
    coin: str
    amount: Decimal


class Correction(NamedTuple):
    """A difference that was booked without an explanation; a row that arrives later may explain it."""

    posting_id: str
    ledger_account: str
    coin: str
    amount: Decimal
    found_ms: int


PREFIX = "transaction-log:"
SCHEMA = 3
YIELD_PREFIX = "earn-yield:"
"""Of the keys under which Earn's payments are taken, among those of the log's rows."""


def _without_staking(row: StateRow) -> StateRow:
    """Schema 1 was written by versions that could not stake."""
    return row._replace(schema=2, data={**row.data, "staking_legs": []})


def _with_yields(row: StateRow) -> StateRow:
    """Schema 2 was written by versions that read Earn's payments up to the same instant as the log."""
    return row._replace(schema=3, data={**row.data, "yields_read_ms": row.data["read_ms"]})


ROWS = RowKind(PREFIX, SCHEMA, {1: _without_staking, 2: _with_yields})


class TransactionRecords:
    """What one account has taken from its transaction log. `read_ms` is the market time up to which it was read; 0
    until it has been read for the first time. `yields_read_ms` is the same of what Earn has paid, which stays behind
    while Earn cannot be read."""

    def __init__(self, account: Account, buckets: int, per_bucket: int) -> None:
        self.account = account
        self.seen = SeenIds("transactions", account, buckets, per_bucket, self._is_yield_listed_again)
        self.read_ms = 0
        self.yields_read_ms = 0
        self.legs: list[OwnLeg] = []
        """Of transfers."""
        self.staking_legs: list[OwnLeg] = []
        self.corrections: list[Correction] = []
        self.in_suspense: dict[str, int] = {}
        """Rows in suspense by type, since the first start."""
        self.is_dirty = False

    @property
    def is_begun(self) -> bool:
        """Whether it is known from which instant on rows are booked."""
        return self.read_ms > 0

    def begin(self, horizon_ms: int, keys: Iterable[tuple[str, int]], read_ms: int) -> None:
        """Rows at or before `horizon_ms`, and those named with their times, are part of the opening balance."""
        self.seen.horizon_ms = max(self.seen.horizon_ms, horizon_ms)
        for key, time_ms in keys:
            self.seen.add(key, time_ms)
        self.read_to(read_ms)
        self.yields_read_to(read_ms)

    def read_to(self, read_ms: int) -> None:
        """The log was read completely up to an instant."""
        if read_ms != self.read_ms:
            self.read_ms = read_ms
            self.is_dirty = True

    def yields_read_to(self, read_ms: int) -> None:
        """All that Earn has paid up to an instant is taken."""
        if read_ms != self.yields_read_ms:
            self.yields_read_ms = read_ms
            self.is_dirty = True

    def is_yield_taken(self, key: str, paid_ms: int) -> bool:
        """Whether the payment was taken before. The oldest ids are discarded while Earn cannot be read, but none of a
        payment that the next reading lists again."""
        return key in self.seen or paid_ms <= min(self.seen.horizon_ms, self.yields_read_ms)

    def _is_yield_listed_again(self, key: str, paid_ms: int) -> bool:
        """Whether only its id shows that the payment was taken: while another one is pending, each reading begins at
        the same instant."""
        return key.startswith(YIELD_PREFIX) and paid_ms > self.yields_read_ms

    def is_taken(self, key: str, time_ms: int | None) -> bool:
        """Whether the row was taken before, or is older than any that could be missing."""
        return key in self.seen or (time_ms is not None and time_ms <= self.seen.horizon_ms)

    def expect(self, leg: OwnLeg) -> None:
        """A transfer of ours was confirmed and booked."""
        self.legs = [*self.legs, leg][-MAX_OPEN:]
        self.is_dirty = True

    def expect_staking(self, leg: OwnLeg) -> None:
        """A staking order of ours has succeeded and is booked."""
        self.staking_legs = [*self.staking_legs, leg][-MAX_OPEN:]
        self.is_dirty = True

    def take_leg(self, coin: str, amount: Decimal, order_id: str) -> bool:
        """Whether a row belongs to a confirmed transfer, which is then complete."""
        return self._take(self.legs, coin, amount, order_id)

    def take_staking_leg(self, coin: str, amount: Decimal, order_id: str) -> bool:
        """Whether a row belongs to a staking order of ours, which is then complete."""
        return self._take(self.staking_legs, coin, amount, order_id)

    def _take(self, legs: list[OwnLeg], coin: str, amount: Decimal, order_id: str) -> bool:
        fitting = [leg for leg in legs if (leg.coin, leg.amount) == (coin, amount)]
        if not fitting:
            return False
        legs.remove(next((leg for leg in fitting if leg.own_id == order_id), fitting[0]))
        self.is_dirty = True
        return True

    def corrected(self, correction: Correction) -> None:
        """A difference was booked without an explanation."""
        self.corrections = [*self.corrections, correction][-MAX_OPEN:]
        self.is_dirty = True

    def take_correction(self, coin: str, amount: Decimal, latest_ms: int) -> Correction | None:
        """The correction that stood for a change up to `latest_ms`, which is thereby explained."""
        for one in self.corrections:
            if (one.coin, one.amount) == (coin, amount) and latest_ms <= one.found_ms:
                self.corrections.remove(one)
                self.is_dirty = True
                return one
        return None

    def count_suspense(self, transaction_type: str) -> int:
        """One more row of the type is in suspense; returns how many there are."""
        self.in_suspense[transaction_type] = self.in_suspense.get(transaction_type, 0) + 1
        self.is_dirty = True
        return self.in_suspense[transaction_type]

    # --- durable form ---

    def rows(self) -> Iterable[StateRow]:
        """Every row in its current form; none before the first reading."""
        is_kept = self.is_begun or self.legs or self.staking_legs or self.corrections or self.in_suspense
        own = [self._row()] if is_kept else []
        return [*own, *self.seen.rows()]

    def dirty(self) -> Iterable[StateRow]:
        """Rows changed since the last call."""
        if self.is_dirty:
            self.is_dirty = False
            yield self._row()
        yield from self.seen.dirty()

    def _row(self) -> StateRow:
        data = {
            "read_ms": self.read_ms,
            "yields_read_ms": self.yields_read_ms,
            "horizon_ms": self.seen.horizon_ms,
            "legs": [list(_texts(leg)) for leg in self.legs],
            "staking_legs": [list(_texts(leg)) for leg in self.staking_legs],
            "corrections": [
                [one.posting_id, one.ledger_account, one.coin, str(one.amount), one.found_ms]
                for one in self.corrections
            ],
            "in_suspense": dict(sorted(self.in_suspense.items())),
        }
        return StateRow(f"{PREFIX}{self.account}", "", SCHEMA, data)

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore the account's row (the buckets of `seen` are restored one by one)."""
        self.read_ms = data["read_ms"]
        self.yields_read_ms = data["yields_read_ms"]
        self.seen.horizon_ms = max(self.seen.horizon_ms, data["horizon_ms"])
        self.legs = [_leg(*texts) for texts in data["legs"]]
        self.staking_legs = [_leg(*texts) for texts in data["staking_legs"]]
        self.corrections = [
            Correction(name, counter, coin, Decimal(amount), found_ms)
            for name, counter, coin, amount, found_ms in data["corrections"]
        ]
        self.in_suspense = dict(data["in_suspense"])


def _texts(leg: OwnLeg) -> tuple[str, str, str]:
    return leg.own_id, leg.coin, str(leg.amount)


def _leg(own_id: str, coin: str, amount: str) -> OwnLeg:
    return OwnLeg(own_id, coin, Decimal(amount))
