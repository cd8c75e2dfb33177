"""TR-9 as ruled in T8: leverage and distance to liquidation of one sub-account, for both engine and risk manager."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)

MAX_LEVERAGE = Decimal(2)
"""TR-9: leverage is at most 2x. No setting goes beyond: the exchange's leverage and every limit of a notional in
multiples of equity end there (T8 sets the default of the total to 1.9, below it)."""


class Exposure(NamedTuple):
    """One position or order: signed quantity, valuation price (USDT), maintenance margin rate."""

    quantity: Decimal
    price: Decimal
    maintenance_margin_rate: Decimal

    @property
    def notional_usdt(self) -> Decimal:
        """Its size at that price, without sign."""
        return abs(self.quantity) * self.price


class ExposureLimits(NamedTuple):
    """TR-9: notional per asset and in total, in multiples of equity; the minimum liquidation buffer, a fraction of
    1."""

    max_asset: Decimal = Decimal(1)
    max_total: Decimal = Decimal("1.9")
    min_liquidation_buffer: Decimal = Decimal("0.5")

    def allows_asset(self, notional_usdt: Decimal, equity_usdt: Decimal) -> bool:
        """Whether one asset may have this notional."""
        return notional_usdt <= self.max_asset * equity_usdt

    def allows_total(self, notional_usdt: Decimal, equity_usdt: Decimal) -> bool:
        """Whether all assets together may have this notional."""
        return notional_usdt <= self.max_total * equity_usdt

    def allows_buffer(self, buffer: Decimal | None) -> bool:
        """Whether an entry may leave this liquidation buffer; at the limit it is refused. None: no position."""
        return buffer is None or buffer > self.min_liquidation_buffer


def liquidation_buffer(equity_usdt: Decimal, exposures: Iterable[Exposure]) -> Decimal | None:
    """TR-9, T8: the fraction x by which all marks must move against their positions simultaneously until equity equals
    the maintenance margin: equity - x·ΣN = Σ m·N·(1 - s·x) with notional N, rate m and direction s. None when flat.

    The margin is taken at the mark of the liquidation: it grows with a short's loss and shrinks with a long's.
    """
    total = margin = signed = ZERO
    for quantity, price, rate in exposures:
        if quantity == ZERO:
            continue
        value = quantity * price
        total += abs(value)
        margin += abs(value) * rate
        signed += value * rate
    return None if total == ZERO else (equity_usdt - margin) / (total - signed)
