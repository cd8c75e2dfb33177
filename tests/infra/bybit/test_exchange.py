"""IF-2, EX-1, EX-3: requests become calls of pybit and answers become outcomes; a failed read is never empty."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import requests

from infra.bybit.orders.bodies import InvalidRequest, order_body
from statemachines.feeds.terms import FeedRead, ReadFeed
from statemachines.requests import (
    Accepted,
    AccountSnapshot,
    AmendOrder,
    BarsRead,
    CancelOrder,
    FundingRead,
    LookUpOrder,
    LookUpTransfer,
    PlaceOrder,
    ReadAccount,
    ReadBars,
    ReadFunding,
    Refused,
    SetLeverage,
    TransferFunds,
    TransferState,
    Unknown,
)
from statemachines.values import DAY_MS, HOUR_MS, Account, Side
from tests.infra.bybit.parsing.test_rows import order_row
from tests.infra.bybit.venue import NOW, A, Venue, order_of, refusing


def test_a_linear_market_order_has_a_slippage_bound_and_is_one_way() -> None:
    """EX-3: at most 0.5 % slippage, kept by the exchange itself."""
    body = order_body(order_of(slippage_limit=Decimal("0.005"), reduce_only=True))
    assert body == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "qty": "0.01",
        "orderLinkId": "abcdefT1x-1",
        "positionIdx": 0,
        "reduceOnly": True,
        "orderType": "Market",
        "slippageToleranceType": "Percent",
        "slippageTolerance": "0.5",
    }


def test_a_spot_market_order_is_sized_in_the_coin_and_never_borrowed() -> None:
    """Elsewhere a spot market buy was sized in USDT by the exchange's default, and ended as "partially filled" though
    it was complete."""
    body = order_body(order_of(category="spot", slippage_limit=Decimal("0.005")))
    assert (body["marketUnit"], body["isLeverage"]) == ("baseCoin", 0)
    assert "reduceOnly" not in body and "positionIdx" not in body


def test_a_post_only_order() -> None:
    body = order_body(order_of(style="post_only", price=Decimal("60000.10")))
    assert (body["orderType"], body["timeInForce"], body["price"]) == ("Limit", "PostOnly", "60000.1")


@pytest.mark.parametrize(("side", "direction"), [(Side.SELL, 2), (Side.BUY, 1)])
def test_a_stop_triggers_by_the_last_price_in_its_direction(side: Side, direction: int) -> None:
    body = order_body(order_of(style="stop_market", side=side, trigger_price=Decimal("55000"), reduce_only=True))
    assert (body["triggerDirection"], body["triggerBy"], body["triggerPrice"]) == (direction, "LastPrice", "55000")
    assert body["reduceOnly"] is True and "slippageTolerance" not in body


@pytest.mark.parametrize(
    "changes",
    [
        {"style": "post_only"},
        {"style": "stop_market", "trigger_price": Decimal(0)},
        {"category": "spot", "reduce_only": True},
        {"slippage_limit": Decimal("0.2")},
        {"slippage_limit": Decimal("0.00001")},
    ],
)
def test_a_contradictory_order_is_refused_and_not_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        order_body(order_of(**changes))
    venue = Venue(lambda path, params: {})
    outcome = venue.exchange.perform(A, order_of(**changes))
    assert isinstance(outcome, Refused) and outcome.fault == "permanent"
    assert venue.calls == []


def test_an_acknowledged_order_is_accepted() -> None:
    venue = Venue(lambda path, params: {"orderId": "77", "orderLinkId": params["orderLinkId"]})
    assert venue.exchange.perform(A, order_of()) == Accepted(venue_order_id="77")
    assert venue.calls[0][0] == "/v5/order/create"


@pytest.mark.parametrize("answer", [requests.exceptions.ReadTimeout(), (10016, "internal"), {"orderId": ""}])
def test_a_write_without_a_clear_answer_is_unknown_and_not_repeated(answer: Any) -> None:
    """EX-1, EX-4: nothing is sent again blindly."""
    venue = Venue(lambda path, params: answer)
    assert isinstance(venue.exchange.perform(A, order_of()), Unknown)
    assert len(venue.calls) == 1


def test_refusals_carry_what_follows() -> None:
    for code, fault in ((110007, "funds"), (110072, "duplicate"), (10006, "transient"), (10005, "halt")):
        outcome = Venue(refusing(code)).exchange.perform(A, order_of())
        assert isinstance(outcome, Refused) and (outcome.code, outcome.fault) == (code, fault)


def test_cancelling_what_is_gone_has_succeeded() -> None:
    cancel = CancelOrder(client_order_id="x", category="linear", symbol="BTCUSDT")
    outcome = Venue(lambda path, params: (110001, "order not exists")).exchange.perform(A, cancel)
    assert outcome == Accepted(already=True)


def test_amendments_name_only_what_changes() -> None:
    venue = Venue(lambda path, params: {"orderId": "1", "orderLinkId": "x"})
    amend = AmendOrder(client_order_id="x", category="linear", symbol="BTCUSDT", trigger_price=Decimal("5.50"))
    assert venue.exchange.perform(A, amend) == Accepted(venue_order_id="1")
    assert venue.calls[0][1] == {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "x", "triggerPrice": "5.5"}
    nothing = venue.exchange.perform(A, AmendOrder(client_order_id="x", category="linear", symbol="BTCUSDT"))
    assert isinstance(nothing, Refused) and len(venue.calls) == 1


def test_leverage_that_is_already_so() -> None:
    venue = Venue(lambda path, params: (110043, "leverage not modified"))
    assert venue.exchange.perform(A, SetLeverage(symbol="BTCUSDT", leverage=Decimal(2))) == Accepted(already=True)


ACCOUNT_PATHS = ("/v5/order/realtime", "/v5/execution/list", "/v5/position/list", "/v5/account/wallet-balance")


def account_script(path: str, params: Any) -> Any:
    match path:
        case "/v5/account/wallet-balance":
            return {"list": [{"accountType": "UNIFIED", "coin": [{"coin": "USDT", "walletBalance": "5.5"}]}]}
        case "/v5/order/realtime" if params["category"] == "linear" and "cursor" not in params:
            return {"list": [order_row(orderId="1")], "nextPageCursor": "a%3A1"}
        case "/v5/order/realtime" if params["category"] == "linear":
            return {"list": [order_row(orderId="2", orderLinkId="abc-2")], "nextPageCursor": ""}
        case _:
            return {"list": [], "nextPageCursor": ""}


def test_an_account_is_read_in_pages_and_in_windows_of_seven_days() -> None:
    venue = Venue(account_script)
    outcome = venue.exchange.perform(A, ReadAccount(executions_since_ms=NOW - 20 * DAY_MS))
    assert isinstance(outcome, AccountSnapshot)
    assert [report.venue_order_id for report in outcome.open_orders] == ["1", "2"]
    assert (outcome.balances, outcome.market_ms) == ({"USDT": Decimal("5.5")}, NOW)
    cursors = [params.get("cursor") for path, params in venue.calls if path == "/v5/order/realtime"]
    assert cursors == [None, None, "a%3A1"], "the cursor goes back unchanged"
    windows = [p for path, p in venue.calls if path == "/v5/execution/list" and p["category"] == "spot"]
    assert len(windows) == 3
    assert all(int(w["endTime"]) - int(w["startTime"]) < 7 * DAY_MS for w in windows)
    assert int(windows[0]["startTime"]) == NOW - 20 * DAY_MS and int(windows[-1]["endTime"]) >= NOW
    for earlier, later in pairwise(windows):
        assert int(later["startTime"]) == int(earlier["endTime"]) + 1, "no millisecond falls between two windows"


@pytest.mark.parametrize("age_ms", [0, 1, 7 * DAY_MS - 1, 7 * DAY_MS, 14 * DAY_MS])
def test_the_last_window_reaches_now_wherever_the_reading_begins(age_ms: int) -> None:
    """An execution of this very millisecond is read, also when the span is a whole number of windows."""
    venue = Venue(account_script)
    venue.exchange.perform(A, ReadAccount(executions_since_ms=NOW - age_ms))
    windows = [p for path, p in venue.calls if path == "/v5/execution/list" and p["category"] == "linear"]
    assert int(windows[0]["startTime"]) == NOW - age_ms
    assert int(windows[-1]["startTime"]) <= NOW <= int(windows[-1]["endTime"])
    assert len(windows) == age_ms // (7 * DAY_MS) + 1


@pytest.mark.parametrize("failing", ACCOUNT_PATHS)
@pytest.mark.parametrize("how", [requests.exceptions.ReadTimeout(), (10016, "busy"), {}])
def test_a_failed_query_is_never_an_empty_account(failing: str, how: Any) -> None:
    venue = Venue(lambda path, params: how if path == failing else account_script(path, params))
    outcome = venue.exchange.perform(A, ReadAccount(executions_since_ms=NOW))
    assert isinstance(outcome, Refused) and outcome.fault == "transient"


def test_bars_are_read_in_pages_oldest_first_and_a_running_bar_is_left_out() -> None:
    def script(path: str, params: Any) -> dict[str, Any]:
        first, last = int(params["start"]), int(params["end"])
        starts = range(-(-first // HOUR_MS) * HOUR_MS, last + HOUR_MS, HOUR_MS)  # one bar too many: the running one
        rows = [[str(at), "1", "2", "1", "2", "9", "9"] for at in starts]
        return {"category": "spot", "symbol": "BTCUSDT", "list": rows[::-1]}

    venue = Venue(script)
    start = NOW - 2500 * HOUR_MS
    request = ReadBars(category="spot", symbol="BTCUSDT", interval="60", from_ms=start, until_ms=NOW)
    outcome = venue.exchange.perform(A, request)
    assert isinstance(outcome, BarsRead)
    assert [bar.start_ms for bar in outcome.bars] == list(range(start, NOW, HOUR_MS))
    assert len(venue.calls) == 3


def test_a_symbol_that_is_not_listed_yet_has_no_bars_but_a_bad_request_is_a_failure() -> None:
    request = ReadBars(category="spot", symbol="SOLUSDT", interval="60", from_ms=NOW - HOUR_MS, until_ms=NOW)
    listed: list[dict[str, str]] = [{"symbol": "BTCUSDT"}]

    def script(path: str, params: Any) -> Any:
        if path == "/v5/market/instruments-info":
            return {"category": "spot", "list": listed}
        return 10001, "Not supported symbols"

    assert Venue(script).exchange.perform(A, request) == BarsRead(bars=())
    listed.append({"symbol": "SOLUSDT"})
    assert isinstance(Venue(script).exchange.perform(A, request), Refused), "it is listed: another parameter was wrong"


def test_funding_is_paged_backwards() -> None:
    instrument = {
        "symbol": "BTCUSDT",
        "status": "Trading",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "fundingInterval": 480,
        "priceFilter": {"tickSize": "0.1"},
        "lotSizeFilter": {
            "qtyStep": "0.001",
            "minOrderQty": "0.001",
            "minNotionalValue": "5",
            "maxOrderQty": "100",
            "maxMktOrderQty": "50",
        },
        "leverageFilter": {"maxLeverage": "100"},
    }
    tier = {
        "symbol": "BTCUSDT",
        "isLowestRisk": 1,
        "initialMargin": "0.01",
        "maintenanceMargin": "0.005",
        "maxLeverage": "100",
    }
    settlements = [NOW - n * 8 * HOUR_MS for n in range(450)]

    def script(path: str, params: Any) -> dict[str, Any]:
        if path == "/v5/market/instruments-info":
            return {"category": "linear", "list": [instrument], "nextPageCursor": ""}
        if path == "/v5/market/risk-limit":
            return {"category": "linear", "list": [tier], "nextPageCursor": ""}
        inside = [at for at in settlements if int(params["startTime"]) <= at <= int(params["endTime"])][:200]
        rows = [{"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingRateTimestamp": str(at)} for at in inside]
        return {"category": "linear", "list": rows}

    request = ReadFunding(symbols=("BTCUSDT",), from_ms=settlements[-1], until_ms=NOW)
    outcome = Venue(script).exchange.perform(A, request)
    assert isinstance(outcome, FundingRead)
    assert [rate.settle_ms for rate in outcome.rates] == settlements[::-1]
    assert {rate.interval_min for rate in outcome.rates} == {480}


TRANSFER = TransferFunds(
    transfer_id="0b3b0f6a-0f39-4a8d-8f3c-3f1f0f6a0f39",
    coin="USDT",
    amount=Decimal("10.50"),
    from_account=Account.FUNDING,
    to_account=Account.TACTICAL,
)


def test_transfers_name_the_members_and_a_pending_one_is_unknown() -> None:
    venue = Venue(lambda path, params: {"transferId": params["transferId"], "status": "SUCCESS"})
    assert isinstance(venue.exchange.perform(Account.MASTER, TRANSFER), Accepted)
    sent = venue.calls[0][1]
    assert (sent["fromMemberId"], sent["toMemberId"], sent["amount"]) == (11, 12, "10.5")
    pending = Venue(lambda path, params: {"transferId": params["transferId"], "status": "PENDING"})
    assert isinstance(pending.exchange.perform(Account.MASTER, TRANSFER), Unknown)


def test_a_transfer_to_an_unknown_member_is_not_sent() -> None:
    venue = Venue(lambda path, params: {})
    outcome = venue.exchange.perform(Account.MASTER, TRANSFER.model_copy(update={"to_account": Account.TREND_2}))
    assert isinstance(outcome, Refused) and venue.calls == []


def test_the_state_of_a_transfer() -> None:
    row = {"transferId": TRANSFER.transfer_id, "status": "FAILED"}
    ask = LookUpTransfer(transfer_id=TRANSFER.transfer_id)
    listed = Venue(lambda path, params: {"list": [row], "nextPageCursor": ""}).exchange.perform(Account.MASTER, ask)
    assert listed == TransferState(status="FAILED")
    absent = Venue(lambda path, params: {"list": [], "nextPageCursor": ""}).exchange.perform(Account.MASTER, ask)
    assert absent == TransferState(status="ABSENT")


def test_feeds_are_read_through_the_same_port() -> None:
    assert Venue(lambda path, params: {}).exchange.perform(A, ReadFeed(market_ms=NOW)) == FeedRead(reason="none")


def test_x1_the_close_of_a_position_is_quantity_0_with_close_on_trigger() -> None:
    request = PlaceOrder(
        client_order_id="abc123t11-1",
        category="linear",
        symbol="BTCUSDT",
        side=Side.SELL,
        quantity=Decimal("0.009"),
        style="market",
        reduce_only=True,
        closes_position=True,
    )
    body = order_body(request)
    assert (body["qty"], body["reduceOnly"], body["closeOnTrigger"]) == ("0", True, True)
    assert "closeOnTrigger" not in order_body(request.model_copy(update={"closes_position": False}))


def test_a_spot_stop_is_placed_and_cancelled_as_a_conditional_order() -> None:
    """Without the filter the exchange would look for it among the ordinary orders and answer that it is gone."""
    body = order_body(order_of(category="spot", style="stop_market", side=Side.SELL, trigger_price=Decimal("55000")))
    assert (body["orderFilter"], body["marketUnit"], body["isLeverage"]) == ("StopOrder", "baseCoin", 0)
    linear = order_body(order_of(style="stop_market", side=Side.SELL, trigger_price=Decimal("55000")))
    assert "orderFilter" not in linear and "marketUnit" not in linear and "isLeverage" not in linear
    venue = Venue(lambda path, params: {"orderId": "1", "orderLinkId": "x"})
    for category in ("spot", "linear"):
        for is_conditional in (True, False):
            venue.exchange.perform(
                A, CancelOrder(client_order_id="x", category=category, symbol="BTCUSDT", is_conditional=is_conditional)
            )
    filters = [params.get("orderFilter") for _path, params in venue.calls]
    assert filters == ["StopOrder", None, None, None]


@pytest.mark.parametrize(("limit", "percent"), [("0.0001", "0.01"), ("0.1", "10"), ("0.00559", "0.55")])
def test_a_slippage_bound_is_rounded_down_and_its_edges_are_allowed(limit: str, percent: str) -> None:
    body = order_body(order_of(slippage_limit=Decimal(limit)))
    assert (body["slippageToleranceType"], body["slippageTolerance"]) == ("Percent", percent)
    assert "slippageTolerance" not in order_body(order_of())


def test_every_field_of_an_amendment_and_both_leverages_are_sent() -> None:
    venue = Venue(lambda path, params: {"orderId": "1", "orderLinkId": "x"})
    amend = AmendOrder(
        client_order_id="x", category="spot", symbol="BTCUSDT", price=Decimal("5.1"), quantity=Decimal("2.50")
    )
    venue.exchange.perform(A, amend)
    venue.exchange.perform(A, SetLeverage(symbol="BTCUSDT", leverage=Decimal("2.0")))
    assert venue.calls[0][1] == {
        "category": "spot",
        "symbol": "BTCUSDT",
        "orderLinkId": "x",
        "price": "5.1",
        "qty": "2.5",
    }
    assert venue.calls[1][1] == {"category": "linear", "symbol": "BTCUSDT", "buyLeverage": "2", "sellLeverage": "2"}


def test_a_transfer_answered_failed_is_refused() -> None:
    failed = Venue(lambda path, params: {"transferId": params["transferId"], "status": "FAILED"}).exchange.perform(
        Account.MASTER, TRANSFER
    )
    assert isinstance(failed, Refused) and failed.fault == "permanent"


def test_an_answer_about_another_order_or_transfer_is_no_answer() -> None:
    """Taken for ours it would book what is not ours; taken for absence it would send a second time."""
    other = {"list": [order_row(orderLinkId="other", orderId="9")], "nextPageCursor": ""}
    empty: dict[str, Any] = {"list": [], "nextPageCursor": ""}
    for path in ("/v5/order/realtime", "/v5/order/history"):

        def answer(at: str, _: Any, path: str = path) -> Any:
            return other if at == path else empty

        outcome = Venue(answer).exchange.perform(
            A, LookUpOrder(client_order_id="abc-1", category="linear", symbol="BTCUSDT")
        )
        assert isinstance(outcome, Refused) and outcome.fault == "transient"
    row = {"transferId": "other", "status": "SUCCESS"}
    ask = LookUpTransfer(transfer_id=TRANSFER.transfer_id)
    moved = Venue(lambda path, params: {"list": [row], "nextPageCursor": ""}).exchange.perform(Account.MASTER, ask)
    assert isinstance(moved, Refused) and moved.fault == "transient"
