"""When lockstep may move (DESIGN 3): nothing in flight, one actor at a time, exits before entries (D1, O7)."""

from __future__ import annotations

from decimal import Decimal as D

from orchestrator.conductor import Conductor, Move, Report
from statemachines.brain import Patience
from statemachines.values import ActorName

MARKET, RISK, CHIEF = ActorName.MARKET_DATA, ActorName.RISK_MANAGER, ActorName.ORCHESTRATOR
MEMBERS = (MARKET, RISK, CHIEF)


def _conductor() -> Conductor:
    conductor = Conductor(MEMBERS)
    for name in MEMBERS:
        conductor.report(name, Report(incarnation=1, idle=True))
    return conductor


def test_all_idle_and_all_counts_equal_is_settled() -> None:
    assert _conductor().unsettled() is None


def test_a_message_that_the_recipient_has_not_reported_keeps_the_clock_still() -> None:
    conductor = _conductor()
    conductor.report(MARKET, Report(incarnation=1, idle=True, sent={RISK: 7}))
    assert conductor.unsettled() == "risk-manager has not reported message 7 of market-data"
    conductor.report(RISK, Report(incarnation=1, idle=True, cursors={MARKET: 7}))
    assert conductor.unsettled() is None


def test_quotes_in_flight_keep_the_clock_still() -> None:
    conductor = _conductor()
    conductor.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (1, 1)}))
    assert conductor.unsettled() == "risk-manager has not reported the quotes of market-data"
    conductor.report(RISK, Report(incarnation=1, idle=True, quotes_in={MARKET: 1}))
    assert conductor.unsettled() is None


def test_quotes_lost_with_a_dead_incarnation_do_not_block_for_ever() -> None:
    conductor = _conductor()
    conductor.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (1, 5)}))
    conductor.forget(RISK)
    assert conductor.unsettled() == "risk-manager has not reported"
    conductor.report(RISK, Report(incarnation=2, idle=True))
    assert conductor.unsettled() is None
    conductor.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (2, 1)}))
    assert conductor.unsettled() is not None
    conductor.report(RISK, Report(incarnation=2, idle=True, quotes_in={MARKET: 1}))
    assert conductor.unsettled() is None


def test_quotes_that_a_new_incarnation_took_before_its_first_report_are_counted() -> None:
    conductor = _conductor()
    conductor.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (1, 5)}))
    conductor.forget(RISK)
    conductor.report(RISK, Report(incarnation=2, idle=True, quotes_in={MARKET: 1}))
    conductor.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (2, 1)}))
    assert conductor.unsettled() is None


def test_a_sender_that_restarts_begins_anew() -> None:
    conductor = _conductor()
    conductor.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (1, 5)}))
    conductor.report(RISK, Report(incarnation=1, idle=True, quotes_in={MARKET: 5}))
    conductor.report(MARKET, Report(incarnation=2, idle=True))
    assert conductor.unsettled() is None
    conductor.report(MARKET, Report(incarnation=2, idle=True, quotes_out={RISK: (1, 6)}))
    assert conductor.unsettled() is not None


def test_a_late_report_of_a_dead_incarnation_is_ignored() -> None:
    conductor = _conductor()
    conductor.report(RISK, Report(incarnation=2, idle=True, deadline_ms=50))
    conductor.report(RISK, Report(incarnation=1, idle=True, deadline_ms=10))
    assert conductor.choose(0) == Move(50, {})


def test_a_tick_on_its_way_is_not_settled_until_it_is_answered() -> None:
    conductor = _conductor()
    conductor.ticked(RISK)
    assert conductor.unsettled() == "risk-manager has not answered its tick"
    conductor.report(RISK, Report(incarnation=1, idle=True, ticks=1))
    assert conductor.unsettled() is None


def test_due_actors_are_ticked_one_at_a_time_in_order_and_the_cycle_comes_last() -> None:
    conductor = _conductor()
    for name in (CHIEF, RISK):
        conductor.report(name, Report(incarnation=1, idle=True, deadline_ms=100))
    assert conductor.choose(100) == Move(100, {}, RISK)
    conductor.report(RISK, Report(incarnation=1, idle=True, ticks=1))
    assert conductor.choose(100) == Move(100, {}, CHIEF)


def test_the_exchange_moves_to_the_earliest_deadline_with_the_frames_handled() -> None:
    conductor = _conductor()
    conductor.report(MARKET, Report(incarnation=1, idle=True, deadline_ms=900, frames={"a": 3}))
    conductor.report(RISK, Report(incarnation=1, idle=True, deadline_ms=700, frames={"b": 1}))
    assert conductor.choose(100) == Move(700, {"a": 3, "b": 1})


def test_hours_may_be_passed_over_as_far_as_all_actors_can_bear() -> None:
    conductor = _conductor()
    conductor.report(MARKET, Report(incarnation=1, idle=True, patience=Patience(9_000, {"A": D("0.02"), "B": D(1)})))
    conductor.report(RISK, Report(incarnation=1, idle=True, patience=Patience(700)))
    conductor.report(CHIEF, Report(incarnation=1, idle=True, patience=Patience(8_000, {"A": D("0.01")})))
    assert conductor.choose(100).patience == Patience(700, {"A": D("0.01"), "B": D(1)})
    conductor.report(RISK, Report(incarnation=1, idle=True))
    assert conductor.choose(100).patience.until_ms == 0, "who says nothing wants every hour at once"
