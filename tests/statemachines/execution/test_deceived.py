"""One row that is not true must not end an order that lives, change its terms, or have a second one placed beside it
(P2).

Each row here ended the order for good or took over its terms, and the exchange's own list was not believed any more.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.execution.orders.request_keys import Topic, order_key
from statemachines.messages.accounts import Reconciled
from statemachines.messages.control import OperatorCommand
from statemachines.messages.orders import ExecutionFrame, Fill, IntentEnded, OrderFrame, ResponseReceived
from statemachines.requests import Accepted, CancelOrder, LookUpOrder, OrderFound, PlaceOrder, ReadAccount
from statemachines.requests import VenueOrderStatus as V
from tests.statemachines.execution.fake_exchange import FakeOrder
from tests.statemachines.execution.rig import START_MS, Rig, maker
from tests.statemachines.execution.test_suspect_reports import A, day, execution, quoting, wallets

D = Decimal
ROWS: dict[str, dict[str, Any]] = {
    "another exchange id, cancelled": {"venue_order_id": "another-777", "status": V.CANCELLED},
    "another exchange id, rejected": {"venue_order_id": "another-777", "status": V.REJECTED},
    "another exchange id, open": {"venue_order_id": "another-777"},
    "filled with nothing executed": {"status": V.FILLED},
    "filled with a part executed": {"status": V.FILLED, "filled_quantity": D("0.5")},
    "filled with 500 times the order": {"status": V.FILLED, "filled_quantity": D(500)},
    "open with all of it executed": {"filled_quantity": D(1)},
    "partially filled with nothing executed": {"status": V.PARTIALLY_FILLED},
    "50 times the quantity": {"quantity": D(50)},
    "50 times the quantity, cancelled": {"quantity": D(50), "status": V.CANCELLED},
    "another price": {"price": D(1)},
    "updated in eleven days": {"updated_ms": START_MS + 10**9},
    "updated a year before it was created": {"updated_ms": START_MS - 365 * 86_400_000},
}


def placed(rig: Rig) -> int:
    return sum(isinstance(ask.request, PlaceOrder) for ask in rig.asked)


def row(order: FakeOrder, changes: dict[str, Any]) -> OrderFrame:
    return OrderFrame(report=order.report().model_copy(update={"updated_ms": START_MS + 99} | changes))


@pytest.mark.parametrize("changes", ROWS.values(), ids=ROWS.keys())
def test_a_row_that_is_not_of_our_order_or_contradicts_itself_is_refused_and_the_order_looked_up(
    changes: dict[str, Any],
) -> None:
    rig, order = quoting()
    rig.tell(row(order, changes))
    ours = rig.order(order.request.client_order_id)
    assert (ours.state, ours.venue_order_id, ours.quantity) == ("OPEN", order.venue_order_id, D(1))
    assert [one for one in rig.alerts if "cannot be used" in one.title]
    assert [ask for ask in rig.calls.values() if isinstance(ask.request, LookUpOrder)]
    assert [ask for ask in rig.calls.values() if isinstance(ask.request, ReadAccount)]
    rig.advance(3_600_000)
    rig.settle()
    assert placed(rig) == 1, "no second order beside the one that lives"
    rig.exchange.fill(order.request.client_order_id, D(1), maker=True)
    rig.settle()
    assert [done.ended_as for done in rig.bodies(IntentEnded)] == ["FILLED"]
    assert not any(body.discrepancies for body in rig.bodies(Reconciled))


def test_an_execution_of_40_after_a_row_with_50_times_the_quantity_is_not_booked() -> None:
    rig, order = quoting()
    before = wallets(rig)
    rig.tell(row(order, {"quantity": D(50)}))
    rig.tell(ExecutionFrame(report=execution(order, quantity=D(40), fee=D("0.04"))))
    rig.settle()
    assert wallets(rig) == before and not rig.bodies(Fill)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("status", [V.CANCELLED, V.REJECTED, V.DEACTIVATED])
def test_an_order_that_the_list_shows_alive_after_its_end_is_cancelled_and_told(status: V, restarts: bool) -> None:
    """The row is sound in itself, so it is taken; the exchange's list says otherwise, twice."""
    rig, order = quoting()
    rig.tell(row(order, {"status": status}))
    assert [done.ended_as for done in rig.bodies(IntentEnded)]
    if restarts:
        rig.crash()
        rig.settle()
    else:
        day(rig)
    assert order.status is V.CANCELLED, "it was not needed any more, and it would fill unseen"
    assert [one for one in rig.alerts if "appeared after its end" in one.title]
    assert "own_order" in str(rig.bodies(Reconciled)[-1].details)
    day(rig)
    cancels = [ask for ask in rig.asked if isinstance(ask.request, CancelOrder)]
    assert len(cancels) == 1


def test_an_earlier_order_of_an_intent_that_the_list_shows_alive_is_cancelled_beside_the_present_one() -> None:
    rig, order = quoting()
    rig.tell(row(order, {"status": V.CANCELLED, "reject_reason": "EC_PostOnlyWillTakeLiquidity"}))
    rig.settle()
    rig.advance(60_000)
    assert len(rig.exchange.orders) == 2
    day(rig)
    assert order.status is V.CANCELLED
    (second,) = [one for one in rig.exchange.orders.values() if one is not order]
    assert second.status is V.NEW


def test_a_list_that_is_older_than_the_end_raises_no_alarm() -> None:
    """The reading was under way when the order ended: its second reading does not show the order any more."""
    rig, order = quoting()
    snapshot = rig.exchange.perform(A, ReadAccount(executions_since_ms=0))
    rig.exchange.end(order.request.client_order_id, cancel_type="CancelByUser")
    rig.settle()
    rig.answers[f"account:{A}"] = snapshot
    day(rig)
    assert not [one for one in rig.alerts if "appeared after its end" in one.title]
    assert not any(body.discrepancies for body in rig.bodies(Reconciled))


def test_an_id_that_was_told_wrong_before_the_acknowledgement_is_put_right_by_look_ups() -> None:
    rig = Rig().start()
    rig.price("100")
    rig.approve(**maker(quantity=D(1)))
    (key,) = rig.waiting(":place:")
    accepted = rig.exchange.perform(A, rig.calls[key].request)
    (order,) = rig.exchange.orders.values()
    rig.tell(row(order, {"venue_order_id": "wrong"}))
    assert rig.order(order.request.client_order_id).venue_order_id == "wrong"
    rig.answer(key, accepted)
    rig.settle()
    assert rig.order(order.request.client_order_id).venue_order_id == order.venue_order_id
    rig.exchange.fill(order.request.client_order_id, D(1), maker=True)
    rig.settle()
    assert [done.ended_as for done in rig.bodies(IntentEnded)] == ["FILLED"]


def test_an_acknowledgement_with_another_id_than_was_shown_is_looked_up() -> None:
    rig, order = quoting()
    rig.tell(row(order, {}))
    key = order_key(order.request.client_order_id, Topic.PLACE, 9)
    rig.tell(ResponseReceived(key=key, account=A, outcome=Accepted(venue_order_id="other")))
    assert rig.order(order.request.client_order_id).venue_order_id == order.venue_order_id
    assert [ask for ask in rig.calls.values() if isinstance(ask.request, LookUpOrder)]
    assert [ask for ask in rig.calls.values() if isinstance(ask.request, ReadAccount)]


def test_one_look_up_with_other_terms_is_asked_again_and_two_halt_the_engine() -> None:
    rig, order = quoting()
    odd = OrderFound(report=order.report().model_copy(update={"quantity": D(50)}), executions=())
    link = order.request.client_order_id
    rig.tell(row(order, {"price": D(1)}))
    (key,) = rig.waiting(f"{link}:look")
    rig.answer(key, odd)
    assert rig.order(link).quantity == 1
    assert not rig.bodies(OperatorCommand)
    (key,) = rig.waiting(f"{link}:look")
    rig.answer(key, odd)
    assert [body.action for body in rig.bodies(OperatorCommand)] == ["halt"]
    assert rig.order(link).quantity == 50, "the exchange insists: this is what rests there"


def test_a_report_from_before_an_amendment_is_still_ours() -> None:
    rig, order = quoting()
    old = order.report()
    rig.advance(60_000)
    rig.price("101")
    rig.tick()
    rig.settle()
    assert order.price == D("100.9")
    rig.tell(OrderFrame(report=old))
    assert not [one for one in rig.alerts if "cannot be used" in one.title]


def test_executions_at_an_earlier_price_of_an_amended_order_are_booked() -> None:
    rig, order = quoting()
    rig.advance(60_000)
    rig.price("101")
    rig.tick()
    rig.settle()
    rig.tell(ExecutionFrame(report=execution(order, price=D("99.9"))))
    rig.tell(ExecutionFrame(report=execution(order, name="e2", price=D("100.9"))))
    assert len(rig.bodies(Fill)) == 2


def test_a_doubted_execution_of_years_ago_does_not_ask_for_years() -> None:
    rig, order = quoting()
    rig.tell(ExecutionFrame(report=execution(order, executed_ms=1_262_304_000_000)))
    since = {ask.request.executions_since_ms for ask in rig.calls.values() if isinstance(ask.request, ReadAccount)}
    assert min(since) > START_MS - 2 * 3_600_000
