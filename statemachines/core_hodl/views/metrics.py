"""CH-11: the engine's daily metrics. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from statemachines.core_hodl.parameters import CoreHodlParameters, StakingParameters
from statemachines.core_hodl.rules import ZERO, Valuation, drifts, largest, targets
from statemachines.core_hodl.staking.decision import DAYS_PER_YEAR, forgone_a_day, rate
from statemachines.core_hodl.state import EarnRow, EngineRow, HoldingsRow, MarketRow
from statemachines.core_hodl.tranche_plans import planned_usdt
from statemachines.values import DAY_MS

QUARTER_DAYS = 91
FREQUENCY_TOLERANCE_DAYS = 14
"""CH-11: the goal is one rebalance per quarter ± 2 weeks."""


def mean_days_between(days_ms: Sequence[int]) -> Decimal | None:
    """Mean number of days between rebalances; None with fewer than two."""
    if len(days_ms) < 2:
        return None
    return Decimal(days_ms[-1] - days_ms[0]) / DAY_MS / (len(days_ms) - 1)


def is_quarterly(mean_days: Decimal) -> bool:
    """CH-11: whether rebalances occur quarterly ± 2 weeks."""
    return abs(mean_days - QUARTER_DAYS) <= FREQUENCY_TOLERANCE_DAYS


class StakingFigures(NamedTuple):
    """CH-11's figures of staking. `held` includes `staked`; `earned` is the yield paid since the first start, in coins;
    `rate` is what Earn offers a year."""

    held: Decimal
    staked: Decimal
    earned: Decimal
    rate: Decimal

    @classmethod
    def of(cls, known: HoldingsRow, earn: EarnRow, p: StakingParameters) -> StakingFigures:
        """From the engine's rows."""
        held, staked, earned = (one.get(p.asset, ZERO) for one in (known.coins, known.staked, known.earned))
        return cls(held, staked, earned, rate(earn, p))


def metrics(
    books: Valuation,
    engine: EngineRow,
    market: MarketRow,
    staking: StakingFigures,
    day_ms: int,
    p: CoreHodlParameters,
) -> tuple[str, dict[str, Any]]:
    """The day's sentence and figures: drift (goal below 10 points), frequency of rebalances, cash, staking.

    The forgone yield is that of the coins up to 80 % of those held which are not staked, at the rate on offer.
    """
    planned, equity = planned_usdt(engine.plans), books.equity_usdt
    drift = largest(drifts(books, targets(books, planned, p), p))
    cash = books.cash_usdt / equity if equity > 0 else ZERO
    between = mean_days_between(engine.rebalance_days_ms)
    since = (day_ms - engine.rebalance_days_ms[-1]) // DAY_MS if engine.rebalance_days_ms else None
    price = books.prices.get(p.staking.asset, ZERO)
    share = staking.staked / staking.held if staking.held > 0 else ZERO
    forgone = forgone_a_day(staking.held, staking.staked, staking.rate, p.staking) * DAYS_PER_YEAR
    earned_usdt, forgone_usdt = staking.earned * price, engine.staking_forgone * price
    data = {
        "equity_usdt": f"{equity:.2f}",
        "drift_points": f"{drift * 100:.4f}",
        "drift_within_goal": drift < p.max_drift,
        "cash_share": f"{cash:.6f}",
        "planned_usdt": f"{planned:.2f}",
        "suspended": market.suspended,
        "days_since_rebalance": since,
        "mean_days_between_rebalances": None if between is None else f"{between:.1f}",
        "quarterly": None if between is None else is_quarterly(between),
        "staked": f"{staking.staked:f}",
        "staked_share": f"{share:.6f}",
        "staking_rate": f"{staking.rate:.6f}",
        "staking_yield": f"{staking.earned:f}",
        "staking_yield_usdt": f"{earned_usdt:.2f}",
        "staking_forgone_usdt": f"{forgone_usdt:.2f}",
        "staking_forgone_usdt_a_year": f"{forgone * price:.2f}",
    }
    text = (
        f"engine {equity:,.2f} USDT, drift {drift * 100:.2f} points, cash {cash:.2%}, planned {planned:,.2f} USDT, "
        f"{share:.2%} of {p.staking.asset} staked at {staking.rate:.2%} a year: {earned_usdt:,.2f} USDT earned, "
        f"{forgone_usdt:,.2f} USDT forgone so far (CH-11)"
    )
    if market.suspended:
        text += "; rebalancing is suspended (CH-8)"
    if engine.calendar_due_ms is not None:
        text += "; a quarter's end is pending (C3)"
    return text, data
