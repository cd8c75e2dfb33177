"""The lockstep rule stood twice, in the driver under Ray and in the in-process system of backtests and simulations."""

from __future__ import annotations

import inspect

import pytest

from infra.backtest import system
from orchestrator import lockstep_driver
from statemachines.actor_logic import Lookahead
from statemachines.lockstep import LockstepRule, Next, StepSeen
from statemachines.values import ActorName

RISK, TREND, CHIEF = ActorName.RISK_MANAGER, ActorName.TREND_1, ActorName.ORCHESTRATOR
ORDER = (RISK, TREND, CHIEF)
QUIET = StepSeen(is_quiet=True, is_queued=False, is_end=False)


def ahead() -> Lookahead:
    return Lookahead(900)


def test_who_is_due_acts_in_the_fixed_order_and_only_then_time_moves() -> None:
    rule = LockstepRule(ORDER)
    assert rule.choose({CHIEF: 100, TREND: 100, RISK: 100}, ahead, 100, {}, 0).tick is RISK
    assert rule.choose({CHIEF: 100, TREND: 90}, ahead, 100, {}, 0).tick is TREND
    move = rule.choose({CHIEF: 700, TREND: 500}, ahead, 100, {"a": 3}, 0)
    assert (move.tick, move.until_ms, move.lookahead, move.handled) == (None, 500, Lookahead(900), {"a": 3})
    assert rule.choose({}, ahead, 100, {}, 0).until_ms is None


def test_the_lookahead_is_not_asked_for_while_somebody_is_due() -> None:
    """It costs a call of every actor, at each tick of an instant."""

    def never() -> Lookahead:
        raise AssertionError("asked for")

    assert LockstepRule(ORDER).choose({RISK: 1}, never, 1, {}, 0).tick is RISK


def test_an_actor_is_ticked_after_a_step_that_sent_nothing_and_then_the_next_without_a_step() -> None:
    rule = LockstepRule(ORDER)
    move = rule.choose({RISK: 1, TREND: 1}, ahead, 1, {}, 7)
    assert not move.is_at_rest
    assert rule.stepped(move, 7, QUIET) == Next(RISK, False)
    again = rule.choose({TREND: 1}, ahead, 1, {}, 7)
    assert (again.tick, again.is_at_rest) == (TREND, True)
    assert not rule.choose({TREND: 1}, ahead, 1, {}, 8).is_at_rest, "somebody has asked the exchange for something"
    rule.disturbed()
    assert not rule.choose({TREND: 1}, ahead, 1, {}, 7).is_at_rest


@pytest.mark.parametrize(
    ("seen", "tick", "rests"),
    [
        (StepSeen(is_quiet=False, is_queued=False, is_end=False), None, False),
        (StepSeen(is_quiet=True, is_queued=True, is_end=False), RISK, False),
        (StepSeen(is_quiet=True, is_queued=False, is_end=True), RISK, True),
    ],
)
def test_frames_first(seen: StepSeen, tick: ActorName | None, rests: bool) -> None:
    """What the exchange sent is handled before the tick; what is queued at this instant before the next one."""
    rule = LockstepRule(ORDER)
    move = rule.choose({RISK: 1}, ahead, 1, {}, 0)
    assert rule.stepped(move, 0, seen) == Next(tick, False), "the market's end waits for who is due"
    assert rule.choose({TREND: 1}, ahead, 1, {}, 0).is_at_rest is rests


def test_the_market_ends_when_nobody_is_due() -> None:
    rule = LockstepRule(ORDER)
    move = rule.choose({RISK: 9}, ahead, 1, {}, 0)
    assert rule.stepped(move, 0, QUIET._replace(is_end=True)) == Next(None, True)
    assert not rule.choose({RISK: 1}, ahead, 1, {}, 0).is_at_rest, "time has moved"


def test_both_runtimes_apply_this_rule() -> None:
    for module in (lockstep_driver, system):
        source = inspect.getsource(module)
        assert "LockstepRule(" in source and "_at_rest" not in source.replace("is_at_rest", "")
