"""Reading the market: instruments, quotes, bars, funding. A failed read raises; it is never an empty answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from actors.runtime.ports import MarketClock
from infra.bybit.caller import Caller
from infra.bybit.errors import Fault, GatewayError
from infra.bybit.listing import is_unlisted
from infra.bybit.parsing.fields import UnparsableError
from infra.bybit.parsing.judging import distinct, kept, set_aside
from infra.bybit.parsing.rows import (
    interval_ms,
    parse_bar,
    parse_fee_rate,
    parse_funding,
    parse_instrument,
    parse_maintenance_rate,
    parse_quote,
    status_problem,
)
from statemachines.facts import BarFact, FundingRateFact
from statemachines.limits.plausibility import FUNDING_INTERVALS_MIN, filters_problem
from statemachines.requests import (
    BarsRead,
    FeeRate,
    FundingRead,
    MarketSnapshot,
    Quote,
    ReadBars,
    ReadFunding,
    SetAside,
    SetAsideKind,
)
from statemachines.values import DAY_MS, LINEAR, MINUTE_MS, SPOT, Account, Category, Instrument

BARS_A_PAGE = 1000
RATES_A_PAGE = 200
T = TypeVar("T")


class MarketReader:
    """All methods raise GatewayError or UnparsableError."""

    def __init__(self, caller: Caller, clock: MarketClock, symbols: Sequence[tuple[Category, str]]) -> None:
        self._caller = caller
        self._clock = clock
        self._symbols = tuple(symbols)

    def market(self, account: Account) -> MarketSnapshot:
        """Instruments, the account's fee rates and quotes of all configured symbols, each judged by itself. A symbol
        that the exchange does not (yet) list is left out: that is its answer, not a failure. One that it lists but does
        not let trade freely is there, since what is held of it must be managed, and stands in `set_aside`."""
        now = self._clock.now_ms()
        instruments: list[Instrument] = []
        fees: list[FeeRate] = []
        quotes: list[Quote] = []
        aside: list[SetAside] = []
        for category, symbol in self._symbols:
            where = (account, category, symbol)
            instrument = _or_aside(aside, "instrument", category, symbol, partial(self._instrument, *where, aside))
            if instrument is None:
                continue
            fee = _or_aside(aside, "instrument", category, symbol, partial(self._fee, *where))
            quote = _or_aside(aside, "quote", category, symbol, partial(self._quote, *where, now))
            problem = "" if quote is None else filters_problem(instrument, quote.bid)
            if problem:
                error = UnparsableError(f"instrument {category} {symbol}: {problem}.")
                aside.append(set_aside("instrument", error, None, category, symbol))
                continue
            instruments.append(instrument)
            fees += [] if fee is None else [fee]
            quotes += [] if quote is None else [quote]
        return MarketSnapshot(
            market_ms=now,
            instruments=tuple(instruments),
            fee_rates=tuple(fees),
            quotes=tuple(quotes),
            set_aside=tuple(aside),
        )

    def _instrument(
        self, account: Account, category: Category, symbol: str, aside: list[SetAside]
    ) -> Instrument | None:
        rows = self._rows_of(account, "instruments", "get_instruments_info", category, symbol)
        if not rows:
            return None
        if len(rows) != 1:
            raise UnparsableError(f"answer about {category} {symbol}: it has {len(rows)} instruments; 1 is required.")
        problem = status_problem(category, rows[0])
        if problem:
            aside.append(SetAside(kind="status", category=category, symbol=symbol, problem=problem))
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
        return self._known(account, group, category, symbol, _by_symbol(method, category, symbol))

    def _known(
        self, account: Account, group: str, category: Category, symbol: str, call: Callable[[Any], Any]
    ) -> list[Any]:
        """Rows of a market query; none for a symbol that the exchange does not know."""
        try:
            return self._asked(account, group, category, symbol, call)
        except GatewayError as error:
            if is_unlisted(self._caller, account, category, symbol, error):
                return []
            raise

    def _asked(
        self, account: Account, group: str, category: Category, symbol: str, call: Callable[[Any], Any]
    ) -> list[Any]:
        """Rows of an answer; one about another market says nothing about ours."""
        result = self._caller.result(account, group, call)
        result.repeats_if_told("category", category)
        result.repeats_if_told("symbol", symbol)
        return result.items("list")

    def _only(self, account: Account, group: str, method: str, category: Category, symbol: str) -> Any:
        rows = self._asked(account, group, category, symbol, _by_symbol(method, category, symbol))
        if len(rows) != 1:
            raise UnparsableError(f"answer to {group} of {category} {symbol}: it has {len(rows)} rows; 1 is required.")
        return rows[0]

    def bars(self, account: Account, request: ReadBars) -> BarsRead:
        """Closed bars, oldest first: `from_ms` <= start, and the bar's end not after `until_ms` (which the caller
        has shown to have passed), so that a running bar can never slip in."""
        step = interval_ms(request.interval)
        found: dict[int, BarFact] = {}
        aside: list[SetAside] = []
        parse = partial(parse_bar, request.category, request.symbol, request.interval)
        start = request.from_ms
        while start + step <= request.until_ms:
            end = min(start + BARS_A_PAGE * step, request.until_ms) - 1
            rows = self._kline(account, request, start, end)
            bars = kept(aside, "bar", rows, parse, request.category, request.symbol)
            for bar in distinct(aside, "bar", bars, _bar_name, may_repeat=True):
                if request.from_ms <= bar.start_ms and bar.start_ms + step <= request.until_ms:
                    found[bar.start_ms] = bar
            start = end + 1
        return BarsRead(bars=tuple(found[at] for at in sorted(found)), set_aside=tuple(aside))

    def _kline(self, account: Account, request: ReadBars, start: int, end: int) -> list[Any]:
        return self._known(
            account,
            "kline",
            request.category,
            request.symbol,
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
        the exchange changes intervals, and its history has instants and rates only."""
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
            rates = kept(aside, "funding_rate", rows, lambda row: _of_symbol(parse_funding(row, 0), symbol), LINEAR)
            rates = distinct(aside, "funding_rate", rates, _rate_name, may_repeat=True)
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
            LINEAR,
            symbol,
            lambda s: s.get_funding_rate_history(
                category=LINEAR, symbol=symbol, startTime=start, endTime=end, limit=RATES_A_PAGE
            ),
        )

    def _present_interval(self, account: Account, symbol: str) -> int:
        """The instrument's interval, for a rate without a neighbour. Asked anew each time: it changes."""
        instrument = self._instrument(account, LINEAR, symbol, [])
        if instrument is None:
            raise UnparsableError(f"instrument linear {symbol}: it is not listed, so a lone rate has no interval.")
        return instrument.funding_interval_min


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
            if distance % MINUTE_MS == 0 and distance // MINUTE_MS in FUNDING_INTERVALS_MIN:
                found[at] = distance // MINUTE_MS
                break
    return found


def _or_aside(
    aside: list[SetAside], kind: SetAsideKind, category: Category, symbol: str, read: Callable[[], T | None]
) -> T | None:
    """What one query about a symbol says; None and an entry in `aside` when it cannot be read or is refused for good. A
    failed query of one symbol is not a fault of the others, but a fault of the way to the exchange is one of all."""
    try:
        return read()
    except UnparsableError as error:
        aside.append(set_aside(kind, error, None, category, symbol))
    except GatewayError as error:
        if not error.is_unreadable and error.fault is not Fault.PERMANENT:
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


def _by_symbol(method: str, category: Category, symbol: str) -> Callable[[Any], Any]:
    return lambda session: getattr(session, method)(category=category, symbol=symbol)


def _bar_name(bar: BarFact) -> tuple[str, str, str]:
    return bar.category, bar.symbol, str(bar.start_ms)


def _rate_name(rate: FundingRateFact) -> tuple[str, str, str]:
    return LINEAR, rate.symbol, str(rate.settle_ms)
