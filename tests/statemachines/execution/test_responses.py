"""EX-4, EX-5: refusals, lost outcomes, absences, duplicates; delays are wall time, asked for with the request."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.execution.context import EXTERNAL
from statemachines.execution.orders.request_keys import parse_key
from statemachines.facts import OrderFact
from statemachines.messages.control import OperatorCommand
from statemachines.messages.orders import Fill, IntentEnded, OrderFrame, StreamRestored, Withdraw
from statemachines.requests import (
    Accepted,
    LookUpOrder,
    OrderAbsent,
    PlaceOrder,
    Refused,
    Unknown,
    VenueOrderStatus,
)
from statemachines.values import Account, ActorName, Side
from tests.statemachines.execution.rig import Rig, maker, stop

D = Decimal
LINK = "abc123t11-1"
BUSY = Refused(code=10006, message="too many visits", fault="transient")


def sent(rig: Rig) -> list[tuple[str, str, float]]:
    """Every order request so far: what, under which id, after which delay."""
    return [
        (ask.request.kind, ask.request.client_order_id, ask.delay_s)
        for ask in rig.asked
        if isinstance(ask.request, PlaceOrder | LookUpOrder)
    ]


def done(rig: Rig) -> IntentEnded:
    (body,) = rig.bodies(IntentEnded)
    return body


def test_ex4_three_retries_after_1_5_and_15_s_under_the_same_id() -> None:
    """Elsewhere each retry had a new id, so that the exchange could not see that it was the same order."""
    rig = Rig().start()
    rig.approve()
    for _ in range(4):
        rig.answer(rig.waiting(":place:")[0], BUSY)
    assert sent(rig) == [("place_order", LINK, delay) for delay in (0.0, 1.0, 5.0, 15.0)]
    assert done(rig).ended_as == "REJECTED" and "10006" in done(rig).why
    assert [ask.key for ask in rig.asked if ":place:" in ask.key] == [f"{LINK}:place:{n}" for n in (1, 2, 3, 4)]


def test_ex4_a_retry_that_succeeds_goes_on_as_if_nothing_had_been() -> None:
    rig = Rig().start()
    rig.answers[f"{LINK}:place:1"] = BUSY
    rig.approve()
    rig.settle()
    assert done(rig).ended_as == "FILLED" and len(rig.exchange.orders) == 1


@pytest.mark.parametrize("fault", ["funds", "permanent", "halt"])
def test_ex4_no_retry_for_funds_and_permanent_errors(fault: str) -> None:
    rig = Rig().start()
    rig.approve()
    rig.answer(rig.waiting(":place:")[0], Refused(code=110007, message="ab not enough", fault=fault))  # type: ignore[arg-type]
    assert done(rig).ended_as == "REJECTED" and not rig.calls
    if fault == "funds":
        assert "insufficient funds on TREND-1" in rig.titles()
    if fault == "halt":
        assert rig.bodies(OperatorCommand)[0].action == "halt"


def looked_up(rig: Rig) -> LookUpOrder:
    """The look-up that is awaited."""
    request = rig.calls[rig.waiting(":look:")[0]].request
    assert isinstance(request, LookUpOrder)
    return request


def test_ex4_a_lost_outcome_is_looked_up_and_never_sent_again_blindly() -> None:
    """Elsewhere a call that raised was taken for an order that had failed: it was sent again under a new id, the first
    one had filled, and the exposure was double."""
    rig = Rig().start()
    rig.approve()
    key = rig.waiting(":place:")[0]
    rig.exchange.perform(rig.calls[key].account, rig.calls[key].request)  # type: ignore[arg-type]
    rig.exchange.frames.clear()
    rig.answer(key, Unknown(why="time-out after 10 s"))
    assert sent(rig) == [("place_order", LINK, 0.0), ("look_up_order", LINK, 0.0)]
    assert looked_up(rig).side is Side.BUY, "an answer about a sale is none"
    rig.settle()
    assert done(rig).ended_as == "FILLED" and len(rig.bodies(Fill)) == 1
    assert len([ask for ask in sent(rig) if ask[0] == "place_order"]) == 1


def test_ex4_an_order_that_never_arrived_is_sent_again_after_the_look_up() -> None:
    rig = Rig().start()
    rig.answers[f"{LINK}:place:1"] = Unknown(why="time-out")
    rig.approve()
    rig.settle()
    assert [kind for kind, _link, _delay in sent(rig)] == ["place_order", "look_up_order", "place_order"]
    assert {link for _kind, link, _delay in sent(rig)} == {LINK}
    assert done(rig).ended_as == "FILLED"


def lost_four_times(**changes: object) -> Rig:
    """An intent whose four placements were answered "unknown" and looked up as absent: it has ended here."""
    rig = Rig().start()
    link = "abc123t11-1"
    for number in (1, 2, 3, 4):
        rig.answers[f"{link}:place:{number}"] = Unknown(why="time-out")
    rig.approve(**changes)  # type: ignore[arg-type]
    return rig.settle()


def land(rig: Rig) -> None:
    """The last placement reaches the exchange after all."""
    ask = [ask for ask in rig.asked if ask.key.startswith(f"{LINK}:place:")][-1]
    rig.exchange.perform(Account(ask.account), ask.request)


def test_ex4_lost_again_and_again_ends_after_three_retries() -> None:
    """The exchange has said nothing: that is no rejection (EX-1)."""
    rig = lost_four_times()
    assert len([ask for ask in sent(rig) if ask[0] == "place_order"]) == 4
    assert done(rig).ended_as == "CANCELLED" and not rig.exchange.orders
    assert done(rig).refusal_cause is None and "never reached the exchange" in done(rig).why


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("is_told", [True, False])
def test_an_order_that_lands_after_its_end_is_cancelled(restarts: bool, is_told: bool) -> None:
    """A stop whose four placements were lost landed at last, stayed live at the exchange for ever, and was an "unknown
    order" after a restart. Our own id is ours for ever: told by the stream or found by a reading, it is cancelled."""
    rig = lost_four_times(**stop())
    land(rig)
    if not is_told:
        rig.exchange.frames.clear()
    if restarts:
        rig.crash()
    rig.settle()
    if not is_told:
        rig.tell(StreamRestored(stream="private"))
        rig.settle()
    assert rig.exchange.orders["abc123t11-1"].status is VenueOrderStatus.CANCELLED
    assert rig.titles().count("order of TREND-1 appeared after its end") == 1
    assert "unknown order on TREND-1" not in rig.titles()
    assert EXTERNAL not in {fact.engine for fact in rig.recorded(OrderFact)}, "adopted as somebody else's"


def test_an_order_of_an_intent_that_left_memory_is_still_ours() -> None:
    rig = lost_four_times(**stop())
    rig.parameters = rig.parameters.model_copy(update={"recent_orders": 1})
    rig.crash()
    for number in (2, 3, 4):
        rig.approve(number)
        rig.settle()
    assert "trend-1-1" not in rig.intents_in_memory()
    land(rig)
    rig.settle()
    assert rig.exchange.orders["abc123t11-1"].status is VenueOrderStatus.CANCELLED


def test_the_cancellation_of_a_late_order_is_tried_until_it_succeeds_with_growing_pauses() -> None:
    rig = lost_four_times(**stop())
    busy = iter([BUSY] * 8)
    rig.exchange.cancel_answer = lambda _request: next(busy, None)
    land(rig)
    rig.settle()
    assert rig.exchange.orders["abc123t11-1"].status is VenueOrderStatus.CANCELLED
    delays = [ask.delay_s for ask in rig.asked if ask.key.startswith("resurrected:")]
    assert delays == [0, 1, 5, 15, 30, 60, 60, 60, 60]


def test_a_late_fill_of_an_order_that_ended_is_booked_and_told() -> None:
    rig = lost_four_times()
    land(rig)
    rig.settle()
    (fill,) = rig.bodies(Fill)
    assert fill.intent_id == "trend-1-1" and rig.exchange.orders["abc123t11-1"].status is VenueOrderStatus.FILLED
    ended = [condition for condition in rig.ended if not condition.startswith("leverage:")]
    assert not rig.waiting("resurrected:") and ended == [f"after-end:{LINK}"]


def test_a_stale_market_entry_is_not_sent_again_but_a_reduction_is() -> None:
    """Elsewhere a request that took 10 s in a storm was sent again as it was, on a price that was gone. Here a stale
    entry ends and its engine decides anew."""
    rig = Rig().start()
    rig.approve(1)
    rig.approve(2, side=Side.SELL, reduce_only=True)
    for key in rig.waiting(":place:"):
        rig.answer(key, Unknown(why="time-out"))
    rig.exchange.now_ms += 61_000
    rig.settle()
    by_id = {body.intent_id: body for body in rig.bodies(IntentEnded)}
    assert by_id["trend-1-1"].ended_as == "EXPIRED" and "61 s old" in by_id["trend-1-1"].why
    assert by_id["trend-1-2"].ended_as == "FILLED"


@pytest.mark.parametrize("frame", ["order", "execution"])
def test_ex4_any_event_of_the_order_cancels_the_retry(frame: str) -> None:
    """nautilus_trader #4215: a retry fired after the stream had accepted the order."""
    rig = Rig().start()
    rig.approve()
    key = rig.waiting(":place:")[0]
    rig.exchange.market_fill = D("0.2")
    rig.exchange.perform(rig.calls[key].account, rig.calls[key].request)  # type: ignore[arg-type]
    rig.answer(key, BUSY)
    (retry,) = rig.waiting(":place:")
    assert rig.logic.still_needed(rig.calls[retry])
    rig.tell(next(f for f in rig.exchange.frames if f"{frame}_frame" == f.KIND))
    assert not rig.logic.still_needed(rig.calls[retry])
    rig.settle()
    assert len(rig.exchange.orders) == 1 and done(rig).filled_quantity == D("0.2")


def test_ex4_a_withdrawal_cancels_the_retry() -> None:
    rig = Rig().start()
    intent_id = rig.approve()
    rig.answer(rig.waiting(":place:")[0], BUSY)
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="r"))
    assert done(rig).ended_as == "CANCELLED"
    assert not rig.logic.still_needed(rig.calls[rig.waiting(":place:")[0]])


def test_an_order_that_arrives_after_its_end_is_cancelled() -> None:
    """The retry had left the process when it was withdrawn: what appears alive at the exchange must not stay."""
    rig = Rig().start()
    intent_id = rig.approve(**stop())
    rig.answer(rig.waiting(":place:")[0], BUSY)
    retry = rig.waiting(":place:")[0]
    outcome = rig.exchange.perform(rig.calls[retry].account, rig.calls[retry].request)  # type: ignore[arg-type]
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="r"))
    assert done(rig).ended_as == "CANCELLED"
    rig.answer(retry, outcome)
    rig.settle()
    assert rig.exchange.orders[LINK].status is VenueOrderStatus.CANCELLED
    assert "order of TREND-1 appeared after its end" in rig.titles() and len(rig.bodies(IntentEnded)) == 1


def test_duplicate_id_means_it_landed_when_the_order_is_ours() -> None:
    """Elsewhere "duplicate id" was read as a rejection although the order was at work at the exchange."""
    rig = Rig().start()
    rig.approve()
    key = rig.waiting(":place:")[0]
    rig.exchange.perform(rig.calls[key].account, rig.calls[key].request)  # type: ignore[arg-type]
    rig.exchange.frames.clear()
    rig.perform(key)
    assert looked_up(rig).side is None, "whose order it is is the question"
    rig.settle()
    assert done(rig).ended_as == "FILLED" and not rig.bodies(OperatorCommand)


def test_duplicate_id_of_another_order_is_rejected_and_halts() -> None:
    rig = Rig().start()
    rig.approve(**maker())
    key = rig.waiting(":place:")[0]
    request = rig.calls[key].request
    assert isinstance(request, PlaceOrder)
    rig.exchange.perform(rig.calls[key].account, request.model_copy(update={"quantity": D(7)}))  # type: ignore[arg-type]
    rig.exchange.frames.clear()
    rig.settle()
    (command,) = rig.bodies(OperatorCommand)
    assert (command.action, command.scope, command.who) == ("halt", "core-hodl", "order-manager")
    assert done(rig).ended_as == "REJECTED" and "belongs to another order" in done(rig).why
    assert not rig.bodies(Fill)


def test_look_ups_go_on_until_the_exchange_answers_with_one_alarm() -> None:
    """Elsewhere a time-out was guessed to be the end of the order, which then filled: a position without an owner. An
    order ends on the exchange's evidence alone."""
    rig = Rig().start()
    rig.approve()
    rig.answer(rig.waiting(":place:")[0], Unknown(why="down"))
    for _ in range(8):
        rig.answer(rig.waiting(":look:")[0], Unknown(why="down"))
    delays = [delay for kind, _link, delay in sent(rig) if kind == "look_up_order"]
    assert delays == [0.0, 1.0, 5.0, 15.0, 30.0, 60.0, 60.0, 60.0, 60.0]
    assert rig.titles().count("order of TREND-1 cannot be looked up") == 1 and not rig.bodies(IntentEnded)
    rig.settle()
    assert done(rig).ended_as == "FILLED"


def test_an_order_once_seen_counts_as_gone_only_after_three_look_ups() -> None:
    rig = Rig().start()
    rig.approve(**stop())
    rig.settle()
    order = rig.exchange.orders.pop(LINK)
    rig.crash()
    rig.settle()
    looks = [ask for ask in sent(rig) if ask[0] == "look_up_order"]
    assert len(looks) == 3 and done(rig).ended_as == "CANCELLED"
    assert "order of TREND-1 has vanished" in rig.titles()
    rig.exchange.orders[LINK] = order
    order.updated_ms += 10
    rig.tell(OrderFrame(report=order.report()))
    rig.settle()
    assert order.status is VenueOrderStatus.CANCELLED


def test_a_lost_cancel_is_looked_up_and_repeated() -> None:
    rig = Rig().start()
    intent_id = rig.approve(**stop())
    rig.settle()
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="r"))
    rig.answer(rig.waiting(":cancel:")[0], Unknown(why="time-out"))
    fact = next(fact for fact in rig.recorded(OrderFact) if fact.client_order_id == LINK)
    assert fact.state == "UNKNOWN"
    rig.settle()
    assert done(rig).ended_as == "CANCELLED"
    assert rig.exchange.orders[LINK].status is VenueOrderStatus.CANCELLED


def test_a_cancel_of_an_order_already_gone_is_looked_up() -> None:
    rig = Rig().start()
    intent_id = rig.approve(**stop())
    rig.settle()
    rig.exchange.fill(LINK, D(1), D(90))
    rig.exchange.frames.clear()
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="r"))
    rig.settle()
    assert done(rig).ended_as == "FILLED" and len(rig.bodies(Fill)) == 1


def test_a_busy_exchange_gets_the_cancel_again() -> None:
    rig = Rig().start()
    intent_id = rig.approve(**stop())
    rig.settle()
    rig.answers[f"{LINK}:cancel:1"] = BUSY
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="r"))
    rig.settle()
    assert done(rig).ended_as == "CANCELLED"


def test_an_answer_nobody_awaits_changes_nothing() -> None:
    rig = Rig().start()
    rig.approve()
    key = rig.waiting(":place:")[0]
    ask = rig.calls[key]
    rig.settle()
    before = len(rig.sent)
    rig.calls[key] = ask
    rig.answer(key, Accepted(venue_order_id="x1"))
    rig.calls["zzz999t11-1:look:1"] = ask
    rig.answer("zzz999t11-1:look:1", OrderAbsent())
    assert len(rig.sent) == before and not rig.calls


def test_a_request_key_of_an_earlier_version_is_still_read() -> None:
    """The cancellation of a resurrected order may have been unanswered when the version was changed."""
    assert parse_key("revenant:abc123t11-1:4") == parse_key("resurrected:abc123t11-1:1")
