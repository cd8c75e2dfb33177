"""At the border to the exchange, market by market: quotes, rates, modes, proxies; each story once went wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from infra.bybit.admission import mode_problems
from infra.bybit.caller import Caller
from infra.bybit.credentials import AccountKey, Credentials
from infra.bybit.market import intervals_min
from infra.bybit.parsing.fields import UnparsableError
from infra.bybit.parsing.rows import parse_quote
from infra.bybit.session import DirectSessions, GatewaySession
from infra.bybit.streams.book import BookGapError
from infra.bybit.streams.connection import Connection
from infra.bybit.streams.frames import PublicFrames
from infra.bybit.streams.subscriptions import PublicStreams
from infra.proxy import proxy_address, proxy_for
from statemachines.messages.envelope import Body
from statemachines.messages.market import QuoteFrame, RowsSetAside
from statemachines.requests import (
    FundingRead,
    MarketSnapshot,
    ReadFunding,
    ReadMarket,
)
from statemachines.values import DAY_MS, HOUR_MS, Category
from tests.infra.bybit.border import A, envelope, exchange, position
from tests.infra.bybit.parsing.test_frames import LINEAR, T, book, quotes, ticker
from tests.kit.streams import Unconnected, unconnected  # noqa: F401 - fixture
from tests.waiting import until

# --- case 5: symbols one by one ---


def instrument_row(category: str, symbol: str) -> dict[str, Any]:
    spot = category == "spot"
    names = (
        ("basePrecision", "minOrderAmt", "maxLimitOrderQty", "maxMarketOrderQty")
        if spot
        else ("qtyStep", "minNotionalValue", "maxOrderQty", "maxMktOrderQty")
    )
    lot = dict(zip(names, ("0.01", "5", "9", "9"), strict=True)) | {"minOrderQty": "0.01"}
    return {
        "symbol": symbol, "status": "Trading", "baseCoin": symbol.removesuffix("USDT"), "quoteCoin": "USDT",
        "priceFilter": {"tickSize": "0.1"}, "lotSizeFilter": lot, "leverageFilter": {"maxLeverage": "100"},
        "fundingInterval": 480,
    }  # fmt: skip


def market(path: str, category: str, symbol: str, **ticker_changes: Any) -> Any:
    if path == "/v5/market/instruments-info":
        return envelope({"category": category, "list": [instrument_row(category, symbol)]})
    if path == "/v5/market/risk-limit":
        tier = {"symbol": symbol, "isLowestRisk": 1, "initialMargin": "0.01", "maxLeverage": "100"}
        return envelope({"list": [tier | {"maintenanceMargin": "0.005"}]})
    if path == "/v5/account/fee-rate":
        return envelope({"list": [{"symbol": symbol, "takerFeeRate": "0.001", "makerFeeRate": "0.001"}]})
    return envelope({"list": [LINEAR | {"symbol": symbol} | ticker_changes]})


def test_an_empty_bid_of_one_symbol_does_not_take_the_market_with_it() -> None:
    """Case 5: one spot ticker with an empty bid, and no symbol's new tick size was learnt for a day."""

    def handle(_method: str, path: str, params: Any, _account: Any) -> Any:
        changes = {"bid1Price": ""} if params["category"] == "spot" else {}
        return market(path, params["category"], params["symbol"], **changes)

    snapshot = exchange(handle).perform(A, ReadMarket())
    assert isinstance(snapshot, MarketSnapshot)
    assert [item.symbol for item in snapshot.instruments] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert [quote.symbol for quote in snapshot.quotes] == ["BTCUSDT", "SOLUSDT"]
    assert [(one.kind, one.category, one.symbol) for one in snapshot.set_aside] == [("quote", "spot", "ETHUSDT")]


def test_an_unreadable_answer_about_one_symbol_does_not_take_the_others_with_it() -> None:
    def handle(_method: str, path: str, params: Any, _account: Any) -> Any:
        if params["symbol"] == "SOLUSDT" and path == "/v5/market/instruments-info":
            return {"retCode": 0}
        return market(path, params["category"], params["symbol"])

    snapshot = exchange(handle).perform(A, ReadMarket())
    assert isinstance(snapshot, MarketSnapshot)
    assert [item.symbol for item in snapshot.instruments] == ["BTCUSDT", "ETHUSDT"]
    assert [(one.kind, one.symbol) for one in snapshot.set_aside] == [("instrument", "SOLUSDT")]


def test_rows_of_another_symbol_are_not_taken_for_the_one_asked_for() -> None:
    snapshot = exchange(lambda _m, path, params, _a: market(path, params["category"], "DOGEUSDT")).perform(
        A, ReadMarket()
    )
    assert isinstance(snapshot, MarketSnapshot) and not snapshot.instruments and len(snapshot.set_aside) == 3


# --- case 9: crossed quotes ---


def quotes_of(parsed: list[tuple[Any, str]]) -> list[Any]:
    return [quote for body, _ in parsed if isinstance(body, QuoteFrame) for quote in body.quotes]


def test_a_bid_above_the_ask_makes_the_quote_unusable_until_it_is_repaired() -> None:
    """Case 9: a ticker delta moved the bid alone, and the crossed quote was used."""
    frames = PublicFrames()
    assert quotes_of(frames.take("linear", ticker("snapshot", **LINEAR)))
    crossed = frames.take("linear", ticker("delta", ts=T + 1, bid1Price="102"))
    assert not quotes_of(crossed)
    ((body, _),) = crossed
    assert isinstance(body, QuoteFrame) and body.withdrawn == (("linear", "BTCUSDT"),)
    assert frames.take("linear", ticker("delta", ts=T + 2, lastPrice="101.5")) == [], "still crossed, told already"
    (repaired,) = quotes_of(frames.take("linear", ticker("delta", ts=T + 3, ask1Price="103")))
    assert (repaired.bid, repaired.ask) == (Decimal(102), Decimal(103))


def test_a_quote_that_stays_unusable_is_told_once() -> None:
    frames = PublicFrames()
    frames.take("linear", ticker("snapshot", **LINEAR))
    told: list[Any] = []
    for second in range(60):
        parsed = frames.take("linear", ticker("delta", ts=T + second * 1000, bid1Price="102"))
        told += [body for body, _ in parsed if isinstance(body, RowsSetAside)]
    assert len(told) == 1 and "below the ask" in told[0].rows[0].problem


@pytest.mark.parametrize("value", ["", "0", "-1", "1E+300", None, "99.5.5"])
def test_a_price_that_is_none_withdraws_the_quote(value: Any) -> None:
    frames = PublicFrames()
    frames.take("linear", ticker("snapshot", **LINEAR))
    parsed = frames.take("linear", ticker("delta", ts=T + 1, markPrice=value))
    assert not quotes_of(parsed)


def test_equal_bid_and_ask_are_no_quote_from_rest_either() -> None:
    row = LINEAR | {"symbol": "BTCUSDT", "bid1Price": "101"}
    with pytest.raises(UnparsableError, match="below the ask"):
        parse_quote("linear", row, T)


def test_a_delta_that_crosses_the_book_asks_for_a_fresh_one() -> None:
    frames = PublicFrames()
    frames.take("spot", ticker("snapshot", lastPrice="100"))
    assert quotes_of(frames.take("spot", book("snapshot", 7, [["99", "1"]], [["101", "1"]])))
    with pytest.raises(BookGapError, match="crossed"):
        frames.take("spot", book("delta", 8, [["102", "1"]], []))
    assert frames.withdrawn("spot", "orderbook.50.BTCUSDT")
    with pytest.raises(BookGapError):
        frames.take("spot", book("delta", 9, [["98", "1"]], []))
    assert quotes_of(frames.take("spot", book("snapshot", 20, [["97", "1"]], [["102", "1"]])))


# --- case 11: funding intervals ---


def test_each_rate_has_the_interval_between_its_neighbours() -> None:
    """Case 11: after a change from 480 to 240 minutes, 59 past rates were labelled 240 and doubled. Elsewhere past
    rates were labelled with today's interval too."""
    old = [T + hours * HOUR_MS for hours in (0, 8, 16, 24)]
    new = [T + hours * HOUR_MS for hours in (28, 32, 36)]
    found = intervals_min(old + new)
    assert [found[at] for at in old] == [480] * 4
    assert [found[at] for at in new] == [240] * 3
    assert intervals_min([T]) == {}
    gap = intervals_min([T, T + 16 * HOUR_MS, T + 24 * HOUR_MS])
    assert gap == {T + 16 * HOUR_MS: 480, T + 24 * HOUR_MS: 480}, "a missing settlement makes no interval of 16 h"


def test_rates_are_read_with_their_own_intervals_whatever_the_instrument_says_now() -> None:
    """Elsewhere 8 hours were assumed for each symbol, until the exchange changed the interval of one."""
    settled = [T + hours * HOUR_MS for hours in (-8, 0, 8, 16, 20, 24)]

    def handle(_method: str, path: str, params: Any, _account: Any) -> Any:
        assert path == "/v5/market/funding/history", "the instrument is not asked for what the history tells"
        rows = [
            {"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingRateTimestamp": str(at)}
            for at in reversed(settled)
            if int(params["startTime"]) <= at <= int(params["endTime"])
        ]
        return envelope({"category": "linear", "list": rows})

    read = exchange(handle).perform(A, ReadFunding(symbols=("BTCUSDT",), from_ms=T, until_ms=T + DAY_MS))
    assert isinstance(read, FundingRead)
    assert [(rate.settle_ms - T) // HOUR_MS for rate in read.rates] == [0, 8, 16, 20, 24]
    assert [rate.interval_min for rate in read.rates] == [480, 480, 480, 240, 240]


# --- case 12: hedge mode ---


def test_hedge_mode_is_told_per_symbol_with_how_to_change_it() -> None:
    """Case 12: admission passed; later every order failed and was called transient. Elsewhere, too, it took hours to
    find out."""

    def handle(_method: str, _path: str, params: Any, _account: Any) -> Any:
        hedged = params["symbol"] == "ETHUSDT"
        rows = [
            position(symbol=params["symbol"], side="", size="0", positionIdx=index)
            for index in ((1, 2) if hedged else (0,))
        ]
        return envelope({"category": "linear", "list": rows})

    found = mode_problems(A, Caller(DirectSessions(handle), None), ("BTCUSDT", "ETHUSDT", "SOLUSDT"))
    assert len(found) == 1
    assert found[0].startswith("TREND-1: ETHUSDT is in hedge mode") and "switch-mode" in found[0]


def test_a_position_mode_that_is_not_told_is_not_taken_for_one_way() -> None:
    caller = Caller(DirectSessions(lambda *_: envelope({"list": []})), None)
    with pytest.raises(UnparsableError, match="position mode is not known"):
        mode_problems(A, caller, ("BTCUSDT",))


# --- case 13: proxies ---


@pytest.fixture
def proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://192.0.2.1:3128")


@pytest.mark.usefixtures("proxy_variables")
def test_proxy_variables_are_never_asked_and_loopback_has_no_proxy() -> None:
    """Case 13: with HTTP_PROXY set the public streams to loopback never connected. Elsewhere the same variables broke
    the connections between processes of one machine."""
    proxy = proxy_address("http://user:pass%40word@proxy.example:3128")
    assert "pass" not in repr(proxy)
    assert proxy_for("http://127.0.0.1:9/", proxy) is None and proxy_for("ws://localhost:9", proxy) is None
    assert proxy_for("ws://[::1]:9", proxy) is None
    here = GatewaySession(A, Credentials({}), "http://127.0.0.1:9", proxy=proxy)
    assert here.client.trust_env is False and not here.client.proxies
    there = GatewaySession(A, Credentials({}), "https://api.bybit.com", proxy=proxy)
    assert there.client.proxies["https"] == "http://user:pass%40word@proxy.example:3128"


@pytest.mark.usefixtures("proxy_variables")
def test_streams_go_the_configured_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """No host is reached by a proxy of the environment; the socket library would ask it."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("websocket.WebSocketApp.run_forever", lambda _app, **options: asked.append(options))
    for base, proxy in (("ws://127.0.0.1:9", None), ("wss://stream.bybit.com", proxy_address("http://p.example:8080"))):
        connection = Connection("way", base, "linear", (), lambda _frame: None, lambda _times: None, proxy=proxy)
        before = len(asked)
        connection.start()
        until(lambda before=before: len(asked) > before)  # type: ignore[misc]
        connection.stop()
    assert asked[0]["http_no_proxy"] == ["*"]
    assert (asked[-1]["http_proxy_host"], asked[-1]["http_proxy_port"]) == ("p.example", 8080)


@pytest.mark.parametrize(
    "url", ["proxy.example:3128", "socks5://p:1", "http://p", "http://p:99999", "http://p:1/path", ""]
)
def test_a_proxy_of_another_form_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="http://HOST:PORT is required"):
        proxy_address(url)


def test_the_key_of_an_account_is_not_shown_by_the_way_it_takes() -> None:
    keys = Credentials({A: AccountKey(SecretStr("k"), SecretStr("very-secret"), 1)})
    assert "very-secret" not in repr(
        GatewaySession(A, keys, "https://api.bybit.com", proxy=proxy_address("http://p:1"))
    )


# --- quotes that no market can have, topics that name none ---


@pytest.mark.parametrize(
    "changes",
    [
        {"bid1Price": "1", "ask1Price": "1000000"},
        {"markPrice": "1000000"},
        {"indexPrice": "0.01"},
        {"lastPrice": "1000"},
        {"fundingRate": "1"},
        {"nextFundingTime": str(T + 400 * DAY_MS)},
    ],
    ids=str,
)
def test_a_quote_that_no_market_can_have_is_withdrawn_and_told_when_it_lasts(changes: dict[str, str]) -> None:
    """Orders were priced by a spread of 1 to 1,000,000 and a funding rate of 100 %."""
    frames = PublicFrames()
    assert frames.take("linear", ticker("snapshot", **LINEAR))
    ((body, _),) = frames.take("linear", ticker("delta", ts=T + 10, **changes))
    assert isinstance(body, QuoteFrame) and body.withdrawn == (("linear", "BTCUSDT"),)
    ((body, _),) = frames.take("linear", ticker("delta", ts=T + 6_000, **changes))
    assert isinstance(body, RowsSetAside) and body.rows[0].symbol == "BTCUSDT"
    ((body, _),) = frames.take("linear", ticker("snapshot", ts=T + 7_000, **LINEAR))
    assert isinstance(body, QuoteFrame) and body.quotes, "a sound one repairs it"


def test_a_settled_rate_of_100_percent_is_named_and_not_used() -> None:
    rows = [{"symbol": "BTCUSDT", "fundingRate": rate, "fundingRateTimestamp": str(T - hours * HOUR_MS)}
            for hours, rate in ((0, "1"), (8, "0.0001"), (16, "0.0001"))]  # fmt: skip
    request = ReadFunding(symbols=("BTCUSDT",), from_ms=T - 16 * HOUR_MS, until_ms=T)
    read = exchange(lambda *_: envelope({"category": "linear", "list": rows})).perform(A, request)
    assert isinstance(read, FundingRead)
    assert [rate.settle_ms for rate in read.rates] == [T - 16 * HOUR_MS, T - 8 * HOUR_MS]
    assert [(one.kind, one.symbol) for one in read.set_aside] == [("funding_rate", "BTCUSDT")]


def test_market_data_that_is_stale_on_arrival_makes_no_quote() -> None:
    """A ticker of an hour ago was shown as the market's quote. The book still learns from it, so nothing is missed."""
    frames = PublicFrames()
    earliest = T - 60_000
    assert quotes(frames.take("linear", ticker("snapshot", **LINEAR), T + 1, earliest))
    ((body, _),) = frames.take("linear", ticker("delta", ts=T - 60_001, bid1Price="98"), T + 1, earliest)
    assert isinstance(body, QuoteFrame) and not body.quotes and body.withdrawn
    assert frames.take("linear", ticker("delta", ts=T - 60_001), T + 1, earliest) == []
    ((body, _),) = frames.take("linear", ticker("delta", ts=T - 60_001), T + 6_000, earliest + 6_000)
    assert isinstance(body, RowsSetAside), "a clock that stands still in the frames does not keep it from being told"
    assert "stale" in body.rows[0].problem and "ts" in body.rows[0].problem
    (quote,) = quotes(frames.take("linear", ticker("delta", ts=T + 6_000), T + 7_000, earliest + 6_000))
    assert quote.bid == Decimal(98)
    assert quotes(frames.take("linear", ticker("delta", ts=T - 60_001, bid1Price="97"), T + 7_000)), "lockstep"


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_the_streams_hold_frames_against_the_exchanges_clock(
    hours: int,
    unconnected: list[Unconnected],  # noqa: F811
) -> None:
    """Live, a frame of more than a minute before the exchange's time makes no quote; in lockstep its time is the
    market's."""
    now = T + hours * HOUR_MS
    shown: list[Body] = []

    def sink(body: Body, natural_id: str, market_ms: int) -> None:
        shown.append(body)

    symbols: tuple[tuple[Category, str], ...] = (("linear", "BTCUSDT"),)
    for clock in (lambda: now, None):
        PublicStreams("ws://127.0.0.1:9", symbols, now_ms=clock).start(sink, lambda _name: None)
    live, lockstep = unconnected

    def is_quoted(connection: Unconnected, at_ms: int) -> bool:
        shown.clear()
        connection.take(ticker("snapshot", ts=at_ms, **LINEAR))
        return any(isinstance(body, QuoteFrame) and body.quotes for body in shown)

    assert not is_quoted(live, now - 60_001) and is_quoted(live, now - 60_000)
    assert is_quoted(lockstep, now - 60_001)
