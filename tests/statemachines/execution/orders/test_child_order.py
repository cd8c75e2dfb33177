"""EX-1, EX-2, EX-5: the order object takes reports idempotently, in any order."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.execution.orders.child_order import ChildOrder, intent_of
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.execution.orders.order_ids import CODES, checked_installation, client_order_id, parse_client_order_id
from statemachines.requests import ExecutionReport, OrderReport, VenueOrderStatus
from statemachines.values import Account, ActorName, Side

D = Decimal
V = VenueOrderStatus


def order(**changes: Any) -> ChildOrder:
    fields: dict[str, Any] = {
        "client_order_id": "abc123t17-1", "intent_id": "trend-1-7", "child": 1, "engine": ActorName.TREND_1,
        "account": Account.TREND_1, "category": "linear", "symbol": "BTCUSDT", "side": Side.BUY, "style": "market",
        "quantity": D(1), "price": None, "trigger_price": None, "reduce_only": False, "slippage_limit": D("0.005"),
        "created_ms": 1, "trace": "bar:1",
    }  # fmt: skip
    state = changes.pop("state", OrderState.SENT)
    made = ChildOrder(**{**fields, **changes})
    return ChildOrder.from_data({**made.as_data(), "state": state.value})


def execution(name: str, quantity: str = "0.4") -> ExecutionReport:
    return ExecutionReport(
        account=Account.TREND_1,
        execution_id=name,
        client_order_id="abc123t17-1",
        venue_order_id="x1",
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=D(quantity),
        price=D(100),
        fee=D(0),
        fee_coin="USDT",
        fee_rate=D(0),
        is_maker=False,
        realized_pnl=D(0),
        execution_type="Trade",
        executed_ms=2,
    )


def report(status: VenueOrderStatus, executed: str = "0", updated_ms: int = 2, **changes: Any) -> OrderReport:
    fields: dict[str, Any] = {
        "account": Account.TREND_1, "client_order_id": "abc123t17-1", "venue_order_id": "x1", "category": "linear",
        "symbol": "BTCUSDT", "side": Side.BUY, "status": status, "quantity": D(1), "filled_quantity": D(executed),
        "average_price": None, "price": None, "trigger_price": None, "reduce_only": False,
        "reject_reason": "EC_NoError", "cancel_type": "UNKNOWN", "created_ms": 1, "updated_ms": updated_ms,
    }  # fmt: skip
    return OrderReport(**{**fields, **changes})


def test_ex5_client_id_is_deterministic_short_and_reversible() -> None:
    made = client_order_id("abc123", "trend-2-1z", 4)
    assert made == "abc123t21z-4"
    assert parse_client_order_id("abc123", made) == ("trend-2-1z", 4)
    assert parse_client_order_id("zzz999", made) is None
    assert parse_client_order_id("abc123", "someone-elses-order") is None


@given(st.sampled_from(sorted(CODES)), st.integers(0, 36**9), st.integers(1, 99_999))
def test_ex5_client_ids_fit_the_exchange_and_lead_back(issuer: ActorName, counter: int, child: int) -> None:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = "".join(digits[(counter // 36**power) % 36] for power in range(10))
    made = client_order_id("abc123", f"{issuer}-{text}", child)
    assert len(made) <= 36
    assert parse_client_order_id("abc123", made) == (f"{issuer}-{text}", child)


@pytest.mark.parametrize("intent_id", ["trend-9-1", "trend-1", "trend-1-A", "trend-1-" + "a" * 40])
def test_ex5_other_intent_ids_are_refused(intent_id: str) -> None:
    with pytest.raises(ValueError, match=r"client id|intent id"):
        client_order_id("abc123", intent_id, 1)


@pytest.mark.parametrize("installation", ["", "abc12", "abc1234", "ABC123", "abc-12"])
def test_ex5_installation_is_six_plain_characters(installation: str) -> None:
    with pytest.raises(ValueError, match="installation"):
        checked_installation(installation)


def test_ex2_an_execution_counts_once() -> None:
    made = order()
    assert made.take_execution(execution("e1"), 5) is not None
    assert made.take_execution(execution("e1"), 6) is None
    assert made.filled_quantity == D("0.4") and made.state is OrderState.PARTIALLY_FILLED


def test_ex2_status_never_counts_as_a_fill() -> None:
    made = order()
    made.take_report(report(V.FILLED, "1"), 5)
    assert made.state is OrderState.FILLED and made.filled_quantity == 0 and not made.is_settled
    made.take_execution(execution("e1", "0.4"), 6)
    assert not made.is_settled
    made.take_execution(execution("e2", "0.6"), 7)
    assert made.is_settled and made.average_price == D(100)


def test_ex2_every_order_of_the_same_events_ends_the_same() -> None:
    """Acknowledgement, New, two executions, PartiallyFilled, Filled: all 720 orders, each event doubled."""

    def play(step: str, made: ChildOrder) -> None:
        match step:
            case "ack":
                made.fire("acknowledge", "", 9)
            case "new":
                made.take_report(report(V.NEW), 9)
            case "part":
                made.take_report(report(V.PARTIALLY_FILLED, "0.4", 3), 9)
            case "filled":
                made.take_report(report(V.FILLED, "1", 4), 9)
            case _:
                made.take_execution(execution(step, "0.4" if step == "e1" else "0.6"), 9)

    for steps in itertools.permutations(["ack", "new", "part", "filled", "e1", "e2"]):
        made = order()
        for step in steps:
            play(step, made)
            play(step, made)
        assert (made.state, made.filled_quantity, made.is_settled) == (OrderState.FILLED, D(1), True), steps


def test_ex2_a_late_report_does_not_revive() -> None:
    made = order(style="post_only", price=D(99))
    made.take_report(report(V.CANCELLED, "0", 8, reject_reason="EC_PostOnlyWillTakeLiquidity"), 9)
    assert made.is_refused_for_price
    made.take_report(report(V.NEW, "0", 7), 9)
    assert made.state is OrderState.CANCELLED and made.status is V.CANCELLED


def test_spot_order_reported_partially_filled_canceled_though_complete_is_filled() -> None:
    """Elsewhere a complete order ended with this status and passed for an incomplete one. The executed quantity
    decides."""
    made = order(category="spot")
    made.take_report(report(V.PARTIALLY_FILLED_CANCELED, "1", category="spot"), 9)
    assert made.state is OrderState.FILLED


def test_a_rejected_order_keeps_its_executions() -> None:
    made = order()
    made.take_report(report(V.REJECTED, "0.4", reject_reason="EC_Others"), 9)
    assert made.state is OrderState.REJECTED and not made.is_settled
    made.take_execution(execution("e1"), 9)
    assert made.state is OrderState.REJECTED and made.is_settled and made.filled_quantity == D("0.4")


def test_ex2_an_illegal_transition_is_recorded_and_changes_nothing() -> None:
    made = order(state=OrderState.DENIED)
    note = made.fire("open", "reported open", 9)
    assert note is not None and "EX-2 refused" in note.reason
    assert made.state is OrderState.DENIED


def test_tr6_an_amendment_is_confirmed_by_the_report_that_shows_it() -> None:
    made = order(style="stop_market", trigger_price=D(90))
    made.take_report(report(V.UNTRIGGERED, trigger_price=D(90)), 3)
    made.amended = {"trigger_price": D(95)}
    made.fire("request_amend", "", 4)
    made.take_report(report(V.UNTRIGGERED, trigger_price=D(90), updated_ms=3), 5)
    assert made.amended
    made.take_report(report(V.UNTRIGGERED, trigger_price=D(95), updated_ms=4), 6)
    assert made.state == OrderState.OPEN and made.trigger_price == D(95) and not made.amended


def test_an_order_under_our_id_is_ours_only_if_its_terms_are() -> None:
    made = order(style="post_only", price=D(99))
    assert made.is_same_as(report(V.NEW, price=D(99)))
    others: list[dict[str, Any]] = [{"price": D(98)}, {"side": Side.SELL}, {"quantity": D(2)}, {"symbol": "ETHUSDT"}]
    for changes in others:
        other: dict[str, Any] = {"price": D(99), **changes}
        assert not made.is_same_as(report(V.NEW, **other))


def test_durable_form_leads_back() -> None:
    made = order(style="post_only", price=D("99.5"))
    made.take_execution(execution("e1"), 5)
    made.take_report(report(V.PARTIALLY_FILLED, "0.4", price=D("99.5")), 6)
    again = ChildOrder.from_data(json.loads(json.dumps(made.as_data())))
    assert again == made


def test_its_name_in_the_journal_names_its_intent() -> None:
    """The stream of events finds an order by what the journal says of it."""
    made = order(child=12)
    assert made.name != made.intent_id and intent_of(made.name) == made.intent_id
