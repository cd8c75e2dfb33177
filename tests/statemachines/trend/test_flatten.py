"""RM-5, R3: TREND closes all it holds at the operator's command, whatever its machine is doing."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.messages.control import FlattenOrdered
from statemachines.messages.orders import Withdraw
from statemachines.refusals import RefusalCause
from statemachines.values import ActorName
from tests.statemachines.trend.bars import BTC, FLAT, RISE, scene
from tests.statemachines.trend.test_orders import LATER, in_position, intents
from tests.statemachines.trend.venue import Venue


def flatten(venue: Venue, now_ms: int = LATER, engine: ActorName = ActorName.TREND_1) -> None:
    venue.tell(FlattenOrdered(engine=engine, command_id="c", reason="RM-5: flatten: K: test"), now_ms)


@pytest.mark.parametrize("restarts", [False, True])
def test_r3_a_position_is_closed_reduce_only_at_market_and_its_stop_goes_last(restarts: bool) -> None:
    venue = in_position()
    venue.restarts = restarts
    (stop,) = venue.stops
    flatten(venue)
    (closing,) = intents(venue, "exit")
    assert closing.reduce_only and closing.style == "market" and closing.reason.startswith("RM-5")
    assert venue.positions == {} and not venue.stops and venue.state("BTC") == "SCANNING"
    assert [one.intent_id for one in venue.bodies(Withdraw)] == [stop]
    assert venue.bodies(Withdraw)[0].reason == "flat after RM-5"


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("filled", ["0", "0.002"])
def test_r3_an_entry_that_is_still_working_is_withdrawn_and_what_it_bought_is_closed(
    restarts: bool, filled: str
) -> None:
    venue = scene(RISE, FLAT)
    venue.hold = True
    in_position(venue)
    (entry,) = venue.held
    assert venue.state("BTC") == "ENTRY"
    venue.restarts = restarts
    flatten(venue)
    assert [one.intent_id for one in venue.bodies(Withdraw)] == [entry.intent_id] and not intents(venue, "exit")
    venue.hold, venue.held = False, []
    if D(filled):
        venue._execute(entry, D(filled), venue.prices[BTC], LATER)  # noqa: SLF001 - a fill in the last instant
    venue.end(entry, "CANCELLED", D(filled), venue.prices[BTC] if D(filled) else None, LATER)
    venue.settle(LATER)
    assert venue.positions == {} and venue.state("BTC") == "SCANNING" and not venue.stops
    assert len(intents(venue, "exit")) == (1 if D(filled) else 0)


def test_r3_an_exit_that_pauses_between_two_attempts_is_tried_at_once() -> None:
    venue = in_position()
    venue.refuse = lambda intent: RefusalCause.CLOSED if intent.purpose == "exit" else None
    flatten(venue)
    tries = len(intents(venue, "exit"))
    assert venue.state("BTC") == "EXIT" and venue.logic.deadline() is not None and tries
    venue.refuse = lambda intent: None
    flatten(venue, LATER + 1)
    assert len(intents(venue, "exit")) == tries + 1 and venue.positions == {}


def test_a_repeat_and_another_engines_command_change_nothing() -> None:
    venue = in_position()
    flatten(venue, engine=ActorName.TREND_2)
    assert not intents(venue, "exit") and venue.state("BTC") == "IN_POSITION"
    flatten(venue)
    flatten(venue, LATER + 1)
    assert len(intents(venue, "exit")) == 1 and venue.state("BTC") == "SCANNING"


def test_flat_it_has_nothing_to_do() -> None:
    venue = scene(RISE, FLAT)
    before = len(venue.sent)
    flatten(venue)
    assert len(venue.sent) == before and venue.state("BTC") == "SCANNING"
