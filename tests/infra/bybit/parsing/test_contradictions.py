"""Rows, answers and frames that contradict themselves or each other: none of them is used, and each is named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from infra.bybit.credentials import Credentials
from infra.bybit.parsing.fields import UnparsableError
from infra.bybit.parsing.reading import read_json
from infra.bybit.parsing.rows import parse_fee_rate, parse_instrument, parse_order
from infra.bybit.session import GatewaySession
from infra.bybit.streams.book import BookGapError
from infra.bybit.streams.frames import PublicFrames, parse_private_frame
from statemachines.messages.market import BarFrame, QuoteFrame, RowsSetAside
from statemachines.requests import AccountSnapshot, MarketSnapshot, OrderFound, ReadAccount, ReadBars, ReadMarket
from statemachines.values import DAY_MS, HOUR_MS, Account
from tests.infra.answering import answering
from tests.infra.bybit.parsing.test_rows import execution_row, order_row
from tests.infra.bybit.test_questions import EXECUTION, FILLED, instrument, is_unknown, looked_up
from tests.infra.bybit.test_questions import market as market_of
from tests.infra.bybit.venue import NOW, A, Venue

D = Decimal


# --- an order's row against itself ---


@pytest.mark.parametrize(
    "changes",
    [
        {"orderStatus": "Filled"},
        {"orderStatus": "Filled", "cumExecQty": "0.4", "avgPrice": "100"},
        {"orderStatus": "Filled", "cumExecQty": "500", "avgPrice": "100", "marketUnit": ""},
        {"orderStatus": "New", "cumExecQty": "0.5"},
        {"orderStatus": "PartiallyFilled"},
        {"createdTime": str(NOW), "updatedTime": str(NOW - DAY_MS)},
    ],
    ids=str,
)
def test_an_order_row_that_contradicts_itself_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(UnparsableError, match="contradict"):
        parse_order(Account.TREND_1, order_row(**changes))


def test_a_spot_market_order_may_be_counted_in_the_quote_coin() -> None:
    row = order_row(category="spot", orderType="Market", marketUnit="quoteCoin", orderStatus="Filled", qty="50")
    assert parse_order(Account.TREND_1, row | {"cumExecQty": "0.5", "avgPrice": "100"}).filled_quantity == D("0.5")
    with pytest.raises(UnparsableError):
        parse_order(Account.TREND_1, row | {"cumExecQty": "60", "orderType": "Limit"})


# --- instruments and fee rates ---


def lot(**changes: str) -> dict[str, Any]:
    return {"lotSizeFilter": instrument()["lotSizeFilter"] | changes}


@pytest.mark.parametrize(
    "changes",
    [
        lot(qtyStep="1000000"),
        lot(minOrderQty="1000"),
        {"fundingInterval": 7},
        {"baseCoin": "ETH"},
        {"quoteCoin": "USDC"},
    ],
    ids=str,
)
def test_an_instrument_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    assert parse_instrument("linear", instrument(), D("0.005")).symbol == "BTCUSDT"
    with pytest.raises(UnparsableError):
        parse_instrument("linear", instrument() | changes, D("0.005"))


def test_a_maintenance_rate_of_900_is_refused() -> None:
    with pytest.raises(UnparsableError, match="maintenance"):
        parse_instrument("linear", instrument(), D(900))


@pytest.mark.parametrize(("taker", "maker"), [("-0.009", "0"), ("0.0006", "-0.0007"), ("-0.0001", "-0.0001")])
def test_nobody_is_paid_for_taking_nor_more_than_a_taker_pays(taker: str, maker: str) -> None:
    assert parse_fee_rate("linear", {"symbol": "BTCUSDT", "takerFeeRate": "0.0006", "makerFeeRate": "-0.0001"})
    with pytest.raises(UnparsableError):
        parse_fee_rate("linear", {"symbol": "BTCUSDT", "takerFeeRate": taker, "makerFeeRate": maker})


@pytest.mark.parametrize("tick", ["1000000000", "150", "25"])
def test_a_tick_as_large_as_the_price_sets_the_instrument_aside_and_not_its_neighbour(tick: str) -> None:
    def listed(symbol: str) -> dict[str, Any]:
        return {"list": [instrument(symbol=symbol, priceFilter={"tickSize": tick if symbol == "BTCUSDT" else "0.1"})]}

    read = market_of(listed).exchange.perform(A, ReadMarket())
    assert isinstance(read, MarketSnapshot)
    assert [one.symbol for one in read.instruments] == ["ETHUSDT"]
    assert [(one.kind, one.symbol) for one in read.set_aside] == [("instrument", "BTCUSDT")]


# --- rows of an account against each other ---


def account(**lists: Any) -> AccountSnapshot:
    wallet = {"accountType": "UNIFIED", "totalEquity": "10", "totalWalletBalance": "10"}
    coins = lists.get("coins", [{"coin": "USDT", "walletBalance": "10"}])

    def script(path: str, params: Any) -> dict[str, Any]:
        if "wallet" in path:
            return {"list": [wallet | {"coin": coins}]}
        kind = next((name for name in ("order", "execution", "position") if f"/{name}/" in path), "")
        rows = lists.get(kind, []) if params.get("category") == "linear" else []
        return {"list": rows, "nextPageCursor": "", "category": params.get("category")}

    read = Venue(script).exchange.perform(A, ReadAccount(executions_since_ms=NOW - 1000))
    assert isinstance(read, AccountSnapshot)
    return read


def position(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "side": "Buy", "size": "1", "positionIdx": 0, "avgPrice": "100", "markPrice": "100",
        "liqPrice": "", "leverage": "1", "unrealisedPnl": "0", "category": "linear",
    } | changes  # fmt: skip


def test_a_wallet_whose_totals_are_not_in_its_coins_is_set_aside_whole() -> None:
    read = account(coins=[{"coin": "BTC", "walletBalance": "0"}])
    assert [one.kind for one in read.set_aside] == ["balance"] and not read.balances


FLAT = {"side": "", "size": "0"}


@pytest.mark.parametrize(
    "rows", [[position(), position(**FLAT)], [position(**FLAT), position()]], ids=["last", "first"]
)
def test_a_position_beside_a_flat_row_of_its_symbol_says_nothing(rows: list[Any]) -> None:
    read = account(position=[*rows, position(symbol="ETHUSDT")])
    assert [one.symbol for one in read.positions] == ["ETHUSDT"]
    assert [(one.kind, one.symbol) for one in read.set_aside] == [("position", "BTCUSDT")]
    assert not account(position=[position(**FLAT), position(**FLAT)]).set_aside


@pytest.mark.parametrize(
    "changes", [{"qty": "7"}, {"orderLinkId": "abc-2"}, {"orderId": "2", "side": "Sell"}, {"orderId": "2"}], ids=str
)
def test_two_open_orders_under_one_id_say_nothing(changes: dict[str, str]) -> None:
    read = account(order=[order_row(), order_row(**changes)])
    assert not read.open_orders and {one.kind for one in read.set_aside} == {"order"}
    assert len(account(order=[order_row(), order_row()]).open_orders) == 1, "the seam of two pages"


def test_one_execution_id_on_two_symbols_says_nothing_of_either() -> None:
    one = execution_row(**EXECUTION, execTime=str(NOW - 1))
    read = account(execution=[one, one | {"symbol": "ETHUSDT"}])
    assert not read.executions
    assert {row.symbol for row in read.set_aside} == {"BTCUSDT", "ETHUSDT"}


# --- rows of a look-up against each other ---


def test_a_look_up_whose_rows_contradict_each_other_is_asked_again() -> None:
    cancelled = order_row(orderStatus="Cancelled")
    sound = execution_row(**EXECUTION)
    assert isinstance(looked_up([order_row(**FILLED)], [sound, sound]), OrderFound)
    assert is_unknown(looked_up([order_row(**FILLED), cancelled], []))
    assert is_unknown(looked_up([order_row(**FILLED, updatedTime=str(NOW)), cancelled], [])), "it ends once"
    assert is_unknown(looked_up([order_row(**FILLED)], [sound, sound | {"execPrice": "5"}]))
    assert is_unknown(looked_up([order_row(**FILLED)], [sound | {"execQty": "100"}]))
    assert is_unknown(looked_up([cancelled], [sound])), "cancelled with nothing executed"
    assert is_unknown(looked_up([order_row(**FILLED)], [sound | {"orderId": "77"}]))


# --- the envelope ---


@pytest.mark.parametrize(
    "text", ['{"retCode":110001,"retCode":0}', '{"retCode":0,"result":{"list":[],"list":[1]}}', '{"a":1,"a":1}']
)
def test_json_that_names_a_field_twice_is_refused(text: str) -> None:
    assert read_json('{"a": {"a": 1}}') == {"a": {"a": 1}}
    with pytest.raises(UnparsableError, match="twice"):
        read_json(text)


SOUND = b'{"retCode":0,"retMsg":"OK","result":{"list":[]}}'


@pytest.mark.parametrize("length", ["-5", "abc", "4.5", "+48", "", "48, 48"])
def test_an_answer_with_a_length_that_is_none_is_not_an_answer(length: str) -> None:
    assert server_time(SOUND, str(len(SOUND)))["retCode"] == 0
    with pytest.raises(UnparsableError, match="Content-Length"):
        server_time(SOUND, length)


def test_an_answer_that_names_its_code_twice_is_not_an_answer() -> None:
    with pytest.raises(UnparsableError, match="twice"):
        server_time(b'{"retCode":1,' + SOUND[1:])


def server_time(body: bytes, length: str | None = None) -> Any:
    """What a session makes of this answer."""
    headers = {} if length is None else {"Content-Length": length}
    with answering(200, body, headers) as (url, _asked):
        return GatewaySession(A, Credentials({}), url).get_server_time()


# --- public and private frames ---

TICKER = {
    "symbol": "BTCUSDT", "bid1Price": "100", "ask1Price": "100.1", "lastPrice": "100", "markPrice": "100",
    "indexPrice": "100", "fundingRate": "0.0001", "nextFundingTime": str(NOW + 1000),
}  # fmt: skip


def frame(topic: str, data: Any, kind: str = "snapshot", ts: int = NOW) -> dict[str, Any]:
    return {"topic": topic, "ts": ts, "type": kind, "data": data}


def test_a_trade_of_another_symbol_makes_no_price() -> None:
    frames = PublicFrames()
    assert frames.take("linear", frame("tickers.BTCUSDT", TICKER), NOW)
    ((body, _),) = frames.take("linear", frame("publicTrade.BTCUSDT", [{"s": "ETHUSDT", "p": "120"}]), NOW)
    assert isinstance(body, QuoteFrame) and body.withdrawn and not body.quotes


def test_a_ticker_older_than_the_one_before_asks_for_a_fresh_snapshot() -> None:
    frames = PublicFrames()
    assert frames.take("linear", frame("tickers.BTCUSDT", TICKER), NOW, NOW - 60_000)
    old = frame("tickers.BTCUSDT", {"symbol": "BTCUSDT", "bid1Price": "99"}, "delta", NOW - 50_000)
    with pytest.raises(BookGapError, match="after one of"):
        frames.take("linear", old, NOW, NOW - 60_000)
    with pytest.raises(BookGapError):
        frames.take("linear", frame("tickers.BTCUSDT", {"symbol": "BTCUSDT"}, "delta"), NOW, NOW - 60_000)
    assert frames.take("linear", frame("tickers.BTCUSDT", TICKER, ts=NOW + 1), NOW + 1, NOW - 60_000)


def test_two_closed_bars_of_one_hour_that_differ_say_nothing() -> None:
    bar = {
        "start": NOW - HOUR_MS, "end": NOW - 1, "interval": "60", "open": "100", "close": "100", "high": "110",
        "low": "90", "volume": "1", "turnover": "1", "confirm": True, "timestamp": NOW,
    }  # fmt: skip
    ((body, _),) = PublicFrames().take("linear", frame("kline.60.BTCUSDT", [bar, bar | {"close": "91"}]), NOW)
    assert isinstance(body, RowsSetAside) and body.rows[0].kind == "bar"
    ((body, _),) = PublicFrames().take("linear", frame("kline.60.BTCUSDT", [bar, bar]), NOW)
    assert isinstance(body, BarFrame)


@pytest.mark.parametrize(
    ("topic", "row"),
    [
        ("execution", execution_row(execTime="1262304000000")),
        ("order", order_row(createdTime="1262304000000", updatedTime="1262304000001")),
    ],
    ids=["execution", "order"],
)
def test_a_streamed_row_of_years_ago_is_set_aside(topic: str, row: Any) -> None:
    """Its age was the span that the account was then read for: 214 calls."""
    ((body, _),) = parse_private_frame(Account.TREND_1, {"topic": topic, "data": [row]}, NOW)
    assert isinstance(body, RowsSetAside) and "from" in body.rows[0].problem


@pytest.mark.parametrize("symbol", [["BTCUSDT"], {}, None, 5])
def test_a_list_of_instruments_without_a_usable_name_is_unreadable(symbol: Any) -> None:
    """A list as symbol raised TypeError: unhashable."""

    def script(path: str, params: Any) -> Any:
        if "instruments" in path and "symbol" not in params:
            return {"category": "linear", "list": [{"symbol": symbol}], "nextPageCursor": ""}
        return (10001, "params error: symbol invalid")

    request = ReadBars(category="linear", symbol="BTCUSDT", interval="60", from_ms=NOW, until_ms=NOW + 3 * HOUR_MS)
    outcome = Venue(script).exchange.perform(A, request)
    assert is_unknown(outcome)
