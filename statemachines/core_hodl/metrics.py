"""CH-11: the engine's daily metrics. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.core_hodl.rules import ZERO, Valuation, drifts, largest, targets
from statemachines.core_hodl.state import EngineRow, MarketRow
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


def metrics(
    books: Valuation, engine: EngineRow, market: MarketRow, day_ms: int, p: CoreHodlParameters
) -> tuple[str, dict[str, Any]]:
    """The day's sentence and figures: drift (goal below 10 points), frequency of rebalances, cash, staking.

    Without access to Bybit Earn the yield is 0, and the forgone yield is that of 80 % of the ETH held at the configured
    rate.
    """
    planned, equity = planned_usdt(engine.plans), books.equity_usdt
    drift = largest(drifts(books, targets(books, planned, p), p))
    cash = books.cash_usdt / equity if equity > 0 else ZERO
    between = mean_days_between(engine.rebalance_days_ms)
    since = (day_ms - engine.rebalance_days_ms[-1]) // DAY_MS if engine.rebalance_days_ms else None
    idle = books.value(p.staking.asset) if p.staking.asset in books.prices else ZERO
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
        "staking_yield_usdt": "0",
        "staking_forgone_usdt_a_year": f"{idle * p.staking.max_share * p.staking.replay_yield:.2f}",
    }
    text = f"engine {equity:,.2f} USDT, drift {drift * 100:.2f} points, cash {cash:.2%}, planned {planned:,.2f} USDT"
    if market.suspended:
        text += "; rebalancing is suspended (CH-8)"
    if engine.calendar_due_ms is not None:
        text += "; a quarter's end is pending (C3)"
    return text, data
