"""What would make an engine act next: each number against its limit, and each engine's list in a situation (P3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal as D

import pytest

from statemachines.core_hodl.engine import CoreHodlEngine
from statemachines.funding.engine import FundingEngine
from statemachines.outlook.terms import Prospect, Side, Term, all_hold
from statemachines.tactical.engine import TacticalEngine
from statemachines.values import DAY_MS
from tests.statemachines.core_hodl.world import ETH_UP, START, built_world
from tests.statemachines.funding.synthetic import GOOD
from tests.statemachines.funding.synthetic import Market as FundingMarket
from tests.statemachines.tactical.synthetic import Market as TacticalMarket
from tests.statemachines.trend.bars import FLAT, RISE, next_day, scene
from tests.statemachines.trend.test_engine import UP, in_position
from tests.statemachines.trend.venue import Venue


@pytest.mark.parametrize(
    ("value", "side", "holds", "distance", "closeness"),
    [
        ("10", "above", False, "0", "0.99"),  # the limit itself does not hold: it is not full
        ("10.1", "above", True, "0", "1"),
        ("10", "below", False, "0", "0.99"),
        ("9.9", "below", True, "0", "1"),
        ("10", "at_least", True, "0", "1"),
        ("10", "at_most", True, "0", "1"),
        ("9", "above", False, "1", "0.75"),
        ("5", "at_least", False, "5", "0"),  # further than the span is not further than 0
        ("12", "at_most", False, "2", "0.5"),
        (None, "above", False, None, None),
    ],
)
def test_a_term_says_whether_it_holds_and_how_far_it_is(
    value: str | None, side: Side, holds: bool, distance: str | None, closeness: str | None
) -> None:
    term = Term("price", None if value is None else D(value), side, D(10), "USDT", D(4))
    assert term.holds is holds
    assert term.distance == (None if distance is None else D(distance))
    assert term.closeness == (None if closeness is None else D(closeness))


def test_a_prospect_is_as_close_as_its_furthest_term_and_unknown_with_an_unknown_one() -> None:
    near, far = Term("a", D(9), "above", D(10), "x", D(10)), Term("b", D(5), "above", D(10), "x", D(10))
    assert Prospect("BTC", "entry", "X", (near, far)).closeness == D("0.5")
    assert Prospect("BTC", "entry", "X", (near, Term("c", None, "above", D(1), "x"))).closeness is None
    assert Prospect("BTC", "tranche", "X", ()).closeness == 1
    assert not all_hold((near, far)) and all_hold(())


def named(found: Sequence[Prospect], rule: str, subject: str = "", event: str = "") -> Prospect:
    """The only one of this rule, subject and event."""
    (one,) = [
        one for one in found if one.rule == rule and one.subject.startswith(subject) and one.event.startswith(event)
    ]
    return one


def of(venue: Venue) -> list[Prospect]:
    return venue.logic.outlook(venue.now_ms)


def test_trend_shows_what_an_entry_lacks_and_enters_when_it_lacks_nothing() -> None:
    venue = scene(RISE, FLAT)
    next_day(venue, 117, 1000)
    assert venue.state("BTC") == "SCANNING"
    short, long = named(of(venue), "TR-3", "BTC", "entry short"), named(of(venue), "TR-3", "BTC", "entry long")
    assert short.judged_ms == venue.now_ms // DAY_MS * DAY_MS + DAY_MS
    assert [term.what for term in long.terms] == ["ADX(2)", "close against SMA5", "SMA2 against SMA5"]
    assert long.terms[1].distance is not None and long.terms[1].distance > 0
    entered = scene(RISE, FLAT)
    assert all_hold(named(of(entered), "TR-3", "BTC", "entry long").terms)
    in_position(entered)


def test_trend_says_why_an_entry_is_barred() -> None:
    venue = in_position()
    eth = named(of(venue), "TR-3", "ETH", "entry long")
    assert eth.closeness != 1 or eth.barred == ""
    venue = in_position(scene(RISE, FLAT))
    found = of(venue)
    assert {one.rule for one in found if one.subject == "BTC"} == {"TR-4", "TR-5", "TR-7"}
    stop = named(found, "TR-5", "BTC")
    (term,) = stop.terms
    assert stop.judged_ms is None and term.limit == D(venue.trade("BTC")["stop_price"]) and not term.holds
    next_day(venue, UP * 0.5, 1000)
    assert venue.state("BTC") == "SCANNING", "it was left as TR-4 and TR-5 say"


def tactical(market: TacticalMarket) -> list[Prospect]:
    assert isinstance(market.world.logic, TacticalEngine)
    return market.world.logic.outlook(market.world.now_ms)


def test_tactical_shows_the_distance_to_each_trigger_and_why_a_level_does_not_fire() -> None:
    market = TacticalMarket()
    market.close(6_000)
    one, two = (
        named(tactical(market), "TA-1", event="deployment: level 1"),
        named(tactical(market), "TA-1", event="deployment: level 2"),
    )
    assert (one.terms[0].value, one.terms[0].distance, one.barred) == (D("-0.4"), D("0.1"), "")
    assert one.closeness == D("0.8") and "level 1 has not fired" in two.barred
    assert named(tactical(market), "TA-2").closeness is None, "no Fear & Greed index: not known is not near"
    market.close(5_000)
    assert market.deployed() == ["TA-1 level 1"]
    assert "has fired" in named(tactical(market), "TA-1", event="deployment: level 1").barred
    fear = named(tactical(market), "TA-2")
    assert (fear.terms[-1].value, fear.terms[-1].limit) == (1, 30), "TA-5: at the next close one day has passed"
    market.days(28, 5_000)
    assert not named(tactical(market), "TA-2").terms[-1].holds
    market.close(5_000)
    assert named(tactical(market), "TA-2").terms[-1].holds
    exits = [one for one in tactical(market) if one.event.startswith("exit")]
    assert [(one.rule, one.subject) for one in exits] == [("TA-6", "D1"), ("TA-7", "D1"), ("TA-6", "D1")]


def funding(market: FundingMarket) -> list[Prospect]:
    assert isinstance(market.world.logic, FundingEngine)
    return market.world.logic.outlook(market.now_ms)


def test_funding_shows_what_an_entry_lacks_and_what_ends_a_pair() -> None:
    market = FundingMarket()
    market.period(BTC=GOOD)
    entry = named(funding(market), "FU-2", "BTC")
    assert [term.holds for term in entry.terms] == [True, False, True, True], "one settled rate of two"
    assert entry.closeness is None and not entry.barred
    market.period(BTC=GOOD)
    assert market.state("BTC") == "FUNDING_COLLECTION"
    btc = [one for one in funding(market) if one.subject == "BTC"]
    assert [one.rule for one in btc] == ["FU-3", "FU-3", "FU-3", "FU-8"]
    assert not any(all_hold(one.terms) for one in btc)
    assert btc[2].terms[0].what == "settlements since the entry"


def test_core_shows_drift_quarter_limit_and_suspension_and_rebalances_when_it_lacks_nothing() -> None:
    made = built_world()
    assert isinstance(made.logic, CoreHodlEngine)
    found = made.logic.outlook(made.now_ms)
    drift = named(found, "CH-2", event="drift")
    assert not drift.barred and drift.terms[0].limit == D("0.1") and not all_hold(drift.terms)
    quarter = named(found, "CH-2", event="calendar")
    assert quarter.terms[0].value == 80, "10 January to 31 March"
    assert {one.subject for one in found if one.rule == "CH-7"} == {"BTC", "ETH"}
    assert named(found, "CH-8", "BTC").terms[0].limit == D("0.7")
    made.run_day(START + DAY_MS, ETH_UP)
    assert made.intents("rebalance")
