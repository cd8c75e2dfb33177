"""What the ledger is checked against: an account's whole transaction log with the wallet and positions beside it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from actors.runtime.ports import MarketClock
from infra.bybit.account import AccountReader
from infra.bybit.caller import Caller
from infra.bybit.earn import EarnGateway
from infra.bybit.limits import RateLimiter
from infra.bybit.parsing.fields import UnparsableError
from infra.bybit.session import Sessions
from statemachines.earn.terms import EarnReading, EarnYield
from statemachines.execution.fills import FILL_TYPES
from statemachines.execution.reconciliation.earn import coins_in_earn
from statemachines.ledger.check import YIELD_READ_WITHIN_MS, Traded
from statemachines.requests import (
    ReadAccount,
    SetAside,
)
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import EARN_ACCOUNT, LINEAR, Account

TRIES = 5
"""Readings until the wallet is the same before and after the log."""


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One account at the exchange: `rows` contains every change of `balances` since the instant asked for. `in_earn` is
    what flexible Earn products hold, by coin; None without access to Earn, and for accounts that do not use it.
    `yields` are the payments into it of the last `YIELD_READ_WITHIN_MS`. `traded` is what was executed of perpetuals
    since the instant of the comparison."""

    account: Account
    market_ms: int
    rows: tuple[TransactionRow, ...]
    balances: dict[str, Decimal]
    positions: dict[str, tuple[Decimal, Decimal]]
    in_earn: dict[str, Decimal] | None = None
    yields: tuple[EarnYield, ...] = ()
    traded: tuple[Traded, ...] = ()


class ExchangeRecords:
    """Read-only; all methods raise GatewayError and UnparsableError."""

    def __init__(self, sessions: Sessions, clock: MarketClock, limiter: RateLimiter | None = None) -> None:
        caller = Caller(sessions, limiter)
        self._reader = AccountReader(caller, clock)
        self._earn = EarnGateway(caller, clock)
        self._clock = clock

    def now_ms(self) -> int:
        """The exchange's market time."""
        return self._clock.now_ms()

    def read(self, account: Account, since_ms: int, as_of_ms: int) -> AccountRecord:
        """The account's log since an instant, complete up to the wallet beside it, with what was executed since the
        instant of the comparison.

        Raises UnparsableError when a part cannot be read: what is not known proves nothing.
        """
        now_ms = self._clock.now_ms()
        asked = ReadAccount(executions_since_ms=as_of_ms)
        before = self._reader.snapshot(account, asked)
        for _ in range(TRIES):
            aside: list[SetAside] = []
            rows = self._reader.transactions(account, since_ms, aside)
            # Before the wallet, so that an order of Earn between the two shows in it.
            earn = self._earn.reading(account, now_ms - YIELD_READ_WITHIN_MS, ()) if account is EARN_ACCOUNT else None
            after = self._reader.snapshot(account, asked)
            unread = [one for one in (*aside, *after.set_aside) if not one.is_foreign and one.kind != "order"]
            if unread:
                raise UnparsableError(f"{account}: {unread[0].problem}")
            if after.balances == before.balances:
                held = {one.symbol: (one.quantity, one.average_price) for one in after.positions if one.quantity}
                in_earn, yields = _in_earn(account, earn), (earn.yields if earn is not None else None) or ()
                traded = [
                    Traded(one.symbol, one.side.sign * one.quantity, one.executed_ms)
                    for one in after.executions
                    if one.category == LINEAR and one.execution_type in FILL_TYPES
                ]
                return AccountRecord(
                    account,
                    now_ms,
                    tuple(rows),
                    dict(after.balances),
                    held,
                    in_earn,
                    tuple(yields),
                    tuple(one for one in traded if one.time_ms > as_of_ms),
                )
            before = after
        raise UnparsableError(f"{account}: its wallet changed during {TRIES} readings; try again at a calmer time.")


def _in_earn(account: Account, reading: EarnReading | None) -> dict[str, Decimal] | None:
    if reading is None or reading.access == "denied":
        return None
    found = coins_in_earn(reading)
    if found is None:
        raise UnparsableError(f"{account}: {reading.problem}")
    return found
