"""What a market can produce. Every bound beyond which a figure of the exchange is refused is defined here, once.

The bounds are wide: the widest figures of real markets stay inside (`tests/statemachines/test_plausibility.py` holds
them against the recorded history), and what lies beyond them was mangled on its way or is a fault of the exchange.
Money is not put on it in either case.
"""

from __future__ import annotations

from decimal import Decimal

MOST_FEE_PART = Decimal("0.01")
"""A trading fee is at most 1 % of the traded value; the highest public rate of the exchange is below 0.5 %."""

MOST_FUNDING_RATE = Decimal("0.05")
"""A funding rate is at most 5 % of the position's value in one interval; the exchange caps it at 4 % or less."""
