"""EX-7: which requests of an account leave next, and which together."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.commands import ExchangeCall
from statemachines.execution.orders.request_queue import (
    LOOK_UPS_TOGETHER,
    MAX_BATCH,
    BatchKind,
    RequestQueue,
    batch_kind,
    precedence,
)
from statemachines.requests import (
    Accepted,
    AmendOrder,
    CancelOrder,
    ExchangeRequest,
    LookUpOrder,
    OrderWrite,
    PlaceOrder,
    ReadAccount,
    SetLeverage,
    Unknown,
)
from statemachines.values import ActorName, Category, Side

LEVERAGE = SetLeverage(symbol="BTCUSDT", leverage=Decimal(2))


def entry(link: str, category: Category = "linear", **changes: Any) -> ExchangeCall:
    request = PlaceOrder(
        client_order_id=link,
        category=category,
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(1),
        style="market",
        slippage_limit=Decimal("0.005"),
        worst_price=Decimal(60_300),
    )
    return ExchangeCall(link, "TREND-1", request.model_copy(update=changes), gate=ActorName.TREND_1)


def ungated(key: str, request: ExchangeRequest, delay_s: float = 0.0) -> ExchangeCall:
    return ExchangeCall(key, "TREND-1", request, None, delay_s)


def stop(link: str) -> ExchangeCall:
    request = entry(link, style="stop_market", trigger_price=Decimal(1), slippage_limit=None, reduce_only=True).request
    return ungated(link, request)


def exit_of(link: str) -> ExchangeCall:
    return ungated(link, entry(link, reduce_only=True).request)


def cancel(link: str, category: Category = "linear", *, is_conditional: bool = False) -> ExchangeCall:
    return ungated(
        link,
        CancelOrder(client_order_id=link, category=category, symbol="BTCUSDT", is_conditional=is_conditional),
    )


def amend(link: str) -> ExchangeCall:
    return ungated(
        link, AmendOrder(client_order_id=link, category="linear", symbol="BTCUSDT", trigger_price=Decimal(2))
    )


def groups(*calls: ExchangeCall, most: int = 100) -> list[str]:
    """How the queue hands these out: the keys of each group."""
    queue = RequestQueue(lambda _kind: most)
    for call in calls:
        queue.put(call)
    found = []
    while group := queue.take():
        found.append(" ".join(call.key for call in group))
    assert not len(queue)
    return found


def test_cancels_leave_first_then_what_reduces_risk_then_new_risk() -> None:
    """A burst of entries must not stand before the exit from them."""
    assert groups(entry("e1"), stop("s1"), cancel("c1"), entry("e2"), stop("s2"), cancel("c2")) == [
        "c1 c2",
        "s1 s2",
        "e1 e2",
    ]


def test_a_batch_holds_one_kind_and_one_category() -> None:
    assert groups(entry("l1"), entry("s1", "spot"), entry("l2"), entry("s2", "spot")) == ["l1 l2", "s1 s2"]
    assert groups(amend("a1"), stop("s1"), amend("a2")) == ["a1 a2", "s1"]


@pytest.mark.parametrize(("category", "size"), [("linear", 20), ("spot", 10)])
def test_a_batch_is_as_long_as_the_exchange_takes_it_and_the_rate_limit_allows(category: Category, size: int) -> None:
    calls = [entry(f"e{number}", category) for number in range(25)]
    assert next(len(one.split()) for one in groups(*calls)) == size == MAX_BATCH[category]
    assert [len(one.split()) for one in groups(*calls, most=9)] == [9, 9, 7]


def test_an_order_does_not_overtake_a_request_it_may_depend_on() -> None:
    """The leverage is set before the first order of a contract; the order behind it waits for it."""
    assert groups(entry("e1"), ungated("leverage", LEVERAGE), entry("e2"), entry("e3")) == ["e1", "leverage", "e2 e3"]


def look_up(link: str, category: Category = "linear", delay_s: float = 0.0) -> ExchangeCall:
    return ungated(link, LookUpOrder(client_order_id=link, category=category, symbol="BTCUSDT"), delay_s)


def test_look_ups_that_follow_each_other_are_made_together_and_overtake_nothing() -> None:
    """They answer whether an order stands; one before its order was sent would say that it does not."""
    found = groups(look_up("l1"), look_up("l2"), entry("e1"), look_up("l3"), look_up("l4", "spot"), look_up("l5"))
    assert found == ["l1 l2", "e1", "l3", "l4", "l5"]
    assert groups(look_up("l1"), look_up("again", delay_s=1.0), look_up("l2")) == ["l1", "again", "l2"]


def test_a_cancel_waits_for_a_limited_number_of_look_ups() -> None:
    queue = RequestQueue()
    for number in range(50):
        queue.put(look_up(f"l{number}"))
    assert not queue.may_grow, "look-ups wait for no others"
    assert len(queue.take()) == LOOK_UPS_TOGETHER
    queue.put(cancel("c1"))
    assert [call.key for call in queue.take()] == ["c1"]


def test_in_lockstep_look_ups_are_made_one_by_one() -> None:
    queue = RequestQueue(is_lockstep=True)
    for link in ("l1", "l2"):
        queue.put(look_up(link))
    assert [[call.key for call in queue.take()] for _ in range(2)] == [["l1"], ["l2"]]


def test_what_the_legs_of_a_batch_cannot_say_goes_alone() -> None:
    """bybit-v5 4.2: create-batch has no slippageTolerance and cancel-batch no orderFilter. Sent all the same, the one
    would be ignored and the order filled at any price, the other would leave a spot stop standing."""
    unbounded = entry("e1", worst_price=None)
    assert batch_kind(unbounded) is None and batch_kind(entry("e2")) == BatchKind("place_order", "linear")
    assert groups(unbounded, entry("e2"), entry("e3")) == ["e1", "e2 e3"]
    assert groups(exit_of("x1"), exit_of("x2")) == ["x1", "x2"]
    assert batch_kind(cancel("c", "spot", is_conditional=True)) is None
    assert batch_kind(cancel("c", "linear", is_conditional=True)) is not None


def test_a_repetition_goes_alone() -> None:
    """An order for which the exchange refuses a whole batch must not take the same neighbours along again."""
    again = ExchangeCall("again", "TREND-1", entry("again").request, ActorName.TREND_1, delay_s=1.0)
    assert groups(again, entry("e1"), entry("e2")) == ["again", "e1 e2"]


def test_no_id_occurs_twice_in_a_batch() -> None:
    """Outcomes are told apart by it."""
    assert groups(cancel("c1"), ungated("second", cancel("c1").request), cancel("c2")) == ["c1 c2", "second"]


def test_after_a_batch_of_which_nothing_is_known_requests_go_alone_until_one_is_accepted() -> None:
    queue = RequestQueue()
    for number in range(30):
        queue.put(entry(f"e{number}"))
    sizes = []
    for outcome in (Unknown(why="timeout"), Unknown(why="timeout"), Accepted(), Accepted()):
        group = queue.take()
        sizes.append(len(group))
        queue.ended([outcome] * len(group))
    assert sizes == [20, 1, 1, 8]


def test_one_lost_request_alone_does_not_make_the_queue_careful() -> None:
    queue = RequestQueue()
    queue.put(entry("e0"))
    queue.take()
    queue.ended([Unknown(why="timeout")])
    queue.put(entry("e1"))
    queue.put(entry("e2"))
    assert len(queue.take()) == 2


def test_in_lockstep_every_request_leaves_alone_in_the_order_of_its_decision() -> None:
    """Under Ray the legs of three pairs were filled in another order than in the backtest: the decisions that followed
    were the same, but not line by line."""
    queue = RequestQueue(is_lockstep=True)
    for call in (entry("e1"), entry("s1", "spot"), stop("x1"), entry("e2"), cancel("c1")):
        queue.put(call)
        assert not queue.may_grow
    assert [[call.key for call in queue.take()] for _ in range(5)] == [["c1"], ["e1"], ["s1"], ["x1"], ["e2"]]


def test_only_new_risk_in_a_batch_with_room_waits_for_company() -> None:
    queue = RequestQueue(lambda _kind: 2)
    assert not queue.may_grow
    queue.put(entry("e1"))
    assert queue.may_grow
    queue.put(entry("e2"))
    assert not queue.may_grow, "the batch is full"
    for first in (cancel("c"), stop("s"), ungated("read", ReadAccount(executions_since_ms=0))):
        queue = RequestQueue()
        queue.put(first)
        assert not queue.may_grow


ANY_CALL = st.one_of(
    st.builds(entry, st.integers(0, 30).map("e{}".format), st.sampled_from(["linear", "spot"])),
    st.integers(0, 30).map("x{}".format).map(exit_of),
    st.integers(0, 30).map("s{}".format).map(stop),
    st.integers(0, 30).map("a{}".format).map(amend),
    st.builds(cancel, st.integers(0, 30).map("c{}".format), is_conditional=st.booleans()),
    st.just(ungated("leverage", LEVERAGE)),
)


@given(st.lists(ANY_CALL, max_size=60), st.integers(1, 25))
def test_whatever_waits_leaves_exactly_once_in_batches_the_exchange_can_take(
    calls: list[ExchangeCall], most: int
) -> None:
    queue = RequestQueue(lambda _kind: most)
    for call in calls:
        queue.put(call)
    left: list[ExchangeCall] = []
    while group := queue.take():
        requests = [call.request for call in group if isinstance(call.request, OrderWrite)]
        if len(group) > 1:
            assert len({(one.kind, one.category) for one in requests}) == 1
            assert (
                len({one.client_order_id for one in requests})
                == len(group)
                <= min(most, MAX_BATCH[requests[0].category])
            )
        left += group
    assert Counter(map(id, left)) == Counter(map(id, calls))
    assert [precedence(one) for one in left] == sorted(precedence(one) for one in calls)
    of_one_id = [one.key for one in left if one.key == "e1"]
    assert of_one_id == [one.key for one in calls if one.key == "e1"]
