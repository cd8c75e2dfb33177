"""TR-5, TR-6: TREND's stops when the exchange refuses, loses or does not list them."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.messages.control import CycleDone, OperatorCommand
from statemachines.messages.orders import MoveStop, PositionUnprotected, Withdraw
from statemachines.values import ActorName
from tests.kit import builders
from tests.statemachines.trend.bars import BTC, FAST, FLAT, RISE, next_day, scene
from tests.statemachines.trend.test_orders import LATER, OPENED, UP, balances, in_position, intents
from tests.statemachines.trend.venue import Venue


def test_a_rejected_stop_is_placed_again_once_then_the_position_is_closed() -> None:
    """TR-5: a position is not kept without its stop; one repair, no loop (LESSONS)."""
    venue = scene(RISE, FLAT)
    venue.stop_answer = lambda intent_id: "rejected"
    in_position(venue)
    assert len(intents(venue, "stop")) == 2 and len(intents(venue, "exit")) == 1
    assert venue.positions == {} and venue.state("BTC") == "SCANNING"
    assert [alert.severity for alert in venue.alerts] == ["critical", "critical"]
    assert len(venue.bodies(CycleDone)) == 1
    (command,) = venue.bodies(OperatorCommand)
    assert (command.action, command.scope, command.who) == ("halt", "trend-1", "trend-1")


@pytest.mark.parametrize("restarts", [False, True])
def test_t6_a_stop_that_the_market_has_passed_before_it_rests_is_a_market_exit_and_no_fault(restarts: bool) -> None:
    """The price fell below the stop while it was lost, or between the fill and the request. The exchange refuses such a
    trigger (110093), as it would again: TREND took the second refusal for a stop that cannot be held and HALTED."""
    venue = scene(RISE, FLAT)
    venue.restarts = restarts
    venue.stop_answer = lambda intent_id: "crossed"
    in_position(venue)
    assert len(intents(venue, "stop")) == 1 and len(intents(venue, "exit")) == 1
    assert venue.positions == {} and not venue.alerts and not venue.bodies(OperatorCommand)
    assert venue.transitions("BTC")[-3:] == [
        ("IN_POSITION", "STOP_TRIGGERED"),
        ("STOP_TRIGGERED", "EXIT"),
        ("EXIT", "SCANNING"),
    ]


def test_t6_a_lost_stop_whose_replacement_is_crossed_is_a_market_exit() -> None:
    venue = in_position()
    stop, _, _ = venue.stops.pop(intents(venue, "stop")[0].intent_id)
    venue.stop_answer = lambda intent_id: "crossed"
    venue.end(stop, "CANCELLED", D(0), None, LATER)
    assert venue.positions == {} and venue.state("BTC") == "SCANNING" and not venue.bodies(OperatorCommand)
    assert {alert.condition for alert in venue.alerts} <= set(venue.ended), "no alert is left open"


@pytest.mark.parametrize("restarts", [False, True])
def test_t6_a_move_that_is_refused_while_the_entry_still_fills_closes_what_is_held(restarts: bool) -> None:
    """A judge: the second slice moved the stop's price and quantity, the exchange refused (110093), and the refusal was
    ignored since the entry was under way: half the position stood without a stop until the next daily close."""
    venue = scene(RISE, FLAT)
    venue.restarts, venue.hold = restarts, True
    next_day(venue, UP, 1000)
    (entry,) = intents(venue, "entry")
    half = venue.instruments[0].floor_qty(entry.quantity / 2)

    def fill(quantity: D, price: str, position: D, number: int) -> None:
        venue.positions[BTC] = (position, D(price))
        body = builders.fill(
            ActorName.TREND_1, BTC, entry.side, quantity, D(price), OPENED + number, execution_id=f"x{number}",
            intent_id=entry.intent_id, position_quantity=position, position_price=D(price), cash_usdt=venue.cash,
        )  # fmt: skip
        venue.tell(body, OPENED + number)

    fill(half, str(round(UP, 2)), half, 1)
    venue.stop_answer = lambda intent_id: "crossed"
    fill(entry.quantity - half, str(round(UP * 1.01, 2)), entry.quantity, 2)
    venue.held.clear()
    venue.hold = False
    venue.end(entry, "FILLED", entry.quantity, D(str(round(UP, 2))), OPENED + 3)
    venue.settle(OPENED + 4)
    assert len(intents(venue, "exit")) == 1 and venue.positions == {} and not venue.stops


def test_t6_a_move_to_a_stop_that_the_market_has_passed_is_a_market_exit_and_the_old_stop_goes_last() -> None:
    venue = in_position(scene(RISE, FLAT, parameters=FAST.model_copy(update={"trailing_stop_atr": D("1.5")})))
    venue.stop_answer = lambda intent_id: "crossed"
    next_day(venue, UP * 1.03, 1000)
    assert len(venue.bodies(MoveStop)) == 1 and len(intents(venue, "exit")) == 1
    assert venue.positions == {} and not venue.stops and not venue.bodies(OperatorCommand)
    assert ("IN_POSITION", "TRAILING_STOP") in venue.transitions("BTC")


def unprotected(venue: Venue, covered: str = "0") -> PositionUnprotected:
    return PositionUnprotected(
        engine=ActorName.TREND_1, symbol=BTC, held=venue.positions[BTC][0], covered=D(covered), reason="audited"
    )


@pytest.mark.parametrize("restarts", [False, True])
def test_tr5_a_stop_missing_at_the_exchange_is_replaced_once_then_the_position_is_closed_and_the_engine_halts(
    restarts: bool,
) -> None:
    """DESIGN 6, LESSONS: a stop counted as confirmed and the exchange listed none: the position stood naked. Elsewhere
    no stop was ever placed, and nothing compared the exchange's list with the position."""
    venue = in_position()
    venue.restarts = restarts
    (first,) = venue.stops
    venue.tell(unprotected(venue), LATER)
    (second,) = venue.stops
    assert second != first and [one.intent_id for one in venue.bodies(Withdraw)] == [first]
    assert venue.state("BTC") == "IN_POSITION" and len(venue.alerts) == 1 and not venue.bodies(OperatorCommand)
    venue.tell(unprotected(venue), LATER)
    assert venue.positions == {} and venue.state("BTC") == "SCANNING" and not venue.stops
    assert [one.action for one in venue.bodies(OperatorCommand)] == ["halt"]


def test_tr5_an_audit_changes_nothing_while_the_stop_is_on_its_way() -> None:
    venue = scene(RISE, FLAT)
    venue.stop_answer = lambda intent_id: "silence"
    in_position(venue)
    venue.tell(unprotected(venue), LATER)
    assert len(intents(venue, "stop")) == 1 and not venue.alerts, "its time limit decides"


def test_x1_a_rest_below_a_lot_needs_no_stop() -> None:
    venue = in_position()
    held = D(venue.trade("BTC")["held"])
    venue.tell(balances(venue, str(held - D("0.0005"))), LATER)
    venue.tell(unprotected(venue, covered=str(held - D("0.001"))), LATER)
    assert len(intents(venue, "stop")) == 1 and not venue.alerts


def test_a_denied_stop_counts_as_lost() -> None:
    venue = scene(RISE, FLAT)
    refusals = iter([("no",)])
    venue.deny = lambda intent: next(refusals, ()) if intent.purpose == "stop" else ()
    in_position(venue)
    assert venue.state("BTC") == "IN_POSITION" and len(venue.stops) == 1 and len(venue.alerts) == 1


def test_a_stop_without_confirmation_raises_an_alert_and_is_placed_again_once() -> None:
    """DESIGN 6, LESSONS freqtrade #9815: protection at the exchange is audited; a repair does not repeat for ever.
    Elsewhere a stop that was "not found" was placed every minute until the exchange banned the address."""
    venue = scene(RISE, FLAT)
    venue.stop_answer = lambda intent_id: "silence"
    in_position(venue)
    assert venue.logic.deadline() == OPENED + 120_000
    venue.settle(OPENED + 119_999)
    assert venue.alerts == []
    venue.stop_answer = lambda intent_id: "works"
    venue.settle(OPENED + 120_000)
    first, second = intents(venue, "stop")
    assert len(venue.alerts) == 1 and "not confirmed after 120 s" in venue.alerts[0].text
    assert [w.intent_id for w in venue.bodies(Withdraw)] == [first.intent_id]
    assert list(venue.stops) == [second.intent_id] and venue.logic.deadline() is None


@pytest.mark.parametrize(("told", "alerts"), [(None, 0), (D(1), 1)])
def test_a_confirmation_counts_for_the_price_that_it_names(told: D | None, alerts: int) -> None:
    """TR-5: a stop that rests at another price protects as little as none; a report without a price confirms ours."""
    venue = scene(RISE, FLAT)
    venue.told_trigger = lambda trigger: told
    in_position(venue)
    venue.settle(OPENED + 120_000)
    assert len(venue.alerts) == alerts


def test_a_stop_never_confirmed_at_all_closes_the_position() -> None:
    venue = scene(RISE, FLAT)
    venue.stop_answer = lambda intent_id: "silence"
    in_position(venue)
    venue.settle(OPENED + 120_000)
    venue.settle(OPENED + 240_000)
    assert len(intents(venue, "stop")) == 2 and venue.positions == {}
    venue.settle(OPENED + 900_000)
    assert len(venue.alerts) == 2


def test_a_moved_stop_without_confirmation_is_moved_again_once() -> None:
    """TR-6: the old stop still protects, so the position stays."""
    venue = in_position(scene(RISE, FLAT, parameters=FAST.model_copy(update={"trailing_stop_atr": D("1.5")})))
    venue.stop_answer = lambda intent_id: "silence"
    now = next_day(venue, UP * 1.03, 1000)
    assert len(venue.bodies(MoveStop)) == 1
    for step in range(1, 5):
        venue.settle(now + step * 120_000)
    assert len(venue.bodies(MoveStop)) == 2 and len(venue.alerts) == 2
    assert venue.state("BTC") == "IN_POSITION" and venue.logic.deadline() is None
    venue.stop_answer = lambda intent_id: "works"
    next_day(venue, UP * 1.02, 1000)
    (_, trigger, _) = next(iter(venue.stops.values()))
    assert trigger == D(venue.trade("BTC")["stop_price"]), "with the new day it is asked for once more"
    assert len(venue.alerts) == 2 and venue.logic.deadline() is None


def test_a_cancelled_stop_is_replaced() -> None:
    venue = in_position()
    stop, _, _ = venue.stops.pop(intents(venue, "stop")[0].intent_id)
    venue.end(stop, "CANCELLED", D(0), None, LATER)
    assert len(venue.stops) == 1 and len(venue.alerts) == 1 and venue.state("BTC") == "IN_POSITION"
