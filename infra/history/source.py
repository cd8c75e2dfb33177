"""Pages of the exchange's public history, through pybit, with patience for what passes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pybit.unified_trading import HTTP

from infra.bybit.caller import Caller
from infra.bybit.credentials import Credentials
from infra.bybit.errors import Fault, GatewayError
from infra.bybit.limits import RateLimiter, RateLimits
from infra.bybit.market import BARS_A_PAGE, RATES_A_PAGE
from infra.bybit.parsing.fields import Row, UnparsableError
from infra.bybit.session import HttpSessions
from infra.history.catalog import Kind, Series
from statemachines.values import Account, Category

DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Waits before the next attempt; after the last one the error stands."""

Rows = list[tuple[Any, ...]]


class HistorySource:
    """Bybit's public endpoints without keys. `pause` waits between attempts.

    Every method raises GatewayError when the exchange stays away or refuses, or when its answer cannot be read.
    """

    def __init__(self, base_url: str, pause: Callable[[float], object] | None = None) -> None:
        self._caller = Caller(HttpSessions(Credentials({}), base_url), RateLimiter(RateLimits()))
        self._pause = pause or threading.Event().wait

    def now_ms(self) -> int:
        """The exchange's wall time."""
        answer = self._get("time", lambda session: session.get_server_time())
        return answer.integer("timeNano") // 1_000_000

    def page(self, series: Series, from_ms: int, to_ms: int) -> Rows:
        """Rows with `from_ms` <= time < `to_ms`, at most one page's worth of grid, oldest first."""
        if series.kind is Kind.FUNDING:
            return self._rates(series, from_ms, to_ms)
        return self._bars(series, from_ms, to_ms)

    def instruments(self, category: Category, symbols: list[str]) -> list[dict[str, Any]]:
        """The exchange's own rows of the symbols: filters, steps, leverage."""
        rows: list[dict[str, Any]] = []
        for symbol in symbols:
            rows += self._get("instruments", _instrument(category, symbol)).items("list")
        return rows

    def _bars(self, series: Series, from_ms: int, to_ms: int) -> Rows:
        method = "get_mark_price_kline" if series.kind is Kind.MARK else "get_kline"
        answer = self._get(
            "kline",
            lambda session: getattr(session, method)(
                category=series.category,
                symbol=series.symbol,
                interval=series.interval,
                start=from_ms,
                end=to_ms - 1,
                limit=BARS_A_PAGE,
            ),
        )
        answer.repeats_if_told("category", series.category)
        answer.repeats_if_told("symbol", series.symbol)
        has_volume = series.kind is Kind.BARS
        rows = [_bar(series, item, has_volume) for item in answer.items("list")]
        return sorted(row for row in rows if from_ms <= row[0] < to_ms)

    def _rates(self, series: Series, from_ms: int, to_ms: int) -> Rows:
        answer = self._get(
            "funding",
            lambda session: session.get_funding_rate_history(
                category=series.category, symbol=series.symbol, startTime=from_ms, endTime=to_ms - 1, limit=RATES_A_PAGE
            ),
        )
        rows = [
            (row.integer("fundingRateTimestamp"), float(row.decimal("fundingRate")))
            for row in answer.rows("list", f"{series.stem} row")
        ]
        return sorted(row for row in rows if from_ms <= row[0] < to_ms)

    def _get(self, group: str, call: Callable[[HTTP], Any]) -> Row:
        for delay_s in DELAYS_S:
            try:
                return self._caller.result(Account.MASTER, group, call)
            except GatewayError as error:
                if error.fault is not Fault.TRANSIENT:
                    raise
                self._pause(delay_s)
        return self._caller.result(Account.MASTER, group, call)


def _instrument(category: Category, symbol: str) -> Callable[[HTTP], Any]:
    return lambda session: session.get_instruments_info(category=category, symbol=symbol)


def _bar(series: Series, item: Any, has_volume: bool) -> tuple[Any, ...]:
    count = 7 if has_volume else 5
    if not isinstance(item, list) or len(item) < count:
        raise UnparsableError(f"{series.stem} row: a list of {count} texts is required, got {item!r}.")
    names = ("start", "open", "high", "low", "close", "volume")
    row = Row(dict(zip(names, item, strict=False)), f"{series.stem} row")
    prices = [float(row.positive(name)) for name in names[1:5]]
    if not prices[2] <= min(prices[0], prices[3]) <= max(prices[0], prices[3]) <= prices[1]:
        raise UnparsableError(f"{series.stem} row: high and low must enclose open and close, got {item!r}.")
    volume = [float(row.decimal("volume"))] if has_volume else []
    return (row.integer("start"), *prices, *volume)
