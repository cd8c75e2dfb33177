"""Reading the exchange: accounts, the market, bars, funding. A failed read raises; it is never an empty answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from actors.ports import MarketClock
from infra.bybit.caller import Caller
from infra.bybit.errors import Fault, GatewayError, is_symbol_unknown
from infra.bybit.parse import (
    SETTLE_COIN,
    interval_ms,
    is_trading,
    parse_balances,
    parse_bar,
    parse_execution,
    parse_fee_rate,
    parse_funding,
    parse_instrument,
    parse_maintenance_rate,
    parse_order,
    parse_position,
    parse_quote,
)
from statemachines.facts import BarFact, FundingRateFact
from statemachines.requests import (
    AccountSnapshot,
    BarsRead,
    ExecutionReport,
    FeeRate,
    FundingRead,
    MarketSnapshot,
    OrderReport,
    Quote,
    ReadBars,
    ReadFunding,
)
from statemachines.values import DAY_MS, LINEAR, SPOT, Account, Category, Instrument

WINDOW_MS = 7 * DAY_MS
"""Longest span of one query for executions."""

REACH_MS = 730 * DAY_MS
"""The exchange keeps executions for two years."""

BARS_A_PAGE = 1000
RATES_A_PAGE = 200
_CATEGORIES: tuple[Category, ...] = (SPOT, LINEAR)


class Reader:
    """The reading half of the exchange adapter. All methods raise GatewayError or UnparsableError."""

    def __init__(self, caller: Caller, clock: MarketClock, symbols: Sequence[tuple[Category, str]]) -> None:
        self._caller = caller
        self._clock = clock
        self._symbols = tuple(symbols)
        self._intervals: dict[str, int] = {}

    # --- account ---

    def account(self, account: Account, executions_since_ms: int) -> AccountSnapshot:
        """Open orders, executions since, positions, balances: in this order, so that a fill in between shows up
        as an execution of an order still listed, never as a missing order."""
        orders = [report for category in _CATEGORIES for report in self.open_orders(account, category)]
        executions = [
            row for category in _CATEGORIES for row in self.executions(account, category, executions_since_ms)
        ]
        positions = self._caller.pages(
            account,
            "positions",
            lambda s, at: s.get_positions(category=LINEAR, settleCoin=SETTLE_COIN, limit=200, **_cursor(at)),
        )
        wallet = self._caller.result(account, "wallet", lambda s: s.get_wallet_balance(accountType="UNIFIED"))
        parsed = [parse_position(account, row) for row in positions]
        return AccountSnapshot(
            account=account,
            market_ms=self._clock.now_ms(),
            open_orders=tuple(orders),
            executions=tuple(sorted(executions, key=lambda row: (row.executed_ms, row.execution_id))),
            positions=tuple(position for position in parsed if position is not None),
            balances=parse_balances({"list": wallet.items("list")}),
        )

    def open_orders(self, account: Account, category: Category, **by: Any) -> list[OrderReport]:
        """Working orders of a category; by id also the newest closed ones."""
        where = by or ({"settleCoin": SETTLE_COIN} if category == LINEAR else {})
        rows = self._caller.pages(
            account, "orders", lambda s, at: s.get_open_orders(category=category, limit=50, **where, **_cursor(at))
        )
        return [parse_order(account, row, category) for row in rows]

    def order_history(self, account: Account, category: Category, **by: Any) -> list[OrderReport]:
        """Orders of the (lagging) history."""
        rows = self._caller.pages(
            account, "history", lambda s, at: s.get_order_history(category=category, limit=50, **by, **_cursor(at))
        )
        return [parse_order(account, row, category) for row in rows]

    def executions(self, account: Account, category: Category, since_ms: int) -> list[ExecutionReport]:
        """All executions from an instant of market time on, in windows the exchange allows."""
        now = self._clock.now_ms()
        start = max(since_ms, now - REACH_MS)
        found: list[ExecutionReport] = []
        while start <= now:
            found += self.executions_by(account, category, startTime=start, endTime=start + WINDOW_MS - 1)
            start += WINDOW_MS
        return found

    def executions_by(self, account: Account, category: Category, **by: Any) -> list[ExecutionReport]:
        """Executions by id or within one window."""
        rows = self._caller.pages(
            account, "executions", lambda s, at: s.get_executions(category=category, limit=100, **by, **_cursor(at))
        )
        return [parse_execution(account, row, category) for row in rows]

    # --- market ---

    def market(self, account: Account) -> MarketSnapshot:
        """Instruments, the account's fee rates and quotes of all configured symbols. A symbol that the exchange
        does not (yet) know or trade is left out: that is its answer, not a failure."""
        now = self._clock.now_ms()
        instruments: list[Instrument] = []
        fees: list[FeeRate] = []
        quotes: list[Quote] = []
        for category, symbol in self._symbols:
            instrument = self._instrument(account, category, symbol)
            if instrument is None:
                continue
            instruments.append(instrument)
            rate = self._only(account, "fee-rate", "get_fee_rates", category, symbol)
            ticker = self._only(account, "tickers", "get_tickers", category, symbol)
            fees.append(parse_fee_rate(category, rate))
            quotes.append(parse_quote(category, ticker, now))
        return MarketSnapshot(
            market_ms=now, instruments=tuple(instruments), fee_rates=tuple(fees), quotes=tuple(quotes)
        )

    def _instrument(self, account: Account, category: Category, symbol: str) -> Instrument | None:
        rows = self._rows_of(account, "instruments", "get_instruments_info", category, symbol)
        if not rows or not is_trading(rows[0]):
            return None
        if category == SPOT:
            return parse_instrument(category, rows[0])
        tiers = self._rows_of(account, "risk-limit", "get_risk_limit", category, symbol)
        instrument = parse_instrument(category, rows[0], parse_maintenance_rate({"list": tiers}, symbol))
        self._intervals[symbol] = instrument.funding_interval_min
        return instrument

    def _rows_of(self, account: Account, group: str, method: str, category: Category, symbol: str) -> list[Any]:
        return self._known(account, group, _by_symbol(method, category, symbol))

    def _known(self, account: Account, group: str, call: Callable[[Any], Any]) -> list[Any]:
        """Rows of a market query; none for a symbol that the exchange does not know."""
        try:
            return self._caller.result(account, group, call).items("list")
        except GatewayError as error:
            if is_symbol_unknown(error):
                return []
            raise

    def _only(self, account: Account, group: str, method: str, category: Category, symbol: str) -> Any:
        rows = self._caller.result(account, group, _by_symbol(method, category, symbol)).items("list")
        if len(rows) != 1:
            raise GatewayError(
                0, f"{group} of {category} {symbol} has {len(rows)} rows; 1 is required", Fault.TRANSIENT
            )
        return rows[0]

    def bars(self, account: Account, request: ReadBars) -> BarsRead:
        """Closed bars, oldest first: `from_ms` <= start, and the bar's end not after `until_ms` (which the caller
        knows to have passed), so that a running bar can never slip in."""
        step = interval_ms(request.interval)
        found: dict[int, BarFact] = {}
        start = request.from_ms
        while start + step <= request.until_ms:
            end = min(start + BARS_A_PAGE * step, request.until_ms) - 1
            rows = self._kline(account, request, start, end)
            for row in rows:
                bar = parse_bar(request.category, request.symbol, request.interval, row)
                if request.from_ms <= bar.start_ms and bar.start_ms + step <= request.until_ms:
                    found[bar.start_ms] = bar
            start = end + 1
        return BarsRead(bars=tuple(found[at] for at in sorted(found)))

    def _kline(self, account: Account, request: ReadBars, start: int, end: int) -> list[Any]:
        return self._known(
            account,
            "kline",
            lambda s: s.get_kline(
                category=request.category,
                symbol=request.symbol,
                interval=request.interval,
                start=start,
                end=end,
                limit=BARS_A_PAGE,
            ),
        )

    def funding(self, account: Account, request: ReadFunding) -> FundingRead:
        """Settled rates of the symbols, oldest first (then by symbol)."""
        found: dict[tuple[int, str], FundingRateFact] = {}
        for symbol in request.symbols:
            interval = self._interval_of(account, symbol)
            if interval is None:
                continue
            end = request.until_ms
            while end >= request.from_ms:
                rates = [parse_funding(row, interval) for row in self._rates(account, symbol, request.from_ms, end)]
                for rate in rates:
                    if request.from_ms <= rate.settle_ms <= request.until_ms:
                        found[(rate.settle_ms, symbol)] = rate
                if len(rates) < RATES_A_PAGE:
                    break
                end = min(rate.settle_ms for rate in rates) - 1
        return FundingRead(rates=tuple(found[key] for key in sorted(found)))

    def _rates(self, account: Account, symbol: str, start: int, end: int) -> list[Any]:
        return self._known(
            account,
            "funding-history",
            lambda s: s.get_funding_rate_history(
                category=LINEAR, symbol=symbol, startTime=start, endTime=end, limit=RATES_A_PAGE
            ),
        )

    def _interval_of(self, account: Account, symbol: str) -> int | None:
        if symbol not in self._intervals:
            self._instrument(account, LINEAR, symbol)
        return self._intervals.get(symbol)


def _by_symbol(method: str, category: Category, symbol: str) -> Callable[[Any], Any]:
    return lambda session: getattr(session, method)(category=category, symbol=symbol)


def _cursor(at: str) -> dict[str, str]:
    return {"cursor": at} if at else {}
