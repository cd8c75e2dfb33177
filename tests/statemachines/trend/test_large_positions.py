"""TR-5, EX-8, DE-4: a position above the venue's largest order is protected whole, by stops that stand side by side.

Only the first slice of the stop was at the exchange: of a position of 1e9 USDT most stood without protection as soon as
the system was down. X4's "one at a time" is about orders that are worked; a stop that waits is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal as D
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.limits.slices import MAX_CONDITIONAL_ORDERS
from statemachines.messages.control import OperatorCommand
from statemachines.messages.orders import MoveStop, PositionUnprotected, Withdraw
from statemachines.trend import rules
from statemachines.trend.engine import DIALECT
from statemachines.trend.position import STOP_PARTS_MS
from statemachines.values import ActorName
from tests.kit import builders
from tests.statemachines.trend.bars import BTC, FAST, FLAT, RISE, bars, next_day
from tests.statemachines.trend.test_orders import LATER, OPENED, UP, balances, in_position, intents
from tests.statemachines.trend.venue import INSTRUMENTS, Venue, as_schema_3, as_schema_4


def venue_with(most: str, restarts: bool = False, trailing: str = "3") -> Venue:
    """The venue's largest market order of BTC is `most`."""
    instruments = (INSTRUMENTS[0].model_copy(update={"max_market_qty": D(most)}), INSTRUMENTS[1])
    history = {BTC: bars(BTC, RISE), "ETHUSDT": bars("ETHUSDT", FLAT)}
    parameters = FAST.model_copy(update={"trailing_stop_atr": D(trailing)})
    venue = Venue(ActorName.TREND_1, parameters, D(10_000), history, instruments)
    venue.restarts = restarts
    return in_position(venue)


def held(venue: Venue) -> D:
    return D(venue.trade("BTC")["held"])


def quantities(venue: Venue) -> list[D]:
    return [quantity for _, _, quantity in venue.stops.values()]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_position_above_the_venues_maximum_is_covered_whole(restarts: bool) -> None:
    venue = venue_with("10", restarts)
    assert held(venue) == D("20.693"), "the figures below are for this one"
    assert quantities(venue) == [D(10), D(10), D("0.693")]
    assert len({(trigger, intent.side, intent.reduce_only) for intent, trigger, _ in venue.stops.values()}) == 1
    assert not venue.alerts and venue.logic.deadline() is None


@pytest.mark.parametrize("restarts", [False, True])
def test_the_trailing_stop_moves_all_of_them(restarts: bool) -> None:
    venue = venue_with("10", restarts, trailing="1.5")
    next_day(venue, UP * 1.03, 1000)
    assert len(venue.bodies(MoveStop)) == 3 and sum(quantities(venue)) == held(venue)
    assert {trigger for _, trigger, _ in venue.stops.values()} == {D(venue.trade("BTC")["stop_price"])}
    assert venue.trade("BTC")["stop_rule"] == "TR-6"


@pytest.mark.parametrize("restarts", [False, True])
def test_all_of_them_fire_together_and_nothing_else_is_sent(restarts: bool) -> None:
    venue = venue_with("10", restarts)
    trigger = next(iter(venue.stops.values()))[1]
    venue.touch(BTC, trigger, LATER)
    assert venue.positions == {} and venue.state("BTC") == "SCANNING" and not venue.stops
    assert intents(venue, "exit") == [] and not venue.bodies(Withdraw) and not venue.alerts


def test_one_that_fires_alone_is_followed_by_the_market_after_a_pause() -> None:
    """The others have the same trigger, so that they need a moment; what they do not close is closed."""
    venue = venue_with("10")
    first = next(iter(venue.stops))
    intent, trigger, quantity = venue.stops[first]
    others = {name: venue.stops.pop(name) for name in list(venue.stops) if name != first}
    venue.touch(BTC, trigger, LATER)
    venue.stops |= others
    assert held(venue) == D("10.693") and intents(venue, "exit") == []
    assert venue.logic.deadline() == LATER + STOP_PARTS_MS
    venue.settle(LATER + STOP_PARTS_MS)
    assert [one.quantity for one in intents(venue, "exit")] == [D("10.693")]
    assert venue.state("BTC") == "SCANNING" and venue.positions == {} and not venue.stops
    assert (intent.quantity, quantity) == (D(10), D(10))


def test_a_cut_withdraws_what_is_not_needed_any_more() -> None:
    venue = venue_with("10")
    trade = venue.logic._positions[BTC]  # noqa: SLF001 - a cut is the engine's own decision
    venue.step(lambda: trade.cut(D("5.693"), 1, "test"))
    venue.portfolio(LATER)
    assert held(venue) == 15 and sorted(quantities(venue)) == [D(5), D(10)]
    assert len(venue.bodies(Withdraw)) == 1 and len(intents(venue, "stop")) == 3
    assert not venue.alerts


def test_what_is_taken_away_by_hand_is_followed() -> None:
    venue = venue_with("10")
    venue.tell(balances(venue, "8"), LATER)
    assert quantities(venue) == [D(8)] and held(venue) == 8


@pytest.mark.parametrize("restarts", [False, True])
def test_one_that_is_cancelled_is_replaced_alone(restarts: bool) -> None:
    venue = venue_with("10", restarts)
    name = list(venue.stops)[1]
    intent, _, _ = venue.stops.pop(name)
    venue.end(intent, "CANCELLED", D(0), None, LATER)
    assert sorted(quantities(venue)) == [D("0.693"), D(10), D(10)] and len(intents(venue, "stop")) == 4
    assert venue.state("BTC") == "IN_POSITION" and len(venue.alerts) == 1


def test_all_of_them_may_be_replaced_once_then_the_position_is_closed() -> None:
    venue = venue_with("10")
    for _ in range(2):
        for name in list(venue.stops):
            if venue.state("BTC") == "IN_POSITION":
                intent, _, _ = venue.stops.pop(name)
                venue.end(intent, "CANCELLED", D(0), None, LATER)
    assert venue.positions == {} and venue.state("BTC") == "SCANNING" and not venue.stops


def test_an_audit_that_finds_too_little_replaces_them_without_exceeding_what_the_venue_takes() -> None:
    """Bybit takes ten conditional orders: those that are withdrawn count until they have ended."""
    venue = venue_with("3")
    assert quantities(venue) == [D(3)] * 6 + [D("2.693")]
    live: list[int] = []
    stop_answer = venue.stop_answer

    def count(intent_id: str) -> Literal["works", "silence", "rejected", "crossed"]:
        live.append(len(venue.stops) + 1)
        return stop_answer(intent_id)

    venue.stop_answer = count
    found = PositionUnprotected(engine=ActorName.TREND_1, symbol=BTC, held=held(venue), covered=D(1), reason="audited")
    venue.tell(found, LATER)
    assert max(live) <= MAX_CONDITIONAL_ORDERS and sum(quantities(venue)) == held(venue)
    assert len(venue.stops) == 7 and venue.state("BTC") == "IN_POSITION"


def audited(venue: Venue, covered: str, stops: Sequence[str] = ()) -> None:
    found = PositionUnprotected(
        engine=ActorName.TREND_1, symbol=BTC, held=held(venue), covered=D(covered), reason="audited", stops=tuple(stops)
    )
    venue.tell(found, LATER)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("most", "lost"), [("2.1", 1), ("2.1", 4), ("3", 2), ("10", 1)])
def test_an_audit_that_finds_too_little_replaces_only_what_is_not_listed(most: str, lost: int, restarts: bool) -> None:
    """All ten stops were withdrawn before one was placed: the venue takes no eleventh, so that nothing protected."""
    venue = venue_with(most, restarts)
    before = dict(venue.stops)
    gone, resting = list(venue.stops)[1 : 1 + lost], [name for name in before if name not in list(before)[1 : 1 + lost]]
    covered = sum((before[name][2] for name in resting), D(0))
    audited(venue, str(covered), resting)
    assert [one.intent_id for one in venue.bodies(Withdraw)] == gone
    assert len(intents(venue, "stop")) == len(before) + lost and set(resting) < set(venue.stops)
    assert sum(quantities(venue)) == held(venue) and venue.state("BTC") == "IN_POSITION"


@pytest.mark.parametrize(("covered", "withdrawn"), [("20.692", 1), ("18.593", 1), ("18.592", 2), ("18", 2), ("0", 10)])
def test_where_it_is_not_known_which_are_lost_as_few_as_make_up_the_gap_are_replaced(
    covered: str, withdrawn: int
) -> None:
    venue = venue_with("2.1")
    assert len(venue.stops) == MAX_CONDITIONAL_ORDERS and sum(quantities(venue)) == held(venue)
    audited(venue, covered)
    assert len(venue.bodies(Withdraw)) == withdrawn
    assert len(venue.stops) == MAX_CONDITIONAL_ORDERS and sum(quantities(venue)) == held(venue)


@pytest.mark.parametrize("restarts", [False, True])
def test_an_audit_that_fails_again_after_one_repair_closes_the_position(restarts: bool) -> None:
    """It was repaired as often as there are parts: seven times."""
    venue = venue_with("3", restarts)
    audited(venue, "1")
    assert venue.state("BTC") == "IN_POSITION" and not venue.bodies(OperatorCommand)
    audited(venue, "1")
    assert venue.positions == {} and venue.state("BTC") == "SCANNING" and not venue.stops
    assert [one.action for one in venue.bodies(OperatorCommand)] == ["halt"]


def cancelled(venue: Venue, name: str) -> str:
    """The exchange cancels a stop; the id of the one that replaces it, empty when none does."""
    known = set(venue.stops)
    intent, _, _ = venue.stops.pop(name)
    venue.end(intent, "CANCELLED", D(0), None, LATER)
    return next(iter(set(venue.stops) - known), "")


@pytest.mark.parametrize("restarts", [False, True])
def test_a_stop_that_is_lost_again_closes_the_position_whatever_the_others_have_left(restarts: bool) -> None:
    venue = venue_with("3", restarts)
    replacement = cancelled(venue, next(iter(venue.stops)))
    assert replacement and venue.state("BTC") == "IN_POSITION"
    assert not cancelled(venue, replacement)
    assert venue.positions == {} and [one.action for one in venue.bodies(OperatorCommand)] == ["halt"]


@pytest.mark.parametrize("restarts", [False, True])
def test_each_of_ten_may_be_lost_once_and_with_the_new_day_again(restarts: bool) -> None:
    venue = venue_with("2.1", restarts)
    first = list(venue.stops)
    assert all(cancelled(venue, name) for name in first) and venue.state("BTC") == "IN_POSITION"
    next_day(venue, UP, 1000)
    assert all(cancelled(venue, name) for name in list(venue.stops)) and venue.state("BTC") == "IN_POSITION"
    assert not cancelled(venue, next(iter(venue.stops))) and venue.positions == {}


def test_a_stop_placed_only_when_there_is_room_replaces_the_lost_one_too() -> None:
    """With ten, the audit's replacement waits for the end of the lost one: it is a replacement all the same."""
    venue = venue_with("2.1")
    before = set(venue.stops)
    audited(venue, "18.593", sorted(before)[1:])
    (replacement,) = set(venue.stops) - before
    (kept, *_) = before & set(venue.stops)
    assert cancelled(venue, kept), "another one has not been lost before"
    assert not cancelled(venue, replacement) and venue.positions == {}


@pytest.mark.parametrize(("count", "stops", "repairs"), [(0, 1, [0]), (1, 1, [1]), (2, 3, [0, 0, 0]), (1, 0, [])])
def test_rows_of_schema_4_are_read_back(count: int, stops: int, repairs: list[int]) -> None:
    """Version 4 counted the replaced stops together: of one it is known, of several it is not."""
    venue = venue_with("10" if stops == 3 else "500")
    old = {key: as_schema_4(row) for key, row in venue.rows.items()}
    btc = {**old["BTC"].data, "stop_repairs": count, "stops": list(old["BTC"].data["stops"])[:stops]}
    read = DIALECT.read("trend-1", {**old, "BTC": old["BTC"]._replace(data=btc)})["BTC"].data
    assert [stop["repairs"] for stop in read["stops"]] == repairs and read["audit_repairs"] == 0
    assert read["unreplaced"] == ([1] if count and not stops else [])


def test_more_than_the_venue_takes_is_reported_and_closed_after_its_stops() -> None:
    venue = venue_with("2")
    assert quantities(venue) == [D(2)] * MAX_CONDITIONAL_ORDERS
    (alert,) = venue.alerts
    assert "position is larger than its stops" in alert.title and "for 20 of the 20.693 held" in alert.text
    found = PositionUnprotected(engine=ActorName.TREND_1, symbol=BTC, held=held(venue), covered=D(20), reason="audited")
    venue.tell(found, LATER)
    assert len(intents(venue, "stop")) == MAX_CONDITIONAL_ORDERS, "more is not possible"
    venue.touch(BTC, next(iter(venue.stops.values()))[1], LATER)
    assert [one.quantity for one in intents(venue, "exit")] == [D("0.693")]
    assert venue.positions == {} and venue.state("BTC") == "SCANNING"
    assert venue.ended == ["uncovered:BTC"]


def test_one_that_is_never_confirmed_is_replaced_by_its_like() -> None:
    venue = venue_with("10")
    assert venue.state("BTC") == "IN_POSITION"
    silent = Venue(ActorName.TREND_1, FAST, D(10_000), {BTC: bars(BTC, RISE), "ETHUSDT": bars("ETHUSDT", FLAT)},
                   venue.instruments)  # fmt: skip
    answers: Iterator[Literal["works", "silence"]] = iter(("works", "silence"))
    silent.stop_answer = lambda intent_id: next(answers, "works")
    in_position(silent)
    silent.settle(OPENED + 120_000)
    assert sorted(quantities(silent)) == [D("0.693"), D(10), D(10)] and len(silent.alerts) == 1
    assert silent.logic.deadline() is None


LOTS = st.integers(1, 100_000).map(lambda lots: lots * D("0.001"))


@given(LOTS, LOTS, st.sampled_from(["0.001", "0.005"]))
def test_the_parts_cover_the_position_and_none_is_too_large_or_too_small(quantity: D, most: D, least: str) -> None:
    instrument = builders.instrument("linear", BTC, step="0.001", least=least, max_market_qty=max(most, D("0.01")))
    quantity = max(quantity, D(least))
    parts = rules.stop_parts(quantity, instrument)
    assert len(parts) <= MAX_CONDITIONAL_ORDERS
    assert all(D(least) <= part <= instrument.max_market_qty and part % D("0.001") == 0 for part in parts)
    most_of_all = instrument.max_market_qty * MAX_CONDITIONAL_ORDERS
    assert sum(parts) == quantity or (len(parts) == MAX_CONDITIONAL_ORDERS and quantity > most_of_all - D(least))


def test_without_a_maximum_or_below_it_there_is_one_stop() -> None:
    unlimited = INSTRUMENTS[0].model_copy(update={"max_market_qty": D(0)})
    assert rules.stop_parts(D(7), None) == rules.stop_parts(D(7), unlimited) == [D(7)]
    assert rules.stop_parts(D(500), INSTRUMENTS[0]) == [D(500)]


def test_rows_of_schema_3_are_read_back() -> None:
    """Version 3 had one stop."""
    venue = in_position(venue_with("500"))
    old = {key: as_schema_3(row) for key, row in venue.rows.items()}
    assert {key: dict(row.data) for key, row in DIALECT.read("trend-1", old).items()} == {
        key: dict(row.data) for key, row in venue.rows.items()
    }
