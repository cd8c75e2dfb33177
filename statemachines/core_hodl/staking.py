"""When idle ETH is staked and redeemed (CH-10 as ruled in C9). Pure functions; quantities in coins.

There is no access to Bybit Earn yet: the engine passes through EARN_OPTIMIZATION and stakes nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from statemachines.core_hodl.parameters import StakingParameters
from statemachines.core_hodl.rules import ZERO
from statemachines.values import DAY_MS

DAYS_PER_YEAR = 365


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


def to_stake(
    held: Decimal, staked: Decimal, offered_yield: Decimal | None, is_calm: bool, p: StakingParameters
) -> Decimal:
    """CH-10, C9: the quantity to stake now, up to 80 % of all ETH held (including `staked` and rewards); 0 below 1 %.

    `offered_yield` is None without access to Bybit Earn.
    """
    if not is_calm or offered_yield is None or offered_yield < p.min_yield:
        return ZERO
    amount = p.max_share * held - staked
    return amount if amount > 0 and amount >= p.min_stake_share * held else ZERO


def to_redeem(held: Decimal, staked: Decimal, sale: Decimal, p: StakingParameters) -> Decimal:
    """C9: only the quantity that a sale lacks, and an excess of more than one point over 80 % of the ETH held after
    it."""
    lacks = max(ZERO, sale - (held - staked))
    after = held - sale
    too_much = staked - lacks - p.max_share * after
    if after > 0 and too_much > p.share_tolerance * after:
        lacks += too_much
    return min(lacks, staked)


def daily_reward(staked: Decimal, p: StakingParameters) -> Decimal:
    """C9: the reward of a stake per day in a replay without Earn data; rewards count as ETH held."""
    return staked * p.replay_yield / DAYS_PER_YEAR
