"""TR-5, TR-6, TR-13: stops held at the exchange, confirmed, ratcheted, triggered."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.messages.orders import Fill, IntentEnded, IntentWorking, MoveRefused, MoveStop
from statemachines.refusals import RefusalCause
from statemachines.requests import Accepted, PlaceOrder, Refused, Unknown, VenueOrderStatus
from statemachines.values import ActorName, Side
from tests.statemachines.execution.rig import Rig, stop

D = Decimal
LINK, INTENT = "abc123t11-1", "trend-1-1"
BUSY = Refused(code=10006, message="too many visits", fault="transient")


def protected() -> Rig:
    rig = Rig().start()
    rig.approve(**stop())
    return rig.settle()


def move(rig: Rig, trigger: str | None = None, quantity: str | None = None) -> None:
    rig.tell(
        MoveStop(
            intent_id="trend-1-1", engine=ActorName.TREND_1, reason="ratchet",
            trigger_price=None if trigger is None else D(trigger), quantity=None if quantity is None else D(quantity),
        )
    )  # fmt: skip


def test_tr5_the_stop_is_a_reduce_only_conditional_order_without_a_gate() -> None:
    rig = protected()
    request = next(write for write in rig.exchange.writes if isinstance(write, PlaceOrder))
    assert (request.style, request.trigger_price, request.reduce_only) == ("stop_market", D(90), True)
    (working,) = rig.bodies(IntentWorking)
    assert (working.trigger_price, working.quantity) == (D(90), D("0.5"))


def test_tr6_moving_amends_the_order_and_tells_when_the_exchange_shows_it() -> None:
    rig = protected()
    move(rig, "95")
    rig.perform(rig.waiting(":amend:")[0])
    assert len(rig.bodies(IntentWorking)) == 1  # accepted is not shown
    rig.settle()
    assert rig.bodies(IntentWorking)[-1].trigger_price == D(95)
    assert rig.exchange.orders[LINK].trigger_price == D(95) and len(rig.exchange.orders) == 1


def test_tr13_a_cut_changes_the_quantity() -> None:
    rig = protected()
    move(rig, quantity="0.25")
    rig.settle()
    assert rig.exchange.orders[LINK].quantity == D("0.25")
    rig.exchange.fill(LINK, D(1), D(90))
    rig.settle()
    (done,) = rig.bodies(IntentEnded)
    assert (done.ended_as, done.filled_quantity) == ("FILLED", D("0.25"))


def test_a_move_before_the_stop_rests_is_carried_out_afterwards() -> None:
    rig = Rig().start()
    rig.approve(**stop())
    move(rig, "93")
    assert not rig.waiting(":amend:")
    rig.settle()
    assert rig.exchange.orders[LINK].trigger_price == D(93)


def test_two_moves_at_once_end_at_the_newer_one() -> None:
    rig = protected()
    move(rig, "92")
    move(rig, "94")
    rig.settle()
    assert rig.exchange.orders[LINK].trigger_price == D(94)


def test_the_trigger_is_rounded_to_the_tick_on_the_tighter_side() -> None:
    rig = protected()
    move(rig, "95.01")
    rig.settle()
    assert rig.exchange.orders[LINK].trigger_price == D("95.1")


def test_a_busy_exchange_gets_the_move_again() -> None:
    rig = protected()
    rig.answers[f"{LINK}:amend:1"] = BUSY
    move(rig, "95")
    rig.settle()
    assert rig.exchange.orders[LINK].trigger_price == D(95)


def test_a_lost_move_is_looked_up_and_repeated() -> None:
    rig = protected()
    rig.answers[f"{LINK}:amend:1"] = Unknown(why="time-out")
    move(rig, "95")
    rig.settle()
    assert rig.exchange.orders[LINK].trigger_price == D(95)
    assert rig.bodies(IntentWorking)[-1].trigger_price == D(95)


def test_moves_without_an_answer_are_repeated_with_growing_pauses_until_one_succeeds() -> None:
    """Five lost answers, which a hiccup of a second produces, and the stop was left at its old trigger for good."""
    rig = protected()
    lost = Unknown(why="time-out")
    for number in range(1, 9):
        rig.answers[f"{LINK}:amend:{number}"] = lost
    move(rig, "95")
    rig.settle()
    delays = [ask.delay_s for ask in rig.asked if ":amend:" in ask.key]
    assert delays == [0, 1, 5, 15, 30, 60, 60, 60, 60]
    assert rig.exchange.orders[LINK].trigger_price == D(95)
    assert "stop of TREND-1 BTCUSDT is not moved yet" in rig.titles() and f"stop-move:{INTENT}" in rig.ended


def test_moves_accepted_and_never_carried_out_are_given_up_with_an_alert_that_ends_with_the_stop() -> None:
    rig = protected()
    for number in range(1, 9):
        rig.answers[f"{LINK}:amend:{number}"] = Accepted()
    move(rig, "95")
    rig.settle()
    rig.advance(120_000)
    assert len([ask for ask in rig.asked if ":amend:" in ask.key]) == rig.parameters.loop_limit
    assert "stop of TREND-1 BTCUSDT could not be moved" in rig.titles() and f"stop-move:{INTENT}" not in rig.ended
    rig.exchange.fill(LINK, D("0.5"), D("89.5"))
    rig.settle()
    assert f"stop-move:{INTENT}" in rig.ended


def test_a_refused_move_leaves_the_stop_where_it_is_and_says_so() -> None:
    rig = protected()
    rig.answers[f"{LINK}:amend:1"] = Refused(code=110074, message="not live", fault="permanent")
    move(rig, "105")
    rig.settle()
    assert rig.exchange.orders[LINK].trigger_price == D(90)
    assert "stop of TREND-1 BTCUSDT could not be moved" in rig.titles()
    assert rig.bodies(IntentWorking)[-1].trigger_price == D(90) and not rig.bodies(IntentEnded)


def test_t6_a_move_to_a_trigger_that_the_market_has_passed_is_reported_to_the_engine_which_closes() -> None:
    rig = protected()
    rig.answers[f"{LINK}:amend:1"] = Refused(code=110093, message="wrong side", fault="permanent")
    move(rig, "105")
    rig.settle()
    (refused,) = rig.bodies(MoveRefused)
    assert (refused.trigger_price, refused.refusal) == (D(105), RefusalCause.CROSSED)
    assert rig.bodies(IntentWorking)[-1].trigger_price == D(90)
    assert not rig.titles() and rig.exchange.orders[LINK].trigger_price == D(90)


@pytest.mark.parametrize("code", [110092, 110093])
def test_t6_a_stop_that_the_market_has_passed_ends_with_that_cause_and_without_an_alert(code: int) -> None:
    rig = Rig().start()
    rig.answers[f"{LINK}:place:1"] = Refused(code=code, message="wrong side", fault="permanent")
    rig.approve(**stop())
    rig.settle()
    (done,) = rig.bodies(IntentEnded)
    assert (done.ended_as, done.refusal_cause) == ("REJECTED", RefusalCause.CROSSED) and not rig.titles()


def test_a_triggered_stop_fills_and_ends() -> None:
    rig = protected()
    rig.exchange.fill(LINK, D("0.5"), D("89.5"))
    rig.settle()
    (fill,) = rig.bodies(Fill)
    (done,) = rig.bodies(IntentEnded)
    assert (fill.side, fill.price, done.ended_as) == (Side.SELL, D("89.5"), "FILLED")
    move(rig, "95")
    rig.settle()
    assert len(rig.bodies(IntentEnded)) == 1 and not rig.calls


def test_a_stop_that_is_gone_alarms_and_tells_its_engine() -> None:
    rig = protected()
    rig.exchange.end(LINK, cancel_type="CancelByAdmin")
    rig.settle()
    (done,) = rig.bodies(IntentEnded)
    assert done.ended_as == "CANCELLED" and "stop of TREND-1 BTCUSDT is gone" in rig.titles()


def test_a_refused_stop_alarms_and_tells_its_engine() -> None:
    rig = Rig().start()
    rig.answers[f"{LINK}:place:1"] = Refused(code=110094, message="too small", fault="permanent")
    rig.approve(**stop())
    rig.settle()
    (done,) = rig.bodies(IntentEnded)
    assert done.ended_as == "REJECTED" and "stop of TREND-1 BTCUSDT is gone" in rig.titles()


def test_a_triggered_stop_whose_fill_stays_silent_is_looked_up() -> None:
    rig = protected()
    order = rig.exchange.orders[LINK]
    order.status = VenueOrderStatus.NEW
    rig.exchange.show(order)
    rig.settle()
    rig.exchange.fill(LINK, D(1), D(90))
    rig.exchange.frames.clear()
    rig.advance(3_000)
    assert rig.bodies(IntentEnded)[0].ended_as == "FILLED"
