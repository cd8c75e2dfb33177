"""Whether a period is calm enough to stake idle ETH (CH-10 as ruled in C9).

Staking itself is not built: there is no access to Bybit Earn. The engine passes through EARN_OPTIMIZATION and stakes
nothing; its daily metrics include the forgone yield.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from statemachines.core_hodl.parameters import StakingParameters
from statemachines.values import DAY_MS


class Calm(NamedTuple):
    """Whether the period is stable (CH-10), with the reason as a sentence."""

    is_calm: bool
    reason: str


def calm(volatility: Decimal | None, day_ms: int, calendar_ms: int, drift_is_due: bool, p: StakingParameters) -> Calm:
    """C9: volatility below 60 %, the calendar date more than 14 days away and no drift rebalance due."""
    days = (calendar_ms - day_ms) // DAY_MS
    if volatility is None:
        return Calm(False, f"the volatility of {p.asset} is not known: fewer than {p.volatility_returns + 1} closes")
    shown = f"volatility of {p.asset} {volatility:.2%}, {days} days to the calendar date"
    if volatility >= p.max_volatility:
        return Calm(False, f"{shown}: not stable, {p.max_volatility:.0%} or more")
    if days <= p.calm_days:
        return Calm(False, f"{shown}: a rebalance is due within {p.calm_days} days")
    if drift_is_due:
        return Calm(False, f"{shown}: a drift rebalance is due")
    return Calm(True, f"{shown}: stable")
