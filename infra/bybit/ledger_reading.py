"""What the ledger is checked against: an account's whole transaction log with the wallet and positions beside it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from actors.runtime.ports import MarketClock
from infra.bybit.account import AccountReader
from infra.bybit.caller import Caller
from infra.bybit.limits import RateLimiter
from infra.bybit.parsing.fields import UnparsableError
from infra.bybit.session import Sessions
from statemachines.requests import SetAside
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import Account

TRIES = 5
"""Readings until the wallet is the same before and after the log."""


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One account at the exchange: `rows` contains every change of `balances` since the instant asked for."""

    account: Account
    market_ms: int
    rows: tuple[TransactionRow, ...]
    balances: dict[str, Decimal]
    positions: dict[str, tuple[Decimal, Decimal]]


class ExchangeRecords:
    """Read-only; all methods raise GatewayError and UnparsableError."""

    def __init__(self, sessions: Sessions, clock: MarketClock, limiter: RateLimiter | None = None) -> None:
        self._reader = AccountReader(Caller(sessions, limiter), clock)
        self._clock = clock

    def now_ms(self) -> int:
        """The exchange's market time."""
        return self._clock.now_ms()

    def read(self, account: Account, since_ms: int) -> AccountRecord:
        """The account's log since an instant, complete up to the wallet beside it.

        Raises UnparsableError when a part cannot be read: what is not known proves nothing.
        """
        now_ms = self._clock.now_ms()
        before = self._reader.snapshot(account, now_ms)
        for _ in range(TRIES):
            aside: list[SetAside] = []
            rows = self._reader.transactions(account, since_ms, aside)
            after = self._reader.snapshot(account, now_ms)
            unread = [one for one in (*aside, *after.set_aside) if not one.is_foreign and one.kind != "order"]
            if unread:
                raise UnparsableError(f"{account}: {unread[0].problem}")
            if after.balances == before.balances:
                held = {one.symbol: (one.quantity, one.average_price) for one in after.positions if one.quantity}
                return AccountRecord(account, now_ms, tuple(rows), dict(after.balances), held)
            before = after
        raise UnparsableError(f"{account}: its wallet changed during {TRIES} readings; try again at a calmer time.")
