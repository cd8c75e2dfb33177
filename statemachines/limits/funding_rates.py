"""Funding rates of every interval on one scale: per 8 hours (FU-2, F1; TR-14, T11; TA-3, A6)."""

from __future__ import annotations

from decimal import Decimal

EIGHT_HOURS_MIN = 480
"""The interval of nearly all perpetuals; assumed for a rate that is reported without an interval."""


def rate_per_8h(rate: Decimal, interval_min: int = EIGHT_HOURS_MIN) -> Decimal:
    """A settled or predicted rate, scaled from its funding interval in minutes to 8 hours.

    Raises:
        ValueError: the interval is not positive.
    """
    if interval_min <= 0:
        raise ValueError(f"funding interval {interval_min} min is not allowed; it must be above 0")
    return rate if interval_min == EIGHT_HOURS_MIN else rate * EIGHT_HOURS_MIN / interval_min
