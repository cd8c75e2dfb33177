"""Reading the exchange: accounts, the market, bars, funding. A failed read raises; it is never an empty answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from actors.ports import MarketClock
from infra.bybit.caller import Caller
from infra.bybit.errors import GatewayError, is_symbol_unknown
from infra.bybit.fields import UnparsableError
from infra.bybit.judging import Kind, judged, set_aside
from infra.bybit.parse import (
    SETTLE_COIN,
    interval_ms,
    is_trading,
    parse_balance,
    parse_bar,
    parse_execution,
    parse_fee_rate,
    parse_funding,
    parse_instrument,
    parse_maintenance_rate,
    parse_order,
    parse_position,
    parse_quote,
    traded,
    wallet_coins,
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
    SetAside,
)
from statemachines.values import DAY_MS, LINEAR, MINUTE_MS, SPOT, Account, Category, Instrument

WINDOW_MS = 7 * DAY_MS
"""Longest span of one query for executions."""

REACH_MS = 730 * DAY_MS
"""The exchange keeps executions for two years."""

READING_MS = 10 * MINUTE_MS
"""An account's rows may be younger than the reading's begin by as long as a reading can take."""

BARS_A_PAGE = 1000
RATES_A_PAGE = 200
_CATEGORIES: tuple[Category, ...] = (SPOT, LINEAR)
T = TypeVar("T")


class Reader:
    """The reading half of the exchange adapter. All methods raise GatewayError or UnparsableError."""

    def __init__(self, caller: Caller, clock: MarketClock, symbols: Sequence[tuple[Category, str]]) -> None:
        self._caller = caller
        self._clock = clock
        self._symbols = tuple(symbols)

    # --- account ---

    def account(self, account: Account, executions_since_ms: int) -> AccountSnapshot:
        """Open orders, executions since, positions, balances: in this order, so that a fill in between shows up
        as an execution of an order still listed, never as a missing order."""
        aside: list[SetAside] = []
        orders: list[OrderReport] = []
        executions: list[ExecutionReport] = []
        now_ms = self._clock.now_ms()
        latest_ms = now_ms + READING_MS
        for category in _CATEGORIES:
            where = {"settleCoin": SETTLE_COIN} if category == LINEAR else {}
            rows = self._order_rows(account, category, where)
            orders += _kept(aside, "order", rows, partial(_order, account, category, latest_ms), category)
        now_ms = self._clock.now_ms()
        for category in _CATEGORIES:
            rows = self._execution_rows_since(account, category, executions_since_ms, now_ms)
            executions += _kept(aside, "execution", rows, partial(_execution, account, category, latest_ms), category)
        positions = self._caller.pages(
            account,
            "positions",
            lambda s, at: s.get_positions(category=LINEAR, settleCoin=SETTLE_COIN, limit=200, **_cursor(at)),
            LINEAR,
        )
        wallet = self._caller.result(account, "wallet", lambda s: s.get_wallet_balance(accountType="UNIFIED"))
        coins = wallet_coins({"list": wallet.items("list")})
        parsed = _kept(aside, "position", positions, partial(parse_position, account), LINEAR)
        return AccountSnapshot(
            account=account,
            market_ms=self._clock.now_ms(),
            open_orders=tuple(orders),
            executions=tuple(sorted(executions, key=lambda row: (row.executed_ms, row.execution_id))),
            positions=tuple(position for position in parsed if position is not None),
            balances=dict(_kept(aside, "balance", coins, parse_balance)),
            set_aside=tuple(aside),
        )

    def open_orders(self, account: Account, category: Category, **by: Any) -> list[OrderReport]:
        """Working orders by id, the newest closed ones included. Strict: one unreadable row fails the query."""
        return [parse_order(account, row, category) for row in self._order_rows(account, category, by)]

    def _order_rows(self, account: Account, category: Category, where: Mapping[str, Any]) -> list[Any]:
        return self._caller.pages(
            account,
            "orders",
            lambda s, at: s.get_open_orders(category=category, limit=50, **where, **_cursor(at)),
            category,
        )

    def order_history(self, account: Account, category: Category, **by: Any) -> list[OrderReport]:
        """Orders of the (lagging) history. Strict, as `open_orders`."""
        rows = self._caller.pages(
            account,
            "history",
            lambda s, at: s.get_order_history(category=category, limit=50, **by, **_cursor(at)),
            category,
        )
        return [parse_order(account, row, category) for row in rows]

    def _execution_rows_since(self, account: Account, category: Category, since_ms: int, now_ms: int) -> list[Any]:
        """All rows from an instant of market time on, in windows the exchange allows."""
        start = max(since_ms, now_ms - REACH_MS)
        found: list[Any] = []
        while start <= now_ms:
            found += self._execution_rows(account, category, startTime=start, endTime=start + WINDOW_MS - 1)
            start += WINDOW_MS
        return found

    def executions_by(self, account: Account, category: Category, **by: Any) -> list[ExecutionReport]:
        """Executions by id. Strict, as `open_orders`."""
        return [parse_execution(account, row, category) for row in self._execution_rows(account, category, **by)]

    def _execution_rows(self, account: Account, category: Category, **by: Any) -> list[Any]:
        return self._caller.pages(
            account,
            "executions",
            lambda s, at: s.get_executions(category=category, limit=100, **by, **_cursor(at)),
            category,
        )

    # --- market ---

    def market(self, account: Account) -> MarketSnapshot:
        """Instruments, the account's fee rates and quotes of all configured symbols, each judged by itself. A symbol
        that the exchange does not (yet) know or trade is left out: that is its answer, not a failure."""
        now = self._clock.now_ms()
        instruments: list[Instrument] = []
        fees: list[FeeRate] = []
        quotes: list[Quote] = []
        aside: list[SetAside] = []
        for category, symbol in self._symbols:
            where = (account, category, symbol)
            instrument = _or_aside(aside, "instrument", category, symbol, partial(self._instrument, *where))
            if instrument is None:
                continue
            instruments.append(instrument)
            fee = _or_aside(aside, "instrument", category, symbol, partial(self._fee, *where))
            quote = _or_aside(aside, "quote", category, symbol, partial(self._quote, *where, now))
            fees += [] if fee is None else [fee]
            quotes += [] if quote is None else [quote]
        return MarketSnapshot(
            market_ms=now,
            instruments=tuple(instruments),
            fee_rates=tuple(fees),
            quotes=tuple(quotes),
            set_aside=tuple(aside),
        )

    def _instrument(self, account: Account, category: Category, symbol: str) -> Instrument | None:
        rows = self._rows_of(account, "instruments", "get_instruments_info", category, symbol)
        if not rows or not is_trading(rows[0]):
            return None
        if category == SPOT:
            return _of_symbol(parse_instrument(category, rows[0]), symbol)
        tiers = self._rows_of(account, "risk-limit", "get_risk_limit", category, symbol)
        rate = parse_maintenance_rate({"list": tiers}, symbol)
        return _of_symbol(parse_instrument(category, rows[0], rate), symbol)

    def _fee(self, account: Account, category: Category, symbol: str) -> FeeRate:
        row = self._only(account, "fee-rate", "get_fee_rates", category, symbol)
        return _of_symbol(parse_fee_rate(category, row), symbol)

    def _quote(self, account: Account, category: Category, symbol: str, now_ms: int) -> Quote:
        row = self._only(account, "tickers", "get_tickers", category, symbol)
        return _of_symbol(parse_quote(category, row, now_ms), symbol)

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
            raise UnparsableError(f"answer to {group} of {category} {symbol}: it has {len(rows)} rows; 1 is required.")
        return rows[0]

    def bars(self, account: Account, request: ReadBars) -> BarsRead:
        """Closed bars, oldest first: `from_ms` <= start, and the bar's end not after `until_ms` (which the caller
        knows to have passed), so that a running bar can never slip in."""
        step = interval_ms(request.interval)
        found: dict[int, BarFact] = {}
        aside: list[SetAside] = []
        parse = partial(parse_bar, request.category, request.symbol, request.interval)
        start = request.from_ms
        while start + step <= request.until_ms:
            end = min(start + BARS_A_PAGE * step, request.until_ms) - 1
            rows = self._kline(account, request, start, end)
            for bar in _kept(aside, "bar", rows, parse, request.category, request.symbol):
                if request.from_ms <= bar.start_ms and bar.start_ms + step <= request.until_ms:
                    found[bar.start_ms] = bar
            start = end + 1
        return BarsRead(bars=tuple(found[at] for at in sorted(found)), set_aside=tuple(aside))

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
        """Settled rates of the symbols, oldest first (then by symbol), each with the interval between its neighbours:
        the exchange changes intervals, and its history tells instants and rates only."""
        found: list[FundingRateFact] = []
        aside: list[SetAside] = []
        for symbol in request.symbols:
            found += self._settled(account, symbol, request.from_ms, request.until_ms, aside)
        found.sort(key=lambda rate: (rate.settle_ms, rate.symbol))
        return FundingRead(rates=tuple(found), set_aside=tuple(aside))

    def _settled(
        self, account: Account, symbol: str, from_ms: int, until_ms: int, aside: list[SetAside]
    ) -> list[FundingRateFact]:
        """One symbol's rates. A day before `from_ms` is read too, since a rate's interval begins at the one before."""
        raw: dict[int, FundingRateFact] = {}
        end = until_ms
        first = max(from_ms - DAY_MS, 0)
        while end >= first:
            rows = self._rates(account, symbol, first, end)
            rates = _kept(aside, "funding_rate", rows, lambda row: _of_symbol(parse_funding(row, 0), symbol), LINEAR)
            raw |= {rate.settle_ms: rate for rate in rates if first <= rate.settle_ms <= until_ms}
            if len(rows) < RATES_A_PAGE or not rates:
                break
            oldest = min(rate.settle_ms for rate in rates)
            if oldest > end:
                break
            end = oldest - 1
        intervals = intervals_min(sorted(raw))
        return [
            rate.model_copy(update={"interval_min": intervals.get(at) or self._present_interval(account, symbol)})
            for at, rate in sorted(raw.items())
            if at >= from_ms
        ]

    def _rates(self, account: Account, symbol: str, start: int, end: int) -> list[Any]:
        return self._known(
            account,
            "funding-history",
            lambda s: s.get_funding_rate_history(
                category=LINEAR, symbol=symbol, startTime=start, endTime=end, limit=RATES_A_PAGE
            ),
        )

    def _present_interval(self, account: Account, symbol: str) -> int:
        """The instrument's interval, for a rate without a neighbour. Asked anew each time: it changes."""
        instrument = self._instrument(account, LINEAR, symbol)
        if instrument is None:
            raise UnparsableError(f"instrument linear {symbol}: it is not traded, so a lone rate has no interval.")
        return instrument.funding_interval_min


INTERVALS_MIN = (60, 120, 240, 480, 1440)
"""The exchange's funding intervals (bybit-v5 7)."""


def intervals_min(settled_ms: Sequence[int]) -> dict[int, int]:
    """The funding interval, in minutes, of each settlement that has a neighbour, from sorted instants.

    It is the distance to the settlement before; where that is none of the exchange's intervals (a gap in the answer, or
    the first one), the distance to the one after. A settlement without either has no entry.
    """
    found: dict[int, int] = {}
    for position, at in enumerate(settled_ms):
        before = at - settled_ms[position - 1] if position else 0
        after = settled_ms[position + 1] - at if position + 1 < len(settled_ms) else 0
        for distance in (before, after):
            if distance % MINUTE_MS == 0 and distance // MINUTE_MS in INTERVALS_MIN:
                found[at] = distance // MINUTE_MS
                break
    return found


def _kept(
    aside: list[SetAside], kind: Kind, rows: list[Any], parse: Callable[[Any], T], category: str = "", symbol: str = ""
) -> list[T]:
    """What the rows say that can be read; the others are added to `aside`."""
    good, bad = judged(kind, rows, parse, category, symbol)
    aside.extend(one for _row, one in bad)
    return [value for _row, value in good]


def _or_aside(
    aside: list[SetAside], kind: Kind, category: Category, symbol: str, read: Callable[[], T | None]
) -> T | None:
    """What one query about a symbol says; None and an entry in `aside` when it cannot be read. A failed query of one
    symbol is not a fault of the others, but a fault of the way to the exchange is one of all."""
    try:
        return read()
    except UnparsableError as error:
        aside.append(set_aside(kind, error, None, category, symbol))
    except GatewayError as error:
        if not error.is_unreadable:
            raise
        aside.append(set_aside(kind, UnparsableError(error.message), None, category, symbol))
    return None


class _HasSymbol(Protocol):
    @property
    def symbol(self) -> str: ...


S = TypeVar("S", bound=_HasSymbol)


def _of_symbol(value: S, symbol: str) -> S:
    """The value, if it is of the symbol that was asked for."""
    if value.symbol != symbol:
        raise UnparsableError(f"answer about {symbol}: it is of {value.symbol}.")
    return value


def _order(account: Account, category: Category, latest_ms: int, row: Any) -> OrderReport:
    return traded(parse_order(account, row, category, latest_ms))


def _execution(account: Account, category: Category, latest_ms: int, row: Any) -> ExecutionReport:
    return traded(parse_execution(account, row, category, latest_ms))


def _by_symbol(method: str, category: Category, symbol: str) -> Callable[[Any], Any]:
    return lambda session: getattr(session, method)(category=category, symbol=symbol)


def _cursor(at: str) -> dict[str, str]:
    return {"cursor": at} if at else {}
