"""An answer is held against its question, and the rows of an answer against each other.

Each story once went wrong: an answer about another order, transfer, symbol or account was taken for ours, and of two
contradictory rows the last one won.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from infra.bybit.parsing.rows import parse_position
from statemachines.requests import (
    Accepted,
    AccountSnapshot,
    AmendOrder,
    BarsRead,
    CancelOrder,
    ExchangeRequest,
    FundingRead,
    LookUpOrder,
    LookUpTransfer,
    MarketSnapshot,
    OrderAbsent,
    OrderFound,
    ReadAccount,
    ReadBars,
    ReadFunding,
    ReadMarket,
    Refused,
    TransferFunds,
    TransferState,
    Unknown,
)
from statemachines.values import DAY_MS, HOUR_MS, Account, Side
from tests.infra.bybit.parsing.test_rows import execution_row, order_row
from tests.infra.bybit.venue import NOW, A, Venue, order_of

D = Decimal
TRANSFER_ID = "0b3b0f6a-0f39-4a8d-8f3c-3f1f0f6a0f39"
WRITES: list[ExchangeRequest] = [
    order_of(client_order_id="abc-1"),
    AmendOrder(client_order_id="abc-1", category="linear", symbol="BTCUSDT", price=D(5)),
    CancelOrder(client_order_id="abc-1", category="linear", symbol="BTCUSDT"),
]


# --- acknowledgements ---


@pytest.mark.parametrize("write", WRITES, ids=lambda one: one.kind)
@pytest.mark.parametrize("echo", [{"orderLinkId": "abc-2"}, {"orderLinkId": ""}, {}, {"orderLinkId": 5}])
def test_an_acknowledgement_of_another_order_acknowledges_nothing(write: ExchangeRequest, echo: dict[str, Any]) -> None:
    """A placement was answered with another order's ids and counted as acknowledged under that order's id."""
    ours = Venue(lambda path, params: {"orderId": "1", "orderLinkId": "abc-1"}).exchange.perform(A, write)
    assert ours == Accepted(venue_order_id="1")
    assert isinstance(Venue(lambda path, params: {"orderId": "9"} | echo).exchange.perform(A, write), Unknown)


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED"])
def test_the_outcome_of_another_transfer_is_not_the_outcome_of_ours(status: str) -> None:
    """FAILED of another one would book nothing of money that has moved."""
    transfer = TransferFunds(
        transfer_id=TRANSFER_ID, coin="USDT", amount=D(10), from_account=Account.FUNDING, to_account=Account.TACTICAL
    )
    other = Venue(lambda path, params: {"transferId": "another", "status": status})
    assert isinstance(other.exchange.perform(Account.MASTER, transfer), Unknown)


# --- look-ups ---

LOOK_UP = LookUpOrder(client_order_id="abc-1", category="linear", symbol="BTCUSDT", side=Side.BUY)
FILLED = {"orderStatus": "Filled", "cumExecQty": "0.5", "avgPrice": "100"}
EXECUTION = {"category": "linear", "feeCurrency": "USDT", "execQty": "0.5"}


def looked_up(orders: list[Any], executions: list[Any], at: str = "/v5/order/realtime") -> Any:
    def script(path: str, params: Any) -> dict[str, Any]:
        rows = orders if path == at else executions if path == "/v5/execution/list" else []
        return {"list": rows, "nextPageCursor": ""}

    return Venue(script).exchange.perform(A, LOOK_UP)


def is_unknown(outcome: Any) -> bool:
    """For a look-up: it is asked again."""
    return isinstance(outcome, Unknown) or (isinstance(outcome, Refused) and outcome.fault == "transient")


@pytest.mark.parametrize("at", ["/v5/order/realtime", "/v5/order/history"])
@pytest.mark.parametrize(
    "changes",
    [{"orderLinkId": "abc-2"}, {"orderLinkId": ""}, {"symbol": "ETHUSDT"}, {"side": "Sell"}, {"category": "spot"}],
    ids=str,
)
def test_an_order_that_was_not_asked_for_is_neither_found_nor_absent(changes: dict[str, str], at: str) -> None:
    assert isinstance(looked_up([order_row(**FILLED)], [execution_row(**EXECUTION)], at), OrderFound)
    assert is_unknown(looked_up([order_row(**FILLED, **changes)], [], at))


@pytest.mark.parametrize(
    "changes",
    [
        {"orderLinkId": "abc-2"},
        {"orderLinkId": "", "orderId": "another"},
        {"symbol": "ETHUSDT"},
        {"side": "Sell"},
        {"category": "spot"},
    ],
    ids=str,
)
def test_executions_that_were_not_asked_for_are_not_booked(changes: dict[str, str]) -> None:
    row = execution_row(**(EXECUTION | changes))
    assert is_unknown(looked_up([order_row(**FILLED)], [row])), "beside the order"
    assert is_unknown(looked_up([], [row])), "and alone they are no evidence of anything"


def test_executions_without_our_id_belong_to_the_order_by_the_exchanges_id() -> None:
    """Fills may lack the client id (bybit-v5 6.2)."""
    found = looked_up([order_row(**FILLED)], [execution_row(**EXECUTION, orderLinkId="")])
    assert isinstance(found, OrderFound) and len(found.executions) == 1


def test_two_orders_under_one_id_are_a_contradiction_and_one_order_twice_is_its_newest_row() -> None:
    assert is_unknown(looked_up([order_row(orderId="1"), order_row(orderId="2")], []))
    newer = order_row(**FILLED, updatedTime=str(NOW))
    found = looked_up([order_row(updatedTime=str(NOW - 5)), newer], [])
    assert isinstance(found, OrderFound) and found.report.filled_quantity == D("0.5")


def test_where_whose_order_it_is_is_the_question_both_sides_are_an_answer() -> None:
    """After "duplicate id" the order manager itself judges whether the order is ours (DESIGN 5)."""
    asked = LOOK_UP.model_copy(update={"side": None})
    venue = Venue(
        lambda path, params: {
            "list": [order_row(side="Sell")] if path == "/v5/order/realtime" else [],
            "nextPageCursor": "",
        }
    )
    assert isinstance(venue.exchange.perform(A, asked), OrderFound)


@pytest.mark.parametrize("rows", [[("another", "SUCCESS")], [(TRANSFER_ID, "SUCCESS"), (TRANSFER_ID, "FAILED")],
                                  [(TRANSFER_ID, "SUCCESS"), ("another", "SUCCESS")]])  # fmt: skip
def test_a_transfer_that_was_not_asked_for_or_is_told_twice_is_not_known(rows: list[tuple[str, str]]) -> None:
    listed = [{"transferId": name, "status": status} for name, status in rows]
    outcome = Venue(lambda path, params: {"list": listed}).exchange.perform(
        Account.MASTER, LookUpTransfer(transfer_id=TRANSFER_ID)
    )
    assert is_unknown(outcome) and not isinstance(outcome, TransferState | OrderAbsent)


@pytest.mark.parametrize(
    ("row", "is_ours"),
    [
        ({"coin": "USDT", "amount": "10.50"}, True),
        ({}, True),
        ({"coin": "BTC", "amount": "10.5"}, False),
        ({"coin": "USDT", "amount": "1050"}, False),
        ({"coin": "USDT", "amount": ""}, False),
    ],
)
def test_a_record_of_another_coin_or_amount_is_not_the_transfer_that_was_ordered(
    row: dict[str, str], is_ours: bool
) -> None:
    listed = [{"transferId": TRANSFER_ID, "status": "SUCCESS"} | row]
    asked = LookUpTransfer(transfer_id=TRANSFER_ID, coin="USDT", amount=D("10.5"))
    outcome = Venue(lambda path, params: {"list": listed}).exchange.perform(Account.MASTER, asked)
    assert outcome == TransferState(status="SUCCESS") if is_ours else is_unknown(outcome)


@pytest.mark.parametrize(
    ("days_ago", "windows"), [(0, 1), (6, 1), (7, 2), (13, 2), (14, 3), (100, 15), (730, 105), (9_000, 105)]
)
def test_a_transfer_is_looked_for_since_it_was_requested(days_ago: int, windows: int) -> None:
    """Without a window the exchange lists the past 7 days: one that had no answer before a longer outage was absent,
    sent on, known and absent again without end. The windows leave nothing out, and none is longer than allowed."""
    since_ms = NOW - days_ago * DAY_MS
    asked = LookUpTransfer(transfer_id=TRANSFER_ID, coin="USDT", amount=D("10.5"), since_ms=since_ms)
    venue = Venue(lambda path, params: {"list": []})
    assert venue.exchange.perform(Account.MASTER, asked) == TransferState(status="ABSENT")
    spans = [(int(params["startTime"]), int(params["endTime"])) for _path, params in venue.calls]
    assert len(spans) == windows and {params["transferId"] for _path, params in venue.calls} == {TRANSFER_ID}
    assert spans[0][0] < max(since_ms, NOW - 729 * DAY_MS) and spans[-1][1] >= NOW
    assert all(end - start <= 7 * DAY_MS for start, end in spans)
    assert all(start == end + 1 for (_, end), (start, _) in pairwise(spans))


def test_a_transfer_is_found_in_any_window_and_one_failed_window_is_no_absence() -> None:
    asked = LookUpTransfer(transfer_id=TRANSFER_ID, since_ms=NOW - 20 * DAY_MS)
    row = {"transferId": TRANSFER_ID, "status": "SUCCESS"}
    for which in range(3):
        assert ask_in_windows(asked, {which: {"list": [row]}}) == TransferState(status="SUCCESS")
        assert is_unknown(ask_in_windows(asked, {which: (10016, "busy")}))


def ask_in_windows(asked: LookUpTransfer, answers: dict[int, Any]) -> Any:
    """The outcome when some windows are answered so, and the others with an empty list."""
    venue = Venue(lambda path, params: answers.get(len(venue.calls) - 1, {"list": []}))
    return venue.exchange.perform(Account.MASTER, asked)


def test_a_clock_behind_the_request_still_asks() -> None:
    venue = Venue(lambda path, params: {"list": []})
    venue.exchange.perform(Account.MASTER, LookUpTransfer(transfer_id=TRANSFER_ID, since_ms=NOW + DAY_MS))
    (call,) = venue.calls
    assert int(call[1]["startTime"]) <= NOW <= int(call[1]["endTime"])


# --- the market ---


def bars(start: int, **echo: str) -> Callable[[str, Any], Any]:
    row = [str(start), "1", "2", "1", "2", "9", "9"]
    return lambda path, params: {"list": [row]} | echo


READ_BARS = ReadBars(category="linear", symbol="BTCUSDT", interval="60", from_ms=NOW - HOUR_MS, until_ms=NOW)


@pytest.mark.parametrize("echo", [{"symbol": "ETHUSDT"}, {"category": "spot"}])
def test_bars_of_another_market_are_not_taken_for_ours(echo: dict[str, str]) -> None:
    ours = Venue(bars(NOW - HOUR_MS, symbol="BTCUSDT", category="linear")).exchange.perform(A, READ_BARS)
    assert isinstance(ours, BarsRead) and len(ours.bars) == 1
    assert is_unknown(Venue(bars(NOW - HOUR_MS, **echo)).exchange.perform(A, READ_BARS))


def test_two_bars_of_one_hour_that_differ_are_named_and_none_is_used() -> None:
    rows = [[str(NOW - HOUR_MS), "1", "2", "1", close, "9", "9"] for close in ("2", "1")]
    read = Venue(lambda path, params: {"list": rows}).exchange.perform(A, READ_BARS)
    assert isinstance(read, BarsRead) and not read.bars
    assert [(one.kind, one.symbol) for one in read.set_aside] == [("bar", "BTCUSDT")]
    same = Venue(lambda path, params: {"list": [rows[0], rows[0]]}).exchange.perform(A, READ_BARS)
    assert isinstance(same, BarsRead) and len(same.bars) == 1 and not same.set_aside


def test_two_rates_of_one_settlement_that_differ_are_named_and_none_is_used() -> None:
    def rate(value: str, hours: int) -> dict[str, str]:
        at = str(NOW - hours * HOUR_MS)
        return {"symbol": "BTCUSDT", "fundingRate": value, "fundingRateTimestamp": at}

    request = ReadFunding(symbols=("BTCUSDT",), from_ms=NOW - 32 * HOUR_MS, until_ms=NOW)
    rows = [rate("0.0001", hours) for hours in (0, 8, 24, 32)] + [rate("0.0001", 16), rate("0.0003", 16)]
    read = Venue(lambda path, params: {"category": "linear", "list": rows}).exchange.perform(A, request)
    assert isinstance(read, FundingRead)
    assert [NOW - one.settle_ms for one in read.rates] == [hours * HOUR_MS for hours in (32, 24, 8, 0)]
    assert [(one.kind, one.symbol) for one in read.set_aside] == [("funding_rate", "BTCUSDT")]


def instrument(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "status": "Trading", "baseCoin": "BTC", "quoteCoin": "USDT", "fundingInterval": 480,
        "priceFilter": {"tickSize": "0.1"}, "leverageFilter": {"maxLeverage": "100"},
        "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.001", "minNotionalValue": "5",
                          "maxOrderQty": "100", "maxMktOrderQty": "50"},
    } | {"baseCoin": str(changes.get("symbol", "BTCUSDT")).removesuffix("USDT")} | changes  # fmt: skip


def market(answer: Any) -> Venue:
    def script(path: str, params: Any) -> Any:
        symbol = params.get("symbol", "")
        if path == "/v5/market/instruments-info":
            return answer(symbol) if callable(answer) else answer
        if path == "/v5/market/risk-limit":
            tier = {"symbol": symbol, "isLowestRisk": 1, "initialMargin": "0.01", "maxLeverage": "100"}
            return {"category": "linear", "list": [tier | {"maintenanceMargin": "0.005"}]}
        if path == "/v5/account/fee-rate":
            return {"list": [{"symbol": symbol, "takerFeeRate": "0.001", "makerFeeRate": "0.001"}]}
        return {"category": "linear", "list": [
            {"symbol": symbol, "bid1Price": "99", "ask1Price": "100", "lastPrice": "100", "markPrice": "100",
             "indexPrice": "100", "fundingRate": "0.0001", "nextFundingTime": str(NOW + HOUR_MS)}]}  # fmt: skip

    return Venue(script, symbols=(("linear", "BTCUSDT"), ("linear", "ETHUSDT")))


@pytest.mark.parametrize("status", ["Closed", "PreLaunch", "Delivering", "Settling", "trading", "Halted?"])
def test_an_instrument_that_may_not_be_traded_is_named_and_still_there(status: str) -> None:
    """It vanished without a word: no rules, so that a held position could not be managed, and nobody was told why."""
    venue = market(
        lambda symbol: {"list": [instrument(symbol=symbol, status=status if symbol == "BTCUSDT" else "Trading")]}
    )
    read = venue.exchange.perform(A, ReadMarket())
    assert isinstance(read, MarketSnapshot)
    assert [one.symbol for one in read.instruments] == ["BTCUSDT", "ETHUSDT"]
    ((kind, symbol, problem),) = [(one.kind, one.symbol, one.problem) for one in read.set_aside]
    assert (kind, symbol) == ("status", "BTCUSDT") and status in problem and "Trading" in problem


@pytest.mark.parametrize("status", [None, "", 5])
def test_an_instrument_without_a_status_cannot_be_read(status: Any) -> None:
    venue = market(
        lambda symbol: {"list": [instrument(symbol=symbol, status=status if symbol == "BTCUSDT" else "Trading")]}
    )
    read = venue.exchange.perform(A, ReadMarket())
    assert isinstance(read, MarketSnapshot)
    assert [one.symbol for one in read.instruments] == ["ETHUSDT"]
    assert [(one.kind, one.symbol) for one in read.set_aside] == [("instrument", "BTCUSDT")]


@pytest.mark.parametrize("text", ["params error: symbol invalid", "Not supported symbols", "The SYMBOL rate limit"])
def test_words_do_not_decide_whether_a_symbol_is_listed(text: str) -> None:
    """A code 10001 with the word "symbol" in its text took a listed symbol for unlisted: its bars were "none"."""

    def script(path: str, params: Any) -> Any:
        if path == "/v5/market/instruments-info" and "symbol" not in params:
            return {"category": "linear", "list": [instrument()]}
        return 10001, text

    assert isinstance(Venue(script).exchange.perform(A, READ_BARS), Refused)
    read = Venue(script).exchange.perform(A, ReadMarket())
    assert isinstance(read, MarketSnapshot) and not read.instruments
    assert [(one.kind, one.symbol) for one in read.set_aside] == [("instrument", "BTCUSDT")]
    unlisted = READ_BARS.model_copy(update={"symbol": "NEWUSDT"})
    assert Venue(script).exchange.perform(A, unlisted) == BarsRead(bars=())


# --- an account that contradicts itself ---


def position(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "positionIdx": 0, "side": "Sell", "size": "5", "avgPrice": "100", "markPrice": "101",
        "liqPrice": "", "leverage": "10", "unrealisedPnl": "-5",
    } | changes  # fmt: skip


def snapshot(*, wallet: Any = None, positions: Any = (), executions: Any = ()) -> AccountSnapshot:
    sound = {"accountType": "UNIFIED", "coin": [{"coin": "USDT", "walletBalance": "5"}]}

    def script(path: str, params: Any) -> Any:
        if path == "/v5/account/wallet-balance":
            return {"list": [sound | (wallet or {})]}
        rows = list(positions) if path == "/v5/position/list" else []
        if path == "/v5/execution/list" and params["category"] == "linear":
            rows = list(executions)
        return {"list": rows, "nextPageCursor": ""}

    read = Venue(script).exchange.perform(A, ReadAccount(executions_since_ms=NOW))
    assert isinstance(read, AccountSnapshot)
    return read


def told(read: AccountSnapshot) -> list[tuple[str, str, str]]:
    return [(one.kind, one.category, one.symbol) for one in read.set_aside]


def test_of_two_rows_of_one_coin_none_is_used() -> None:
    """The last one won: a wallet of 5 and of 7 was 7."""
    coins = [{"coin": coin, "walletBalance": amount} for coin, amount in [("USDT", "5"), ("BTC", "1"), ("USDT", "7")]]
    read = snapshot(wallet={"coin": coins})
    assert read.balances == {"BTC": D(1)}
    assert told(read) == [("balance", "", "USDT")] and "2 rows" in read.set_aside[0].problem


def test_of_two_rows_of_one_position_none_is_used() -> None:
    read = snapshot(positions=[position(), position(symbol="ETHUSDT"), position(side="Buy")])
    assert [one.symbol for one in read.positions] == ["ETHUSDT"]
    assert told(read) == [("position", "linear", "BTCUSDT")]


def test_a_position_of_a_contract_that_settles_in_another_coin_is_foreign() -> None:
    """The positions that settle in USDT were asked for; its size would have become a position of our books."""
    read = snapshot(positions=[position(symbol="BTCPERP"), position()])
    assert [one.symbol for one in read.positions] == ["BTCUSDT"]
    assert [(one.symbol, one.is_foreign) for one in read.set_aside] == [("BTCPERP", True)]


def test_of_two_executions_with_one_id_none_is_used_unless_they_are_the_same_row() -> None:
    row = execution_row(category="linear", feeCurrency="USDT", execTime=str(NOW))
    assert told(snapshot(executions=[row, row | {"execPrice": "101"}])) == [("execution", "linear", "BTCUSDT")]
    assert len(snapshot(executions=[row, row]).executions) == 1


@pytest.mark.parametrize(
    ("wallet", "named"),
    [
        ({"coin": [], "totalEquity": "10", "totalWalletBalance": "0"}, "totalEquity"),
        ({"coin": [], "totalEquity": "0", "totalWalletBalance": "10"}, "totalWalletBalance"),
        ({"coin": [], "totalEquity": ""}, "totalEquity"),
        ({"coin": []}, "totalEquity"),
        ({"accountType": "CONTRACT"}, "accountType"),
        ({"accountType": None}, "accountType"),
    ],
)
def test_a_wallet_that_contradicts_itself_says_nothing(wallet: dict[str, Any], named: str) -> None:
    """An empty list of coins beside an equity of 10 became a balance of zero."""
    read = snapshot(wallet=wallet)
    assert read.balances == {}
    assert told(read) == [("balance", "account", A)] and named in read.set_aside[0].problem


def test_an_account_that_says_in_all_its_figures_that_it_is_empty_is_empty() -> None:
    read = snapshot(wallet={"coin": [], "totalEquity": "0", "totalWalletBalance": "0"})
    assert (read.balances, read.set_aside) == ({}, ())


@pytest.mark.parametrize(
    ("side", "size"), [("Buy", "0"), ("Sell", "0"), ("None", "0"), ("", "5"), ("Long", "5"), (None, "0")]
)
def test_a_position_whose_side_and_size_contradict_each_other_is_not_known(side: Any, size: str) -> None:
    """Size 0 with a side was flat: a position whose size was lost on the way would have been closed in the books."""
    read = snapshot(positions=[position(side=side, size=size)])
    assert read.positions == () and told(read) == [("position", "linear", "BTCUSDT")]
    assert parse_position(A, position(side="", size="0")) is None
