"""IF-2, EX-1: a batch of orders on the wire, and what its answer says about each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from pybit.exceptions import FailedRequestError

from actors.runtime.exchange_dispatcher import ExchangeDispatcher
from actors.runtime.ports import Fence
from infra.bybit.errors import Purpose
from infra.bybit.exchange import BybitExchange
from infra.bybit.limits import RateLimiter, RateLimits
from infra.bybit.orders.batches import leg_outcomes
from infra.bybit.orders.bodies import InvalidRequest, leg_of
from infra.bybit.parsing.fields import Row
from infra.bybit.session import DirectSessions
from statemachines.commands import ExchangeCall
from statemachines.execution.orders.request_queue import BatchKind
from statemachines.feeds.terms import FeedRead
from statemachines.requests import (
    Accepted,
    AmendOrder,
    CancelOrder,
    ExchangeResponse,
    OrderWrite,
    PlaceOrder,
    Refused,
    SetLeverage,
    Unknown,
)
from statemachines.values import Account, ActorName
from tests.infra.bybit.venue import NOW, A, adapter, order_of
from tests.kit.peers import StandingClock

Envelope = dict[str, Any]
PLACEMENTS = "/v5/order/create-batch"


def three() -> list[PlaceOrder]:
    return [order_of(client_order_id=link, style="post_only", price=Decimal(60_000)) for link in ("a", "b", "c")]


def accepted(legs: list[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Rows and codes of an answer in which all is well."""
    rows = [
        {"category": "linear", "symbol": leg["symbol"], "orderId": f"id-{number}", "orderLinkId": leg["orderLinkId"]}
        for number, leg in enumerate(legs)
    ]
    return rows, [{"code": 0, "msg": "OK"} for _ in legs]


def envelope(rows: Any, codes: Any) -> Envelope:
    return {"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "retExtInfo": {"list": codes}, "time": 1}


def answered(
    change: Callable[[list[Any], list[Any]], None] = lambda rows, codes: None,
    asked: list[Any] | None = None,
) -> list[str]:
    """The kinds of the outcomes of three orders whose answer was changed."""
    outcomes = outcomes_of(change, asked)
    return [outcome.kind for outcome in outcomes]


def outcomes_of(
    change: Callable[[list[Any], list[Any]], None], asked: list[Any] | None = None
) -> list[ExchangeResponse]:
    def handle(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Envelope:
        rows, codes = accepted(params["request"])
        change(rows, codes)
        return envelope(rows, codes)

    return list(adapter(handle).perform_batch(A, asked or three()))


def test_each_leg_has_the_fields_that_the_exchange_documents_for_legs() -> None:
    seen: list[tuple[str, Mapping[str, Any]]] = []

    def handle(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Envelope:
        seen.append((path, params))
        return envelope(*accepted(params["request"]))

    exchange = adapter(handle)
    changed = [
        AmendOrder(client_order_id=link, category="linear", symbol="BTCUSDT", price=Decimal(price))
        for link, price in (("a", 1), ("b", 2))
    ]
    gone = [CancelOrder(client_order_id=link, category="spot", symbol="BTCUSDT") for link in "ab"]
    assert [one.kind for one in exchange.perform_batch(A, three()[:2])] == ["accepted", "accepted"]
    exchange.perform_batch(A, changed)
    exchange.perform_batch(A, gone)
    leg = {"symbol": "BTCUSDT", "side": "Buy", "qty": "0.01", "positionIdx": 0, "reduceOnly": False}
    leg |= {"orderType": "Limit", "timeInForce": "PostOnly", "price": "60000"}
    change = {"symbol": "BTCUSDT"}
    assert seen == [
        (PLACEMENTS, {"category": "linear", "request": [{**leg, "orderLinkId": link} for link in "ab"]}),
        (
            "/v5/order/amend-batch",
            {
                "category": "linear",
                "request": [{**change, "orderLinkId": "a", "price": "1"}, {**change, "orderLinkId": "b", "price": "2"}],
            },
        ),
        ("/v5/order/cancel-batch", {"category": "spot", "request": [{**change, "orderLinkId": link} for link in "ab"]}),
    ]


@pytest.mark.parametrize("category", ["linear", "spot"])
def test_ex_3_a_slippage_limit_travels_as_the_price_that_it_came_to(category: str) -> None:
    """create-batch has no slippageTolerance: sent all the same it would be ignored, and the order filled at any price.
    An immediate-or-cancel limit keeps the same bound."""
    leg = leg_of(order_of(category=category, slippage_limit=Decimal("0.005"), worst_price=Decimal("60300.1")))
    assert (leg["orderType"], leg["timeInForce"], leg["price"]) == ("Limit", "IOC", "60300.1")
    assert not {"slippageTolerance", "slippageToleranceType", "marketUnit", "category"} & set(leg)


def test_what_cannot_be_a_leg_is_refused_here_and_the_others_are_sent() -> None:
    bad = order_of(client_order_id="bad", slippage_limit=Decimal("0.005"))
    with pytest.raises(InvalidRequest, match="worst_price"):
        leg_of(bad)
    with pytest.raises(InvalidRequest, match="conditional"):
        leg_of(CancelOrder(client_order_id="x", category="spot", symbol="BTCUSDT", is_conditional=True))
    assert answered(asked=[three()[0], bad, three()[1]]) == ["accepted", "refused", "accepted"]
    assert answered(asked=[bad]) == ["refused"]


def test_a_refused_leg_is_refused_as_a_single_order_would_be_and_its_neighbours_stand() -> None:
    """The call's own code is 0 though every leg may have failed (bybit-v5 4.2). Read by that code alone, a refused
    order passes for an accepted one."""

    def change(rows: list[Any], codes: list[Any]) -> None:
        rows[0]["orderId"] = rows[2]["orderId"] = ""
        codes[0] = {"code": 110007, "msg": "ab not enough for new order"}
        codes[2] = {"code": 10006, "msg": "Too many visits."}

    assert outcomes_of(change) == [
        Refused(code=110007, message="ab not enough for new order", fault="funds"),
        Accepted(venue_order_id="id-1"),
        Refused(code=10006, message="Too many visits.", fault="transient"),
    ]


@pytest.mark.parametrize(
    ("code", "kind"), [(110001, "accepted"), (170213, "accepted"), (10016, "unknown"), (110017, "refused")]
)
def test_a_cancel_of_what_is_gone_is_done_in_a_batch_too(code: int, kind: str) -> None:
    asked = [CancelOrder(client_order_id=link, category="linear", symbol="BTCUSDT") for link in "abc"]

    def change(rows: list[Any], codes: list[Any]) -> None:
        codes[1] = {"code": code, "msg": ""}

    assert answered(change, asked) == ["accepted", kind, "accepted"]


def test_an_amendment_to_what_the_order_is_already_is_done() -> None:
    asked = [
        AmendOrder(client_order_id=link, category="linear", symbol="BTCUSDT", price=Decimal(1)) for link in ("a", "b")
    ]

    def change(rows: list[Any], codes: list[Any]) -> None:
        codes[1] = {"code": 10001, "msg": "The order remains unchanged as the parameters entered match"}

    assert answered(change, asked) == ["accepted", "accepted"]


def _clear(rows: list[Any], codes: list[Any]) -> None:
    rows.clear()
    codes.clear()


ODD: dict[str, tuple[Callable[[list[Any], list[Any]], None], list[str]]] = {
    "a row is missing": (lambda r, c: r.pop(), ["unknown"] * 3),
    "a code is missing": (lambda r, c: c.pop(0), ["unknown"] * 3),
    "there is a row too many": (lambda r, c: r.append(dict(r[0])), ["unknown"] * 3),
    "there is a code too many": (lambda r, c: c.append({"code": 0, "msg": "OK"}), ["unknown"] * 3),
    "nothing is there": (_clear, ["unknown"] * 3),
    "two rows are exchanged": (lambda r, c: r.reverse(), ["unknown", "accepted", "unknown"]),
    "a row is there twice": (lambda r, c: r.__setitem__(1, r[0]), ["unknown", "unknown", "accepted"]),
    "two orders have one id": (lambda r, c: r[1].update(orderId="id-0"), ["unknown", "unknown", "accepted"]),
    "an accepted order has no id": (lambda r, c: r[0].update(orderId=""), ["unknown", "accepted", "accepted"]),
    "a refused order has an id": (lambda r, c: c[0].update(code=110007), ["unknown", "accepted", "accepted"]),
    "a row is no object": (lambda r, c: r.__setitem__(0, "a"), ["unknown", "accepted", "accepted"]),
    "a code is no object": (lambda r, c: c.__setitem__(2, 0), ["accepted", "accepted", "unknown"]),
    "a code is a text": (lambda r, c: c[0].update(code="0"), ["unknown", "accepted", "accepted"]),
    "a code is false": (lambda r, c: c[0].update(code=False), ["unknown", "accepted", "accepted"]),
    "a code is null": (lambda r, c: c[0].update(code=None), ["unknown", "accepted", "accepted"]),
    "a code is a fraction": (lambda r, c: c[0].update(code=0.0), ["unknown", "accepted", "accepted"]),
    "a code is not there": (lambda r, c: c[0].pop("code"), ["unknown", "accepted", "accepted"]),
    "a row is of another symbol": (lambda r, c: r[0].update(symbol="XRPUSDT"), ["unknown", "accepted", "accepted"]),
    "a row is of another category": (lambda r, c: r[0].update(category="spot"), ["unknown", "accepted", "accepted"]),
    "an id is a list": (lambda r, c: r[0].update(orderId=["x"]), ["unknown", "accepted", "accepted"]),
}


@pytest.mark.parametrize("name", ODD)
def test_an_answer_that_is_not_clear_about_an_order_leaves_it_unknown(name: str) -> None:
    """Never done, never refused: taken for refused, an order that works at the exchange would be placed once more."""
    change, kinds = ODD[name]
    assert answered(change) == kinds


def test_an_answer_without_the_list_of_codes_says_nothing() -> None:
    """`retExtInfo` is `{}` in every answer that is not of a batch."""
    extras: list[Any] = [{}, None, [], {"list": None}, {"list": {}}]
    for extra in extras:
        answer = envelope(*accepted([{"symbol": "BTCUSDT", "orderLinkId": one.client_order_id} for one in three()]))
        answer["retExtInfo"] = extra
        outcomes = leg_outcomes(Row(answer, "answer"), three(), Purpose.WRITE)
        assert all(isinstance(one, Unknown) for one in outcomes) and len(outcomes) == 3


def failing(error: Exception | tuple[int, str]) -> list[ExchangeResponse]:
    def handle(*_arguments: Any) -> Envelope:
        if isinstance(error, Exception):
            raise error
        return {"retCode": error[0], "retMsg": error[1], "result": {}, "retExtInfo": {}, "time": 1}

    return list(adapter(handle).perform_batch(A, three()))


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ReadTimeout(),
        requests.exceptions.ConnectionError("reset"),
        FailedRequestError("POST", "<html>502</html>", 502, "00:00:00", {}),
        FailedRequestError("POST", "no such path", 404, "00:00:00", {}),
        (10016, "Internal server error."),
        (10001, "params error: request"),
        (110007, "ab not enough"),
        (110072, "OrderLinkedID is duplicate"),
    ],
)
def test_a_call_that_failed_leaves_every_leg_unknown(error: Exception | tuple[int, str]) -> None:
    """Even a clear refusal of the whole is of some leg, nobody says which: each is looked up by its id."""
    assert [one.kind for one in failing(error)] == ["unknown"] * 3


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ((10006, "Too many visits!"), "transient"),
        (requests.exceptions.ConnectTimeout(), "transient"),
        ((10005, "Permission denied"), "halt"),
    ],
)
def test_a_call_that_the_exchange_did_not_let_in_was_not_sent(error: Any, fault: str) -> None:
    outcomes = failing(error)
    assert [getattr(one, "fault", "") for one in outcomes] == [fault] * 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
LEG_ROW = st.fixed_dictionaries(
    {},
    optional={
        "orderLinkId": st.sampled_from(["a", "b", "c", "", "z"]) | JSON,
        "orderId": st.sampled_from(["", "x", "y"]) | JSON,
        "symbol": st.sampled_from(["BTCUSDT", "ETHUSDT"]) | JSON,
        "category": st.sampled_from(["linear", "spot"]) | JSON,
    },
)
LEG_CODE = st.fixed_dictionaries({}, optional={"code": st.sampled_from([0, 10006, 110007]) | JSON, "msg": JSON})


@given(st.lists(LEG_ROW | JSON, max_size=5) | JSON, st.lists(LEG_CODE | JSON, max_size=5) | JSON)
def test_no_answer_breaks_the_gateway_and_none_but_a_clear_one_is_a_success(rows: Any, codes: Any) -> None:
    outcomes = leg_outcomes(Row(envelope(rows, codes), "answer"), three(), Purpose.WRITE)
    assert len(outcomes) == 3
    for number, (link, outcome) in enumerate(zip("abc", outcomes, strict=True)):
        if isinstance(outcome, Accepted):
            assert codes[number]["code"] == 0 and codes[number]["code"] is not False
            assert len(rows) == len(codes) == 3 and rows[number]["orderLinkId"] == link
            assert [row for row in rows if isinstance(row, dict) and row.get("orderLinkId") == link] == [rows[number]]
        elif isinstance(outcome, Refused):
            assert codes[number]["code"] and rows[number]["orderLinkId"] == link


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


def limited(time: Time, refused: int = 0) -> BybitExchange:
    def handle(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Envelope:
        rows, codes = accepted(params["request"])
        for number in range(len(rows) - refused, len(rows)):
            rows[number]["orderId"], codes[number] = "", {"code": 10006, "msg": "Too many visits."}
        return envelope(rows, codes)

    return BybitExchange(
        DirectSessions(handle),
        symbols=(),
        uids={},
        clock=StandingClock(NOW),
        read_feed=lambda _ms: FeedRead(reason="none"),
        limiter=RateLimiter(RateLimits(), clock=lambda: time.now, sleep=time.sleep),
    )


def test_ex_6_every_order_of_a_batch_counts_and_batches_have_a_limit_of_their_own() -> None:
    time = Time()
    exchange = limited(time)
    most = exchange.most_together(A, BatchKind("place_order", "linear"))
    assert most == 9, "nine tenths of the exchange's ten a second: a longer batch would be refused at its tail"
    orders: list[OrderWrite] = [
        order_of(client_order_id=f"o{n}", style="post_only", price=Decimal(1)) for n in range(most)
    ]
    exchange.perform_batch(A, orders)
    exchange.perform_batch(A, orders[:4])
    assert time.slept == [1.0], "the second batch waits until the first is out of the window"
    exchange.perform_batch(A, orders[:5])
    assert time.slept == [1.0], "together they fill it"
    exchange.perform_batch(A, orders[:1])
    assert time.slept == [1.0, 1.0]
    assert exchange.most_together(A, BatchKind("cancel_order", "spot")) == 18


def test_a_tail_that_was_refused_for_the_limit_closes_it_for_a_while() -> None:
    """The exchange has counted more than we did."""
    time = Time()
    exchange = limited(time, refused=1)
    orders = three()[:2]
    assert [one.kind for one in exchange.perform_batch(A, orders)] == ["accepted", "refused"]
    exchange.perform_batch(A, orders)
    assert time.slept == [1.0]


def test_without_limits_of_our_own_a_batch_is_as_long_as_the_exchange_takes_it() -> None:
    exchange = adapter(lambda *_: {})
    assert exchange.most_together(A, BatchKind("place_order", "linear")) == 20
    assert exchange.most_together(A, BatchKind("place_order", "spot")) == 10


def test_a_batch_of_two_kinds_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="one kind"):
        adapter(lambda *_: {}).perform_batch(
            A, [three()[0], CancelOrder(client_order_id="x", category="linear", symbol="BTCUSDT")]
        )


@pytest.mark.parametrize("size", [1, 4])
def test_nothing_waits_between_the_fence_and_the_write(size: int) -> None:
    """The rate limit was waited for after the epoch had been confirmed: for a second and more, in which another
    incarnation may have taken over and cancelled what was then still sent."""
    events: list[str] = []

    def handle(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Envelope:
        events.append("sent")
        if path != PLACEMENTS:
            return {**envelope([], []), "result": {"orderId": "id", "orderLinkId": params["orderLinkId"]}}
        return envelope(*accepted(params["request"]))

    exchange = BybitExchange(
        DirectSessions(handle),
        symbols=(),
        uids={},
        clock=StandingClock(NOW),
        read_feed=lambda _ms: FeedRead(reason="none"),
        limiter=RateLimiter(RateLimits(), clock=lambda: 0.0, sleep=lambda _seconds: events.append("waited")),
    )

    def fence(_gates: Collection[str]) -> Fence:
        events.append("confirmed")
        return Fence(is_held=True)

    lanes = ExchangeDispatcher(exchange, fence, lambda _call: True, lambda _key, _body: None, events.append)
    most = 9 // size
    for number in range(most + 1):
        links = [f"o{number}-{leg}" for leg in range(size)]
        orders = [order_of(client_order_id=link, style="post_only", price=Decimal(1)) for link in links]
        outcomes = lanes.perform([ExchangeCall(one.client_order_id, A, one, ActorName.TREND_1) for one in orders])
        assert [one.kind for one in outcomes] == ["accepted"] * size
    assert events == ["confirmed", "sent"] * most + ["waited", "confirmed", "sent"]


def test_a_wait_beyond_all_patience_is_a_refusal_before_the_fence() -> None:
    time = Time()
    limiter = RateLimiter(RateLimits(patience_s=0.5), clock=lambda: time.now, sleep=time.sleep)
    limiter.banned()
    exchange = BybitExchange(
        DirectSessions(lambda *_: {}),
        symbols=(),
        uids={},
        clock=StandingClock(NOW),
        read_feed=lambda _ms: FeedRead(reason="none"),
        limiter=limiter,
    )
    refusal = exchange.await_turn(A, three())
    assert isinstance(refusal, Refused) and refusal.fault == "transient"
    assert exchange.await_turn(A, [SetLeverage(symbol="BTCUSDT", leverage=Decimal(2))]) is None
