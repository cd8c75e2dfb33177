"""When lockstep may move (DESIGN 3): nothing in flight, one actor at a time, exits before entries (D1, O7)."""

from __future__ import annotations

from decimal import Decimal as D

from actors.runtime.ports import Report
from actors.runtime.registry import TURN_ORDER
from orchestrator.quiescence import QuiescenceTracker
from statemachines.actor_logic import Lookahead
from statemachines.lockstep import LockstepRule, Move
from statemachines.values import ActorName

MARKET, RISK, CHIEF = ActorName.MARKET_DATA, ActorName.RISK_MANAGER, ActorName.ORCHESTRATOR
MEMBERS = (MARKET, RISK, CHIEF)


def chosen(tracker: QuiescenceTracker, now_ms: int) -> Move:
    """What the rule makes of the reports; nothing has been asked of the exchange yet."""
    return LockstepRule(TURN_ORDER).choose(
        tracker.deadlines(), tracker.lookahead, now_ms, tracker.handled(), tracker.asked()
    )


def _tracker() -> QuiescenceTracker:
    tracker = QuiescenceTracker(MEMBERS)
    for name in MEMBERS:
        tracker.report(name, Report(incarnation=1, idle=True))
    return tracker


def test_all_idle_and_all_counts_equal_is_settled() -> None:
    assert _tracker().unsettled() is None


def test_a_message_that_the_recipient_has_not_reported_keeps_the_clock_still() -> None:
    tracker = _tracker()
    tracker.report(MARKET, Report(incarnation=1, idle=True, sent={RISK: 7}))
    assert tracker.unsettled() == "risk-manager has not reported message 7 of market-data"
    tracker.report(RISK, Report(incarnation=1, idle=True, cursors={MARKET: 7}))
    assert tracker.unsettled() is None


def test_quotes_in_flight_keep_the_clock_still() -> None:
    tracker = _tracker()
    tracker.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (1, 1)}))
    assert tracker.unsettled() == "risk-manager has not reported the quotes of market-data"
    tracker.report(RISK, Report(incarnation=1, idle=True, quotes_in={MARKET: 1}))
    assert tracker.unsettled() is None


def test_quotes_lost_with_a_dead_incarnation_do_not_block_for_ever() -> None:
    tracker = _tracker()
    tracker.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (1, 5)}))
    tracker.forget(RISK)
    assert tracker.unsettled() == "risk-manager has not reported"
    tracker.report(RISK, Report(incarnation=2, idle=True))
    assert tracker.unsettled() is None
    tracker.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (2, 1)}))
    assert tracker.unsettled() is not None
    tracker.report(RISK, Report(incarnation=2, idle=True, quotes_in={MARKET: 1}))
    assert tracker.unsettled() is None


def test_quotes_that_a_new_incarnation_took_before_its_first_report_are_counted() -> None:
    tracker = _tracker()
    tracker.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (1, 5)}))
    tracker.forget(RISK)
    tracker.report(RISK, Report(incarnation=2, idle=True, quotes_in={MARKET: 1}))
    tracker.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (2, 1)}))
    assert tracker.unsettled() is None


def test_a_sender_that_restarts_begins_anew() -> None:
    tracker = _tracker()
    tracker.report(MARKET, Report(incarnation=1, idle=True, quotes_out={RISK: (1, 5)}))
    tracker.report(RISK, Report(incarnation=1, idle=True, quotes_in={MARKET: 5}))
    tracker.report(MARKET, Report(incarnation=2, idle=True))
    assert tracker.unsettled() is None
    tracker.report(MARKET, Report(incarnation=2, idle=True, quotes_out={RISK: (1, 6)}))
    assert tracker.unsettled() is not None


def test_a_late_report_of_a_dead_incarnation_is_ignored() -> None:
    tracker = _tracker()
    tracker.report(RISK, Report(incarnation=2, idle=True, deadline_ms=50))
    tracker.report(RISK, Report(incarnation=1, idle=True, deadline_ms=10))
    assert chosen(tracker, 0) == Move(50, {})


def test_a_tick_on_its_way_is_not_settled_until_it_is_answered() -> None:
    tracker = _tracker()
    tracker.ticked(RISK)
    assert tracker.unsettled() == "risk-manager has not answered its tick"
    tracker.report(RISK, Report(incarnation=1, idle=True, ticks=1))
    assert tracker.unsettled() is None


def test_due_actors_are_ticked_one_at_a_time_in_order_and_the_cycle_comes_last() -> None:
    tracker = _tracker()
    for name in (CHIEF, RISK):
        tracker.report(name, Report(incarnation=1, idle=True, deadline_ms=100))
    assert chosen(tracker, 100) == Move(100, {}, RISK)
    tracker.report(RISK, Report(incarnation=1, idle=True, ticks=1))
    assert chosen(tracker, 100) == Move(100, {}, CHIEF)


def test_the_exchange_moves_to_the_earliest_deadline_with_the_frames_handled() -> None:
    tracker = _tracker()
    tracker.report(MARKET, Report(incarnation=1, idle=True, deadline_ms=900, frames={"a": 3}))
    tracker.report(RISK, Report(incarnation=1, idle=True, deadline_ms=700, frames={"b": 1}))
    assert chosen(tracker, 100) == Move(700, {"a": 3, "b": 1})


def test_hours_may_be_passed_over_as_far_as_all_actors_can_bear() -> None:
    tracker = _tracker()
    tracker.report(MARKET, Report(incarnation=1, idle=True, lookahead=Lookahead(9_000, {"A": D("0.02"), "B": D(1)})))
    tracker.report(RISK, Report(incarnation=1, idle=True, lookahead=Lookahead(700)))
    tracker.report(CHIEF, Report(incarnation=1, idle=True, lookahead=Lookahead(8_000, {"A": D("0.01")})))
    assert chosen(tracker, 100).lookahead == Lookahead(700, {"A": D("0.01"), "B": D(1)})
    tracker.report(RISK, Report(incarnation=1, idle=True))
    assert chosen(tracker, 100).lookahead.until_ms == 0, "who says nothing gets every hour at once"
