"""FU-9: when the exchange's insurance fund counts as depleted."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from statemachines.values import HOUR_MS

MOST_READINGS = 10
"""So many readings running may be required at most, and are supplied after a fall."""


class InsuranceReading(NamedTuple):
    """The insurance fund's balance in USDT at an instant."""

    market_ms: int
    balance_usdt: Decimal


class InsuranceLimits(NamedTuple):
    """A fall (fraction of 1) within a window of hours, required of that many consecutive readings (FU-9, RM-4)."""

    fall: Decimal
    window_h: int
    readings: int


def is_insurance_fund_depleted(readings: Sequence[InsuranceReading], limits: InsuranceLimits) -> bool:
    """FU-9, RM-4: whether all of the newest readings are below the window's highest reading by more than the limit."""
    if len(readings) <= limits.readings:
        return False
    since_ms = readings[-1].market_ms - limits.window_h * HOUR_MS
    peak = max((one.balance_usdt for one in readings if one.market_ms >= since_ms), default=Decimal(0))
    return all(one.balance_usdt < peak * (1 - limits.fall) for one in readings[-limits.readings :])
