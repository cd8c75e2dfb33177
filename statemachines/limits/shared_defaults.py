"""Defaults of settings that several parts use: each is defined here once and has one setting (`SetBy`)."""

from __future__ import annotations

from decimal import Decimal

MAX_SLIPPAGE = Decimal("0.005")
"""EX-3: maximum slippage of a market order, a fraction of the touch; set as `orders.max_slippage`."""

SPOT_TAKER_FEE = Decimal("0.001")
"""The venue's taker fee on spot, a fraction of the traded value; set as `engines.funding.spot_fee_rate`."""

CAUTION_SIZE_FACTOR = Decimal("0.5")
"""RM-3, R2: what the sizes of entries are multiplied by in CAUTION; set as `risk.caution_size_factor`."""

MAKER_LIFE_H = 24
"""CH-3: how long a maker order is quoted, in hours of market time; set as `engines.core_hodl.maker_life_h`."""
