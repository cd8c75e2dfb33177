"""RM-3 and F11 (drawdown), RM-4 and RM-5 (switches), RM-1 (repeats): the pure parts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from statemachines.portfolio.flows import Flows
from statemachines.risk import switches
from statemachines.risk.drawdown import Track, demanded_level, fall_from_peak, next_track, one_day_fall, rebased
from statemachines.risk.duplicates import WIDTH, RepeatWindow
from statemachines.risk.machine import Level, RiskStateName
from statemachines.risk.parameters import DrawdownGroup, RiskParameters, StreakPolicy
from statemachines.risk.switches import DecidedOrder
from statemachines.values import HOUR_MS, ActorName

P = RiskParameters()


def flows_of(net: str | int) -> Flows:
    """What came in, or with a minus what went out."""
    return Flows(max(Decimal(net), Decimal(0)), max(-Decimal(net), Decimal(0)))


def track(*closes: tuple[str, str]) -> Track:
    found = Track()
    for equity, flow in closes:
        found = next_track(found, Decimal(equity), flows_of(flow))
    return found


def test_rm3_fall_from_the_peak() -> None:
    assert fall_from_peak(track(("100", "0"), ("120", "0"), ("90", "0"))) == Decimal("0.25")


def test_f11_a_transfer_out_is_no_loss_and_one_in_no_gain() -> None:
    assert fall_from_peak(track(("100", "0"), ("60", "-40"))) == 0
    assert track(("100", "0"), ("150", "50")).result == 1
    # 100 + 100 moved in, then 10 % lost on the 200.
    assert fall_from_peak(track(("100", "0"), ("180", "100"))) == Decimal("0.1")


def test_f11_a_withdrawal_does_not_make_a_large_loss_out_of_a_small_one() -> None:
    """15,000, a loss of 100, then 14,000 withdrawn: it read as 10 % and could set the engine REDUCE_ONLY."""
    fall = fall_from_peak(track(("15000", "0"), ("900", "-14000")))
    assert fall == pytest.approx(Decimal(100) / 15_000, abs=Decimal("1e-20"))
    assert one_day_fall(Decimal(15_000), Decimal(900), flows_of(-14_000)) == pytest.approx(fall, abs=Decimal("1e-20"))


def test_f11_money_that_comes_and_goes_on_one_day_is_not_netted() -> None:
    """1,000 with 14,000 in for the day, of which 100 are lost: 0.67 % of what was there, not 10 %."""
    found = next_track(track(("1000", "0")), Decimal(900), Flows(Decimal(14_000), Decimal(14_000)))
    assert fall_from_peak(found) == pytest.approx(Decimal(100) / 15_000, abs=Decimal("1e-20"))


def test_rm3_after_a_total_loss_measurement_begins_anew_by_the_operator() -> None:
    """The index stood at 0 for ever: whatever was paid in later, the group stayed REDUCE_ONLY."""
    lost = track(("100", "0"), ("-5", "0"))
    assert fall_from_peak(lost) == 1
    again = next_track(rebased(lost), Decimal(90), flows_of(105))
    assert fall_from_peak(again) == pytest.approx(Decimal("0.1"))


def test_rm3_limits_are_strict() -> None:
    trend = P.drawdown["TREND"]
    assert demanded_level(Decimal("0.15"), trend) is Level.NORMAL
    assert demanded_level(Decimal("0.1500001"), trend) is Level.CAUTION
    assert demanded_level(Decimal("0.25"), trend) is Level.CAUTION
    assert demanded_level(Decimal("0.2500001"), trend) is Level.REDUCE_ONLY
    funding = P.drawdown["FUNDING"]
    assert demanded_level(Decimal("0.031"), funding) is Level.CAUTION
    assert demanded_level(Decimal("0.051"), funding) is Level.REDUCE_ONLY
    assert demanded_level(Decimal("0.9"), P.drawdown["CORE-HODL"]) is Level.NORMAL


def test_f11_trend_counts_both_sub_accounts_together() -> None:
    assert P.drawdown["TREND"].engines == (ActorName.TREND_1, ActorName.TREND_2)


def test_rm3_rebased_measures_from_here() -> None:
    assert fall_from_peak(rebased(track(("100", "0"), ("70", "0")))) == 0


def test_f11_one_day_fall_leaves_external_flows_out() -> None:
    assert one_day_fall(Decimal(1000), Decimal(840), flows_of(0)) == Decimal("0.16")
    assert one_day_fall(Decimal(1000), Decimal(500), flows_of(-500)) == 0
    assert one_day_fall(Decimal(1000), Decimal(1008), flows_of(200)) == Decimal("0.16")  # of the 1,200 that were there
    assert one_day_fall(Decimal(0), Decimal(10), flows_of(0)) == 0


@given(st.lists(st.tuples(st.integers(50, 200), st.integers(-40, 40)), min_size=1, max_size=20))
def test_f11_flows_alone_never_make_a_drawdown(days: list[tuple[int, int]]) -> None:
    """A group that only receives and gives money stands at its peak."""
    found, equity = track(("100", "0")), Decimal(100)
    for _, flow in days:
        if equity + flow <= 0:
            continue
        equity += flow
        found = next_track(found, equity, flows_of(flow))
    assert fall_from_peak(found) == 0


def test_rm3_caution_halves_sizes() -> None:
    factors = [switches.size_factor(name, P) for name in RiskStateName]
    assert factors == [Decimal(1), Decimal("0.5"), Decimal(0), Decimal(0), Decimal(0)]


def test_rm4_trips_after_consecutive_readings_never_on_one() -> None:
    """Elsewhere a kill switch fired on one bad reading of the equity."""
    policy = StreakPolicy(level=Level.REDUCE_ONLY, consecutive=3)
    readings, trips = 0, []
    for is_bad in (True, True, False, True, True, True):
        readings, tripped = switches.next_streak(policy, readings, is_bad)
        trips.append(tripped)
    assert trips == [False, False, False, False, False, True]
    with pytest.raises(ValidationError):
        StreakPolicy(level=Level.CAUTION, consecutive=1)


def test_rm4_readings_are_strict() -> None:
    assert not switches.is_reconciliation_off(0, P) and switches.is_reconciliation_off(1, P)


def decided(rejections: Sequence[str], at_ms: int = 0) -> list[DecidedOrder]:
    """The last orders, each with the rejection it was ("" for none), all decided at `at_ms`."""
    orders: list[DecidedOrder] = []
    for rejection in rejections:
        orders = switches.with_decided(orders, DecidedOrder(at_ms, rejection), P)
    return orders


def test_rm4_rejects_above_20_percent_of_the_last_50() -> None:
    """R2: 11 of the last 50, also when there were fewer than 50."""
    each = [f"order {n}: 110007" for n in range(11)]
    assert not switches.are_orders_rejected(decided(each[:10] + [""] * 40), 0, P)
    assert switches.are_orders_rejected(decided(each), 0, P)
    assert switches.are_orders_rejected(decided(each + [""] * 39), 0, P)
    assert not switches.are_orders_rejected(decided(each + [""] * 40), 0, P)


def test_rm4_a_rejection_counts_for_an_hour_and_once_per_order_and_reason() -> None:
    """R2: one order that is refused again and again for one reason is one rejection; after an hour it is none."""
    assert switches.fresh_rejections(decided(["exit: 110074"] * 500), 0, P) == 1
    assert switches.fresh_rejections(decided(["exit: 110074", "exit: 110007", "stop: 110074"]), 0, P) == 3
    each = decided([f"order {n}: 110074" for n in range(11)], at_ms=1_000)
    assert switches.are_orders_rejected(each, 1_000 + HOUR_MS - 1, P)
    assert not switches.are_orders_rejected(each, 1_000 + HOUR_MS, P)


@given(st.lists(st.integers(0, 300), max_size=200))
def test_rm1_repeats_are_recognised_in_any_order(counters: list[int]) -> None:
    window, seen = RepeatWindow(), set()
    for counter in counters:
        assert window.is_repeat(counter) == (counter in seen)
        window.take(counter)
        seen.add(counter)
        window = RepeatWindow(window.high, window.mask)


def test_rm1_what_is_older_than_the_window_counts_as_a_repeat() -> None:
    window = RepeatWindow()
    window.take(10_000)
    assert window.is_repeat(10_000 - WIDTH) and not window.is_repeat(10_001)


def test_a_group_with_only_an_alert_demands_nothing() -> None:
    group = DrawdownGroup(engines=(ActorName.CORE_HODL,), alert=Decimal("0.3"))
    assert demanded_level(Decimal("0.99"), group) is Level.NORMAL
