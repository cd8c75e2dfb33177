"""The exchange's Earn (bybit-v5 4.6): offers, positions, yield, staking orders and what became of them.

Earn is an extra: that it cannot be read says nothing about the account's money and stops nothing but staking.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pybit.unified_trading import HTTP

from actors.runtime.ports import MarketClock
from infra.bybit.caller import Caller, at_cursor
from infra.bybit.errors import GatewayError
from infra.bybit.parsing.earn import (
    FLEXIBLE,
    is_pending_yield,
    order_type,
    parse_position,
    parse_product,
    parse_status,
    parse_yield,
    yield_rows,
)
from infra.bybit.parsing.fields import Row, UnparsableError, plain
from statemachines.earn.terms import (
    EarnPosition,
    EarnProduct,
    EarnReading,
    EarnYield,
    LookUpStaking,
    StakeCoins,
    StakingStatus,
)
from statemachines.requests import (
    Accepted,
    ExchangeResponse,
)
from statemachines.values import DAY_MS, MINUTE_MS, Account

GROUP = "earn"
WALLET = "UNIFIED"
WINDOW_MS = 7 * DAY_MS
REACH_MS = 90 * DAY_MS
"""The exchange keeps yield for three months."""

READING_MS = 10 * MINUTE_MS

_NO_ACCESS = frozenset({10005, 10017, 10024, 10032})
"""The key lacks the permission, or this site has no Earn (demo trading)."""

T = TypeVar("T")


class EarnGateway:
    """Reads and writes of one process. `place` and `look_up` raise GatewayError and UnparsableError."""

    def __init__(self, caller: Caller, clock: MarketClock) -> None:
        self._caller = caller
        self._clock = clock

    def reading(self, account: Account, yields_since_ms: int | None, coins: tuple[str, ...]) -> EarnReading:
        """Positions; with an instant also the yield paid since; with coins also what is offered for them. A failure is
        reported in the reading and leaves what depends on it unknown."""
        try:
            positions = self._positions(account)
            yields, is_pending = (None, False) if yields_since_ms is None else self._yields(account, yields_since_ms)
        except (GatewayError, UnparsableError) as error:
            return self._unread(account, error, coins)
        reading = EarnReading(access="granted", positions=positions, yields=yields, has_pending_yields=is_pending)
        return self._with_products(account, reading, coins)

    def _unread(self, account: Account, error: Exception, coins: tuple[str, ...]) -> EarnReading:
        if isinstance(error, GatewayError) and (
            (not error.http_status and error.code in _NO_ACCESS) or error.http_status == 404
        ):
            why = f"the key of {account} has no access to Earn (code {error.code}: {error.message})."
            return EarnReading(access="denied", problem=why)
        return EarnReading(access="unknown", problem=f"Earn of {account} could not be read: {error}")

    def _with_products(self, account: Account, reading: EarnReading, coins: tuple[str, ...]) -> EarnReading:
        if not coins:
            return reading
        try:
            products = self._products(account, coins)
        except (GatewayError, UnparsableError) as error:
            return reading.model_copy(update={"products_problem": f"the offers of Earn could not be read: {error}"})
        return reading.model_copy(update={"products": products})

    def _products(self, account: Account, coins: tuple[str, ...]) -> tuple[EarnProduct, ...]:
        result = self._caller.result(account, GROUP, lambda s: s.get_earn_product_info(category=FLEXIBLE))
        rows = [row for row in result.rows("list", "Earn product row") if row.raw("coin") in coins]
        return _distinct([parse_product(row) for row in rows], lambda one: one.product_id, "product")

    def _positions(self, account: Account) -> tuple[EarnPosition, ...]:
        rows = self._pages(
            account, lambda s, at: s.get_staked_position(category=FLEXIBLE, **at), lambda r: r.rows("list", "position")
        )
        return _distinct([parse_position(row) for row in rows], lambda one: one.product_id, "position")

    def _yields(self, account: Account, since_ms: int) -> tuple[tuple[EarnYield, ...], bool]:
        """The payments made since an instant, and whether some of the last week are still to be made."""
        now_ms = self._clock.now_ms()
        start, found, is_pending = max(since_ms, now_ms - REACH_MS), list[EarnYield](), False
        while start <= now_ms:
            end = min(start + WINDOW_MS - 1, now_ms + READING_MS)
            rows = self._pages(account, _yields_between(start, end), yield_rows)
            found += [one for row in rows if (one := parse_yield(row, now_ms + READING_MS)) is not None]
            is_pending |= any(is_pending_yield(row, now_ms - WINDOW_MS) for row in rows)
            start += WINDOW_MS
        return _distinct(list(dict.fromkeys(found)), lambda one: one.yield_id, "yield"), is_pending

    def _pages(
        self, account: Account, call: Callable[[HTTP, dict[str, str]], object], rows_of: Callable[[Row], list[Row]]
    ) -> list[Row]:
        pages = self._caller.each_page(account, GROUP, lambda session, at: call(session, at_cursor(at)))
        return [row for page in pages for row in rows_of(page)]

    # --- staking orders ---

    def place(self, account: Account, request: StakeCoins) -> ExchangeResponse:
        """The acknowledgement of a staking order, if it is of the order that was meant (IF-2)."""
        result = self._caller.result(
            account,
            GROUP,
            lambda s: s.stake_or_redeem(
                category=FLEXIBLE,
                orderType=order_type(request.action),
                accountType=WALLET,
                amount=plain(request.amount),
                coin=request.coin,
                productId=request.product_id,
                orderLinkId=request.client_order_id,
            ),
        )
        result.repeats("orderLinkId", request.client_order_id)
        return Accepted(venue_order_id=result.text("orderId"))

    def look_up(self, account: Account, request: LookUpStaking) -> ExchangeResponse:
        """The state of a staking order by its client id. A record with other terms is not ours: it is not read."""
        result = self._caller.result(
            account,
            GROUP,
            lambda s: s.get_stake_or_redemption_history(category=FLEXIBLE, orderLinkId=request.client_order_id),
        )
        found = []
        for row in result.rows("list", f"record of staking order {request.client_order_id}"):
            row.repeats("orderLinkId", request.client_order_id)
            row.repeats("orderType", order_type(request.action))
            row.repeats("coin", request.coin)
            row.repeats("productId", request.product_id)
            if row.decimal("orderValue") != request.amount:
                raise row.error("orderValue", row.raw("orderValue"), f"the amount ordered, {request.amount:f},")
            found.append(parse_status(row))
        if len(set(found)) > 1:
            statuses = " and ".join(sorted(set(found)))
            raise UnparsableError(f"staking order {request.client_order_id} is reported as {statuses}.")
        return StakingStatus(status=found[0] if found else "ABSENT")


def _yields_between(start_ms: int, end_ms: int) -> Callable[[HTTP, dict[str, str]], object]:
    def call(session: HTTP, at: dict[str, str]) -> object:
        return session.get_yield(category=FLEXIBLE, startTime=start_ms, endTime=end_ms, limit=100, **at)

    return call


def _distinct(rows: list[T], name: Callable[[T], str], what: str) -> tuple[T, ...]:
    """The rows, each of another name: two of one name say nothing about it."""
    names = [name(row) for row in rows]
    for one in names:
        if names.count(one) > 1:
            raise UnparsableError(f"answer of Earn: {what} {one} is listed {names.count(one)} times.")
    return tuple(rows)
