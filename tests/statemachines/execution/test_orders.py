"""EX-1, EX-2, EX-3, EX-5, RM-2: an approved intent from its order to its one end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.commands import ExchangeCall, Record, Send
from statemachines.execution.context import ExecutionContext
from statemachines.execution.logic import take_approved
from statemachines.execution.orders.request_queue import batch_kind
from statemachines.execution.parameters import OrderParameters
from statemachines.facts import ExecutionFact, OrderFact, PositionFact, PostingFact
from statemachines.messages.control import OperatorCommand
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import QuotesSeen
from statemachines.messages.orders import Fill, IntentEnded, IntentWorking, Withdraw
from statemachines.requests import Accepted, Blocked, CancelOrder, PlaceOrder, Refused, Unknown, VenueOrderStatus
from statemachines.values import ActorName, Side
from tests.statemachines.execution.rig import START_MS, Rig, approved, maker, stop

D = Decimal


def order_fact(rig: Rig, link: str = "abc123t11-1") -> OrderFact:
    return next(fact for fact in rig.recorded(OrderFact) if fact.client_order_id == link)


def done(rig: Rig) -> IntentEnded:
    (body,) = rig.bodies(IntentEnded)
    return body


def test_ex5_the_order_is_recorded_in_the_step_that_asks_for_it() -> None:
    rig = Rig().start()
    step = rig.logic.handle(Envelope("m:1", "risk-manager", START_MS, "", "bar:1", approved()))
    rows = {row.key: row.state for row in rig.logic.dirty()}
    fact = next(command.fact for command in step if isinstance(command, Record))
    ask = next(command for command in step if isinstance(command, ExchangeCall))
    assert isinstance(fact, OrderFact) and isinstance(ask.request, PlaceOrder)
    assert fact.client_order_id == ask.request.client_order_id == "abc123t11-1"
    assert fact.state == "SENT" and fact.trace == "bar:1"
    assert ask.key == "abc123t11-1:place:1"
    assert rows["parent:0"] == "WORKING"


def test_ex3_an_urgent_order_is_a_market_order_with_half_a_percent_of_slippage() -> None:
    rig = Rig().start()
    rig.approve(slippage_limit=D("0.02"))
    request = rig.asked[-1].request
    assert isinstance(request, PlaceOrder)
    assert (request.style, request.slippage_limit, request.price) == ("market", D("0.005"), None)


@pytest.mark.parametrize(("side", "limit", "slippage"), [(Side.BUY, "100.3", "0.0019"), (Side.SELL, "99.6", "0.003")])
def test_ex3_the_slippage_is_narrowed_to_the_approved_price_limit(side: Side, limit: str, slippage: str) -> None:
    rig = Rig().start()
    rig.approve(side=side, price_limit=D(limit))
    request = rig.asked[-1].request
    assert isinstance(request, PlaceOrder) and request.slippage_limit == D(slippage)


@pytest.mark.parametrize(("side", "worst"), [(Side.BUY, "100.6"), (Side.SELL, "99.5")])
def test_ex3_the_slippage_limit_is_given_as_a_price_too_never_beyond_it(side: Side, worst: str) -> None:
    """What a leg of a batch can say: from the touch of 99.9 and 100.1, rounded inward to the tick of 0.1."""
    rig = Rig().start()
    rig.approve(side=side)
    request = rig.asked[-1].request
    assert isinstance(request, PlaceOrder) and request.worst_price == D(worst)
    assert request.slippage_limit is not None and request.price is None


def test_ex3_without_a_quote_there_is_no_price_and_the_order_travels_alone() -> None:
    rig = Rig().start()
    rig.tell(QuotesSeen(quotes=(), withdrawn=(("spot", "BTCUSDT"), ("linear", "BTCUSDT"))))
    rig.approve()
    request = rig.asked[-1].request
    assert isinstance(request, PlaceOrder) and request.worst_price is None
    assert batch_kind(rig.asked[-1]) is None


def test_ex3_a_market_beyond_the_price_limit_is_denied_but_never_a_reducing_order() -> None:
    rig = Rig().start()
    rig.approve(1, price_limit=D("100"))
    assert done(rig).ended_as == "DENIED" and "price limit" in done(rig).why
    rig.approve(2, price_limit=D("101"), side=Side.SELL, reduce_only=True)
    assert rig.waiting(":place:")


def test_a_filled_order_books_execution_position_posting_and_message_together() -> None:
    rig = Rig().start()
    rig.approve()
    rig.settle()
    (fill,) = rig.bodies(Fill)
    (execution,) = rig.recorded(ExecutionFact)
    (position,) = rig.recorded(PositionFact)
    posting = next(fact for fact in rig.recorded(PostingFact) if fact.kind == "fill")
    assert fill.execution_id == execution.execution_id == "e1" and posting.posting_id == "fill:TREND-1:e1"
    assert (position.quantity, position.average_price) == (fill.position_quantity, fill.position_price)
    assert fill.cash_usdt == D("9999.9725")
    assert (done(rig).ended_as, done(rig).filled_quantity, done(rig).average_price) == ("FILLED", D("0.5"), D(100))
    assert order_fact(rig).state == "FILLED" and order_fact(rig).filled_quantity == D("0.5")


def test_ex2_frames_before_the_answer_and_every_frame_twice() -> None:
    rig = Rig().start()
    rig.approve()
    key = rig.waiting(":place:")[0]
    outcome = rig.exchange.perform(rig.calls[key].account, rig.calls[key].request)  # type: ignore[arg-type]
    for frame in list(rig.exchange.frames):
        rig.tell(frame)
        rig.tell(frame)
    rig.exchange.frames.clear()
    rig.answer(key, outcome)
    assert len(rig.bodies(Fill)) == 1 and done(rig).ended_as == "FILLED" and not rig.repeated


def test_spot_fill_reports_the_coins_wallet_after_its_fee() -> None:
    rig = Rig().start()
    rig.approve(category="spot", engine=ActorName.FUNDING)
    rig.settle()
    (fill,) = rig.bodies(Fill)
    assert (fill.fee_coin, fill.position_quantity, fill.position_price) == ("BTC", D("5.4995"), D(0))


def test_ioc_remainder_ends_as_cancelled_with_what_was_filled() -> None:
    rig = Rig().start()
    rig.exchange.market_fill = D("0.2")
    rig.approve(category="spot", engine=ActorName.FUNDING)
    rig.settle()
    assert (done(rig).ended_as, done(rig).filled_quantity) == ("CANCELLED", D("0.2"))
    assert done(rig).why == "EC_CancelForNoFullFill"


def test_an_end_waits_for_every_execution_the_exchange_counts() -> None:
    rig = Rig().start()
    rig.exchange.market_fill = D("0.2")
    rig.approve()
    rig.perform(rig.waiting(":place:")[0])
    frames = list(rig.exchange.frames)
    rig.exchange.frames.clear()
    late = [frame for frame in frames if frame.KIND == "execution_frame"]
    for frame in frames:
        if frame not in late:
            rig.tell(frame)
    assert order_fact(rig).state == "CANCELLED" and not rig.bodies(IntentEnded)
    rig.tell(late[0])
    assert done(rig).filled_quantity == D("0.2")


def test_executions_that_do_not_come_are_looked_up() -> None:
    rig = Rig().start()
    rig.approve()
    rig.perform(rig.waiting(":place:")[0])
    for frame in rig.exchange.frames:
        if frame.KIND == "order_frame":
            rig.tell(frame)
    rig.exchange.frames.clear()
    assert not rig.bodies(IntentEnded)
    rig.advance(2_000)
    assert done(rig).ended_as == "FILLED" and len(rig.bodies(Fill)) == 1


def test_executions_that_never_come_halt_the_engine_and_the_next_pass_tries_again() -> None:
    rig = Rig().start()
    rig.approve()
    rig.perform(rig.waiting(":place:")[0])
    hidden, rig.exchange.executions = rig.exchange.executions, []
    order = rig.exchange.orders["abc123t11-1"]
    rig.tell(type(rig.exchange.frames[0])(report=order.report()))  # type: ignore[call-arg]
    rig.exchange.frames.clear()
    rig.advance(10_000)
    (command,) = rig.bodies(OperatorCommand)
    assert (command.action, command.scope) == ("halt", "trend-1")
    assert [one for one in rig.log if isinstance(one, Send)][-1].to == (ActorName.RISK_MANAGER,)
    assert not rig.calls and not rig.bodies(IntentEnded)
    rig.exchange.executions = hidden
    rig.crash()
    rig.settle()
    assert done(rig).ended_as == "FILLED"


def test_a_silent_stream_after_the_acknowledgement_leads_to_a_look_up() -> None:
    rig = Rig().start()
    rig.approve(**stop())
    rig.perform(rig.waiting(":place:")[0])
    rig.exchange.frames.clear()
    assert order_fact(rig).state == "ACKNOWLEDGED" and not rig.bodies(IntentWorking)
    rig.advance(2_000)
    assert order_fact(rig).state == "OPEN"
    (working,) = rig.bodies(IntentWorking)
    assert working.trigger_price == D(90)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"quantity": D("0.5001")}, "lot step"),
        ({"quantity": D("0.001")}, "below the minimum"),
        ({"quantity": D("200")}, "above the maximum"),
        ({"symbol": "DOGEUSDT"}, "not an instrument"),
        ({"intent_id": "nobody"}, "intent id"),
        ({"style": "stop", "reduce_only": True}, "trigger price"),
        ({"style": "stop", "reduce_only": True, "trigger_price": D("90.05")}, "tick"),
        ({"category": "spot", "reduce_only": True}, "reduce-only"),
    ],
)
def test_ex1_a_violated_filter_is_denied_before_anything_is_sent(changes: dict[str, Any], part: str) -> None:
    rig = Rig().start()
    rig.approve(**changes)
    assert done(rig).ended_as == "DENIED" and part in done(rig).why
    assert not rig.calls and not rig.exchange.orders


def test_a_small_reduce_only_order_passes_the_minimum_value() -> None:
    rig = Rig().start()
    rig.approve(quantity=D("0.001"), reduce_only=True, side=Side.SELL)
    assert rig.waiting(":place:")


def test_never_above_the_approved_quantity() -> None:
    rig = Rig().start()
    rig.approve(max_quantity=D("0.3"))
    rig.settle()
    assert done(rig).filled_quantity == D("0.3")


def test_a_repeated_approval_is_not_worked_twice() -> None:
    rig = Rig().start()
    rig.approve()
    rig.settle()
    rig.approve()
    rig.settle()
    assert len(rig.exchange.orders) == 1 and len(rig.bodies(IntentEnded)) == 1


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({}, ActorName.TREND_1),
        ({"side": Side.SELL}, ActorName.TREND_1),
        ({"side": Side.SELL, "reduce_only": True}, None),
        (stop(), None),
        ({"category": "spot", "engine": ActorName.FUNDING}, ActorName.FUNDING),
        ({"category": "spot", "engine": ActorName.FUNDING, "side": Side.SELL}, None),
        (maker(side=Side.SELL), ActorName.CORE_HODL),
    ],
)
def test_rm2_entries_are_gated_and_reductions_never(changes: dict[str, Any], gate: ActorName | None) -> None:
    rig = Rig().start()
    rig.approve(**changes)
    (key,) = rig.waiting(":place:")
    assert rig.calls[key].gate == gate


def test_rm2_a_blocked_order_ends_as_denied() -> None:
    rig = Rig().start()
    rig.approve()
    rig.answer(rig.waiting(":place:")[0], Blocked(why="GLOBAL is HALTED"))
    assert (done(rig).ended_as, done(rig).why) == ("DENIED", "order_checks: GLOBAL is HALTED")
    assert order_fact(rig).state == "DENIED"


def test_withdrawing_a_resting_order_cancels_it_and_waits_for_the_evidence() -> None:
    rig = Rig().start()
    intent_id = rig.approve(**stop())
    rig.settle()
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="position closed"))
    (key,) = rig.waiting(":cancel:")
    request = rig.calls[key].request
    assert isinstance(request, CancelOrder) and request.is_conditional and rig.calls[key].gate is None
    assert order_fact(rig).state == "PENDING_CANCEL" and not rig.bodies(IntentEnded)
    rig.settle()
    assert done(rig).ended_as == "CANCELLED" and done(rig).why == "withdrawn: position closed"
    assert order_fact(rig).reason == "withdrawn: position closed"  # not the exchange's CancelByUser
    assert not rig.titles()


def test_a_withdrawal_before_the_answer_waits_until_the_order_is_known() -> None:
    """Cancels overtake in the lane: a cancel sent now could arrive before the order it is for."""
    rig = Rig().start()
    intent_id = rig.approve(**stop())
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="r"))
    assert not rig.waiting(":cancel:")
    rig.settle()
    assert done(rig).ended_as == "CANCELLED"


def test_a_fill_that_wins_against_the_cancel_ends_as_filled() -> None:
    rig = Rig().start()
    intent_id = rig.approve(**maker())
    rig.settle()
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.CORE_HODL, reason="r"))
    rig.exchange.fill("abc123ch1-1", D(1))
    rig.settle()
    assert done(rig).ended_as == "FILLED" and not rig.titles()


def test_a_fill_after_cancelled_is_booked_and_does_not_end_the_intent_twice() -> None:
    rig = Rig().start()
    rig.exchange.market_fill = D(0)
    rig.approve()
    rig.settle()
    assert done(rig).ended_as == "CANCELLED"
    order = rig.exchange.orders["abc123t11-1"]
    rig.exchange.trade(
        order.account, "linear", "BTCUSDT", Side.BUY, D("0.1"), D(100), "abc123t11-1", order.venue_order_id
    )
    rig.settle()
    (fill,) = rig.bodies(Fill)
    assert fill.intent_id == "trend-1-1" and len(rig.bodies(IntentEnded)) == 1
    assert order_fact(rig).filled_quantity == D("0.1") and order_fact(rig).state == "CANCELLED"


def test_a_report_with_the_exchanges_id_only_finds_its_order() -> None:
    rig = Rig().start()
    rig.approve(**maker())
    rig.settle()
    rig.exchange.fill("abc123ch1-1", D(1))
    for frame in rig.exchange.frames:
        rig.tell(frame.model_copy(update={"report": frame.report.model_copy(update={"client_order_id": ""})}))  # type: ignore[attr-defined]
    assert done(rig).ended_as == "FILLED" and not rig.titles()


def test_a_cancel_that_is_never_carried_out_halts_the_engine() -> None:
    rig = Rig().start()
    intent_id = rig.approve(**stop())
    rig.settle()
    rig.exchange.cancel_answer = lambda _request: Accepted()
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="r"))
    rig.settle()
    rig.advance(60_000)
    (command,) = rig.bodies(OperatorCommand)
    assert command.action == "halt" and "cannot be cancelled" in command.reason
    assert rig.exchange.orders["abc123t11-1"].status is VenueOrderStatus.UNTRIGGERED


@pytest.mark.parametrize("failure", [Unknown(why="time-out"), Refused(code=10016, message="busy", fault="transient")])
def test_cancels_without_an_answer_halt_nobody(failure: Unknown | Refused) -> None:
    """Four errors of the exchange within a second and one death of our process: five cancels, and the engine was
    HALTED, which only the operator can end. Nothing was contradicted; the exchange had only not answered."""
    rig = Rig().start()
    intent_id = rig.approve(**stop())
    rig.settle()
    failures = iter([failure] * 8)
    rig.exchange.cancel_answer = lambda _request: next(failures, None)
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="r"))
    rig.settle()
    rig.advance(60_000)
    assert rig.exchange.orders["abc123t11-1"].status is VenueOrderStatus.CANCELLED
    assert not rig.bodies(OperatorCommand) and done(rig).ended_as == "CANCELLED"
    delays = [ask.delay_s for ask in rig.asked if ":cancel:" in ask.key]
    assert delays == [0, 1, 5, 15, 30, 60, 60, 60, 60]
    assert "order of TREND-1 cannot be cancelled yet" in rig.titles() and "cancel:abc123t11-1" in rig.ended


def test_each_halt_is_a_command_of_its_own() -> None:
    """The second halt for the same order, after the operator had lifted the first, was dropped as a repeat."""
    context = ExecutionContext("abc123", OrderParameters())
    take_approved(context, approved(**stop()))
    (parent,) = context.parents.live()
    for _ in range(2):
        context.now_ms += 60_000
        context.request_halt(parent, "abc123t11-1", "a contradiction")
    first, second = (c.body for c in context.out if isinstance(c, Send) and isinstance(c.body, OperatorCommand))
    assert isinstance(first, OperatorCommand) and isinstance(second, OperatorCommand)
    assert first.command_id != second.command_id


def test_approved_expiry_ends_what_was_not_sent() -> None:
    rig = Rig().begun()
    rig.tell(approved(1, approval_expires_ms=START_MS + 5_000))
    rig.exchange.now_ms = START_MS + 5_000
    assert rig.logic.deadline() == START_MS + 5_000
    rig.tick()
    assert done(rig).ended_as == "EXPIRED"
    rig.settle()
    assert not rig.exchange.orders


def test_x1_a_rest_below_a_lot_is_sent_as_the_close_of_the_position() -> None:
    """Our own filters denied each exit of 0.0004 with a lot of 0.001; the exchange closes it as quantity 0."""
    rig = Rig().start()
    changes: dict[str, Any] = {
        "side": Side.SELL,
        "quantity": D("0.0004"),
        "reduce_only": True,
        "purpose": "exit",
        "closes_rest": True,
    }
    rig.approve(**changes)
    request = rig.calls[rig.waiting(":place:")[0]].request
    assert isinstance(request, PlaceOrder)
    assert (request.closes_position, request.reduce_only, request.quantity) == (True, True, D("0.0004"))
    assert request.slippage_limit is None
    refused = Rig().start()
    refused.approve(**{**changes, "reduce_only": False})
    assert done(refused).ended_as == "DENIED"
