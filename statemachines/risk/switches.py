"""Switches: the effect of the states (RM-5) and when the automatic ones trip (RM-4). Pure readings and streaks.

A reading is good or bad; `next_streak` trips only after the policy's number of consecutive bad readings, never on one
(a kill switch must not fire on a single bad figure).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from statemachines.risk.machine import RiskStateName
from statemachines.risk.parameters import RiskParameters, StreakPolicy


def size_factor(state: RiskStateName, parameters: RiskParameters) -> Decimal:
    """The factor on the size of entries: half in CAUTION (RM-3), 0 where no entry is allowed."""
    if state is RiskStateName.NORMAL:
        return Decimal(1)
    return parameters.caution_size_factor if state is RiskStateName.CAUTION else Decimal(0)


class Streak(NamedTuple):
    """Consecutive bad readings so far, and whether the last one trips the switch."""

    readings: int
    trips: bool


def next_streak(policy: StreakPolicy, readings: int, is_bad: bool) -> Streak:
    """The streak after one more reading (RM-4: consecutive, never on one)."""
    if not is_bad:
        return Streak(0, False)
    return Streak(readings + 1, readings + 1 >= policy.consecutive)


def is_reconciliation_off(discrepancies: int, parameters: RiskParameters) -> bool:
    """RM-4: whether reconciliation found more differences than tolerated."""
    return discrepancies > parameters.mismatch_tolerance


class DecidedOrder(NamedTuple):
    """An order that the exchange has decided on: when, and its rejection ("" when it was not rejected).

    `rejection` names order and reason, so that a further attempt of the same order rejected for the same reason counts
    as the same rejection.
    """

    at_ms: int
    rejection: str = ""


def with_decided(orders: Sequence[DecidedOrder], order: DecidedOrder, parameters: RiskParameters) -> list[DecidedOrder]:
    """RM-4, R2: the last orders with one more; a rejection counts once per order and reason."""
    if order.rejection and any(one.rejection == order.rejection for one in orders):
        return list(orders)
    return [*orders, order][-parameters.reject_window :]


def fresh_rejections(orders: Sequence[DecidedOrder], now_ms: int, parameters: RiskParameters) -> int:
    """RM-4, R2: how many of the last orders were rejected less than an hour ago."""
    return sum(1 for one in orders if one.rejection and now_ms - one.at_ms < parameters.reject_age_ms)


def are_orders_rejected(orders: Sequence[DecidedOrder], now_ms: int, parameters: RiskParameters) -> bool:
    """RM-4: more than 20 % of the last 50 orders were rejected by the exchange (R2: 11, each under 1 h old).

    With fewer than 50 orders the share is still of 50, so that the first rejection does not trip the switch.
    """
    rejected = fresh_rejections(orders, now_ms, parameters)
    return Decimal(rejected) > parameters.reject_share * parameters.reject_window
