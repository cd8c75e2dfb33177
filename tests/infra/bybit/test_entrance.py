"""At the border to the exchange: each story once went wrong (a crash, a booked absurdity, a silent success)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from infra.bybit.credentials import Credentials
from infra.bybit.limits import RateLimiter, RateLimits
from infra.bybit.parsing.fields import UnparsableError
from infra.bybit.parsing.rows import parse_bar, parse_execution, parse_order, parse_position
from infra.bybit.session import GatewaySession
from infra.bybit.streams.frames import parse_private_frame
from statemachines.messages.market import RowsSetAside
from statemachines.messages.orders import ExecutionFrame, OrderFrame
from statemachines.requests import (
    Accepted,
    AccountSnapshot,
    CancelOrder,
    LookUpOrder,
    LookUpTransfer,
    OrderAbsent,
    ReadAccount,
    Refused,
    SetLeverage,
    TransferState,
    Unknown,
)
from statemachines.values import DAY_MS
from tests.infra.answering import answering
from tests.infra.bybit.border import NOW, A, envelope, exchange, position
from tests.infra.bybit.parsing.test_frames import T
from tests.infra.bybit.parsing.test_rows import execution_row, order_row
from tests.infra.bybit.venue import order_of

# --- case 6: rows judged one by one ---


def option_row() -> dict[str, Any]:
    return order_row(category="option", symbol="ETH-30DEC22-1400-C", orderId="opt")


def test_an_option_order_beside_ours_is_passed_over_and_ours_arrives() -> None:
    """Case 6: the frame was dropped and the connection broken every 2 s; ours never arrived."""
    frame = {"topic": "order", "creationTime": NOW, "data": [option_row(), order_row(orderId="ours"), option_row()]}
    parsed = parse_private_frame(A, frame)
    assert [body.report.venue_order_id for body, _ in parsed if isinstance(body, OrderFrame)] == ["ours"]
    told = [(body, natural) for body, natural in parsed if isinstance(body, RowsSetAside)]
    assert all(body.rows[0].is_foreign for body, _ in told)
    assert len({natural for _, natural in told}) == 1, "one natural id, so one alert for the product"


def test_a_contract_that_settles_in_another_coin_is_foreign_too() -> None:
    frame = {"topic": "order", "data": [order_row(symbol="BTCPERP")]}
    ((body, _),) = parse_private_frame(A, frame)
    assert isinstance(body, RowsSetAside) and body.rows[0].is_foreign


@pytest.mark.parametrize("bad", [None, 5, "row", [], {}, execution_row(execQty="-1")])
def test_a_bad_row_never_takes_its_neighbours(bad: Any) -> None:
    """Elsewhere one odd row (another category, a new status, an empty fee coin) broke the whole stream."""
    frame = {"topic": "execution", "data": [bad, execution_row(execId="good")]}
    bodies = [body for body, _ in parse_private_frame(A, frame)]
    assert [body.report.execution_id for body in bodies if isinstance(body, ExecutionFrame)] == ["good"]
    assert [one for body in bodies if isinstance(body, RowsSetAside) for one in body.rows]


@pytest.mark.parametrize("frame", [None, [], {"topic": "order"}, {"topic": "order", "data": {}}, {"topic": 7}])
def test_a_frame_that_cannot_be_read_is_set_aside_whole(frame: Any) -> None:
    ((body, natural_id),) = parse_private_frame(A, frame)
    assert isinstance(body, RowsSetAside) and body.account is A and natural_id


# --- cases 7 and 10: bounds, signs, empties, lengths ---


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("execQty", "-1"),
        ("execQty", "0"),
        ("execPrice", "1E+300"),
        ("execPrice", "-5"),
        ("execFee", "1E+16"),
        ("feeCurrency", ""),
        ("feeCurrency", "btc coin"),
        ("feeRate", "7"),
        ("execTime", "1" + "0" * 30),
        ("execTime", "9" * 5000),
        ("execTime", "7"),
        ("execId", "\x00"),
        ("execId", "\ud800"),
        ("execId", "e" * 5000),
        ("symbol", "BTC USDT"),
        ("closedSize", "-0.5"),
        ("execQty", "１２"),
        ("execQty", "1_000"),
        ("execQty", " 1"),
    ],
)
def test_an_execution_that_no_market_can_produce_is_refused_by_name(field: str, value: str) -> None:
    """Case 7: quantity -1, price 1E+300 and an empty fee currency were booked, with health green."""
    with pytest.raises(UnparsableError, match=field) as refused:
        parse_execution(A, execution_row(**{field: value}))
    assert len(str(refused.value)) < 400, "a text of megabytes is not repeated"


@pytest.mark.parametrize(
    ("field", "value"),
    [("updatedTime", "9" * 5000), ("createdTime", str(10**30)), ("qty", "-1"), ("cumExecQty", "2"), ("price", "-1")],
)
def test_an_order_that_no_exchange_can_hold_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(UnparsableError, match=field):
        parse_order(A, order_row(**{field: value}))


def test_a_row_from_the_future_does_not_drag_market_time_along() -> None:
    frame = {"topic": "order", "data": [order_row(updatedTime=str(T + 400 * DAY_MS))]}
    ((body, _),) = parse_private_frame(A, frame, latest_ms=NOW)
    assert isinstance(body, RowsSetAside) and "updatedTime" in body.rows[0].problem


@pytest.mark.parametrize("column", range(1, 6))
@pytest.mark.parametrize("value", ["1E+300", "-1", "", None, "NaN"])
def test_a_bar_of_impossible_prices_is_refused(column: int, value: Any) -> None:
    row: list[Any] = [str(T), "1", "3", "1", "2", "5", "9"]
    row[column] = value
    with pytest.raises(UnparsableError):
        parse_bar("linear", "BTCUSDT", "60", row)


def test_a_negative_size_is_not_turned_into_the_opposite_position() -> None:
    """Case 10: size "-5", side Sell was read as +5."""
    sound = parse_position(A, position())
    assert sound is not None and sound.quantity == -5
    with pytest.raises(UnparsableError, match="size"):
        parse_position(A, position(size="-5"))


# --- case 8: answers that are no envelope ---

NO_ENVELOPES: list[Any] = [
    None,
    [],
    "text",
    5,
    True,
    {},
    {"result": {"list": []}, "retMsg": "OK"},
    {"retCode": None, "retMsg": "OK", "result": {"list": []}},
    {"retCode": "", "retMsg": "OK", "result": {"list": []}},
    {"retCode": False, "retMsg": "OK", "result": {"list": []}},
    {"retCode": "0", "retMsg": "OK", "result": {"list": []}},
    {"retCode": 0.0, "retMsg": "OK", "result": {"list": []}},
    {"retCode": 0, "result": {"list": []}},
    {"retCode": 0, "retMsg": None, "result": {"list": []}},
    {"retCode": 110001, "result": {}},
    {"retCode": 0, "retMsg": "OK"},
    {"retCode": 0, "retMsg": "OK", "result": []},
    {"retCode": 0, "retMsg": "OK", "result": None},
    {"ret_code": 0, "ret_msg": "OK", "result": {"list": []}},
]
WRITES: list[Any] = [
    order_of(),
    CancelOrder(client_order_id="abcdefT1x-1", category="linear", symbol="BTCUSDT"),
    SetLeverage(symbol="BTCUSDT", leverage=Decimal(5)),
]
LOOK_UPS: list[Any] = [
    LookUpOrder(client_order_id="abcdefT1x-1", category="linear", symbol="BTCUSDT"),
    LookUpTransfer(transfer_id="t"),
    ReadAccount(executions_since_ms=T),
]


@pytest.mark.parametrize("answer", NO_ENVELOPES, ids=repr)
@pytest.mark.parametrize("write", WRITES, ids=lambda one: one.kind)
def test_a_write_with_such_an_answer_is_unknown_never_done(write: Any, answer: Any) -> None:
    assert isinstance(exchange(lambda *_: answer).perform(A, write), Unknown)


@pytest.mark.parametrize("answer", NO_ENVELOPES, ids=repr)
@pytest.mark.parametrize("read", LOOK_UPS, ids=lambda one: one.kind)
def test_such_an_answer_is_no_evidence_of_absence(read: Any, answer: Any) -> None:
    """Case 8: without a retCode a look-up became "the order is absent", and the order was sent again."""
    outcome = exchange(lambda *_: answer).perform(A, read)
    assert not isinstance(outcome, OrderAbsent | TransferState | AccountSnapshot | Accepted)
    assert isinstance(outcome, Unknown) or (isinstance(outcome, Refused) and outcome.fault == "transient")


@pytest.mark.parametrize(
    "result",
    [{}, {"list": None}, {"list": {}}, {"list": [order_row(orderLinkId="another")]}, {"list": [None]},
     {"list": [], "category": "spot"}, {"list": [], "nextPageCursor": 5}],
)  # fmt: skip
def test_an_answer_to_another_question_is_no_evidence_of_absence(result: Any) -> None:
    outcome = exchange(lambda *_: envelope(result)).perform(A, LOOK_UPS[0])
    assert not isinstance(outcome, OrderAbsent)


def test_an_empty_list_three_times_twice_is_absence() -> None:
    outcome = exchange(lambda *_: envelope({"list": [], "category": "linear"})).perform(A, LOOK_UPS[0])
    assert isinstance(outcome, OrderAbsent)


@pytest.mark.parametrize("body", [b"<html>", b"9" * 5000, b"[" * 100_000, b"\xff\xfe", b""])
def test_text_that_is_no_json_is_an_unreadable_answer(body: bytes) -> None:
    """An integer of 5,000 digits is a ValueError that pybit does not catch."""
    with answering(200, body) as (url, _asked), pytest.raises(UnparsableError, match="not JSON"):
        GatewaySession(A, Credentials({}), url).get_server_time()


def test_the_exchanges_text_is_made_printable_before_it_can_reach_the_database() -> None:
    """Elsewhere a text with NUL reached the database, which refuses it."""
    refusal = {"retCode": 110007, "retMsg": "no\x00 money \ud800" + "x" * 10_000, "result": {}}
    outcome = exchange(lambda *_: refusal).perform(A, WRITES[0])
    assert isinstance(outcome, Refused) and outcome.message.isprintable() and len(outcome.message) <= 300


def test_a_header_of_thousands_of_digits_does_not_end_the_lane() -> None:
    limiter = RateLimiter(RateLimits())
    limiter.correct(A, "orders", {"X-Bapi-Limit": "9" * 5000, "X-Bapi-Limit-Reset-Timestamp": "9" * 5000})
    limiter.acquire(A, "orders")


# --- an account of which one row cannot be read ---


def test_one_unreadable_row_of_an_account_is_named_and_the_rest_is_read() -> None:
    def handle(_method: str, path: str, params: Any, _account: Any) -> Any:
        if path == "/v5/order/realtime" and params["category"] == "linear":
            return envelope({"list": [order_row(orderId="good"), order_row(qty="-1"), order_row(symbol="ETHPERP")]})
        if path == "/v5/position/list":
            return envelope({"list": [position(), position(symbol="ETHUSDT", size="-5")]})
        if path == "/v5/account/wallet-balance":
            coins = [{"coin": "USDT", "walletBalance": "10"}, {"coin": "BTC", "walletBalance": "1E+300"}]
            return envelope({"list": [{"accountType": "UNIFIED", "coin": coins}]})
        return envelope({"list": []})

    snapshot = exchange(handle).perform(A, ReadAccount(executions_since_ms=T))
    assert isinstance(snapshot, AccountSnapshot)
    assert [report.venue_order_id for report in snapshot.open_orders] == ["good"]
    assert [report.symbol for report in snapshot.positions] == ["BTCUSDT"]
    assert snapshot.balances == {"USDT": Decimal(10)}
    told = [(one.kind, one.symbol, one.is_foreign) for one in snapshot.set_aside]
    assert told == [
        ("order", "BTCUSDT", False),
        ("order", "ETHPERP", True),
        ("position", "ETHUSDT", False),
        ("balance", "BTC", False),
    ]
