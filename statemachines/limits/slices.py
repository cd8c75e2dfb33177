"""EX-8, X4: orders too large for the venue or for the market are worked in slices.

The limit of a slice is fixed at the decision, by the volume known then; one slice is live at a time.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from statemachines.values import MINUTE_MS, Instrument, ceil_to_step

SHARE_OF_VOLUME = Decimal("0.01")
"""The largest part of the mean hourly volume that one order may be."""

SLICE_PACE_MS = MINUTE_MS
"""Entries, tranches, rebalances and deployments place at most one slice in this time; exits do not wait."""

MAX_CONDITIONAL_ORDERS = 10
"""Conditional orders of one perpetual that Bybit takes at once from an account."""


def slice_of(
    quantity: Decimal, price: Decimal, is_maker: bool, mean_volume: Decimal | None, instrument: Instrument
) -> Decimal | None:
    """The quantity of one slice in base coin, in whole lots; None when the order is sent whole.

    `mean_volume` is V, the mean volume per hour in base coin; None (unknown): only the venue's maximum counts. Slices
    are equal, so that the last one is no remainder below the venue's minimum, and never below that minimum.
    """
    limit = largest_order(price, is_maker, mean_volume, instrument)
    if limit is None or quantity <= limit:
        return None
    return equal_part(quantity, limit, instrument.qty_step)


def equal_part(quantity: Decimal, limit: Decimal, step: Decimal) -> Decimal:
    """One of the fewest equal parts of a quantity that do not exceed the limit, rounded up to the step."""
    number = (quantity / limit).to_integral_value(rounding=ROUND_CEILING)
    return ceil_to_step(quantity / number, step)


def largest_order(
    price: Decimal, is_maker: bool, mean_volume: Decimal | None, instrument: Instrument
) -> Decimal | None:
    """The largest order that is sent whole, in base coin and whole lots; None without a limit."""
    limit = venue_maximum(instrument, is_maker)
    if mean_volume is None:
        return limit
    share = max(instrument.floor_qty(mean_volume * SHARE_OF_VOLUME), instrument.least_qty(price))
    return share if limit is None else min(limit, share)


def venue_maximum(instrument: Instrument, is_maker: bool) -> Decimal | None:
    """The venue's largest order in base coin, in whole lots; None when it has no maximum, or one below a lot, which
    permits no order at all and is refused elsewhere (`filters_problem`)."""
    most = instrument.floor_qty(instrument.max_limit_qty if is_maker else instrument.max_market_qty)
    return most if most > 0 else None
