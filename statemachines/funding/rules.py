"""The rules FU-1 .. FU-9 as pure functions, each as ruled in RULINGS F1 .. F11."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from statemachines.funding.parameters import FundingParameters
from statemachines.limits.funding_rates import EIGHT_HOURS_MIN
from statemachines.outlook.terms import Term
from statemachines.values import DAY_MS, MINUTE_MS, Instrument, ceil_to_step, floor_to_step

ZERO = Decimal(0)
SETTLEMENT_MS = EIGHT_HOURS_MIN * MINUTE_MS
DAY_SETTLEMENTS = 3


class ExitReason(StrEnum):
    """Why a pair is closed; the rules' reasons in their order of precedence at one instant (D5)."""

    FLATTEN = "RM-5 the operator flattens"
    INSURANCE = "FU-9 insurance fund depleted"
    ALL_OUT = "FU-8 negative periods in a row"
    NEGATIVE = "FU-3 negative rate"
    BASIS = "FU-3 basis"
    MAX_HOLD = "FU-3 holding time"
    CAPITAL = "OR-2, OR-4 capital is given"
    NAKED_LEG = "FU-4 leg not filled"
    SHORT_LOST = "short closed by the exchange"
    STRAY_FILL = "late fill without a pair"


class PairSize(NamedTuple):
    """Quantities of the two orders that open a pair: the short in whole lots and the spot order before its fee."""

    short: Decimal
    spot_order: Decimal


def basis(perp_price: Decimal, spot_price: Decimal) -> Decimal:
    """FU-2, FU-3, F5: (perp - spot) / spot, signed.

    Raises:
        ValueError: the spot price is not positive.
    """
    if spot_price <= 0:
        raise ValueError(f"spot price {spot_price} is not allowed; it must be above 0")
    return (perp_price - spot_price) / spot_price


def entry_terms(
    predicted: Decimal | None, settled: Sequence[Decimal], basis_now: Decimal | None, parameters: FundingParameters
) -> tuple[Term, ...]:
    """FU-2 (F1, F2, F5): what a settlement must show for a pair to be opened.

    `predicted` and `settled` (oldest first) are per 8 h; `basis_now` is None when a leg has no fresh price.
    """
    count, most = parameters.positive_periods, parameters.max_basis
    recent = settled[-count:]
    lowest = min(recent) if len(recent) == count else None
    return (
        Term("predicted rate per 8 h", predicted, "above", parameters.min_rate, "share", parameters.min_rate),
        Term(f"lowest of the last {count} settled rates per 8 h", lowest, "above", ZERO, "share", parameters.min_rate),
        Term("basis", basis_now, "below", most, "share", most),
        Term("basis", basis_now, "at_least", -most, "share", most),
    )


def wide_basis_term(basis_now: Decimal | None, parameters: FundingParameters) -> Term:
    """FU-3, F5: a reading of the basis above the limit; a stale one (None) is none."""
    return Term("basis", basis_now, "above", parameters.max_basis, "share", parameters.max_basis)


def basis_run(run: int, basis_now: Decimal | None, parameters: FundingParameters) -> int:
    """FU-3, F5: consecutive fresh readings above the limit; a stale reading (None) resets the count."""
    return run + 1 if wide_basis_term(basis_now, parameters).holds else 0


def hold_term(entered_ms: int, settle_ms: int, interval_min: int, parameters: FundingParameters) -> Term:
    """FU-3, F6: 42 eight-hour settlements after the fill, or 14 x 24 h for other funding intervals."""
    days = parameters.max_hold_days
    if interval_min == EIGHT_HOURS_MIN:
        periods, limit = settle_ms // SETTLEMENT_MS - entered_ms // SETTLEMENT_MS, Decimal(days * DAY_SETTLEMENTS)
        return Term("settlements since the entry", Decimal(periods), "at_least", limit, "settlements", limit)
    held = Decimal(settle_ms - entered_ms) / DAY_MS
    return Term("days since the entry", held, "at_least", Decimal(days), "days", Decimal(days))


def leg_room_usdt(equity_usdt: Decimal, held_usdt: Decimal, factor: Decimal, parameters: FundingParameters) -> Decimal:
    """FU-7, F7: USDT of spot that may still be bought for one asset; never negative. `factor` is RM-3's."""
    return max(Decimal(0), equity_usdt * parameters.max_share_per_asset * factor - held_usdt)


def spot_order_for(short: Decimal, fee_rate: Decimal, step: Decimal) -> Decimal:
    """FU-4, F9: the spot order whose net coins cover `short`: n / (1 - fee), rounded up to the spot step."""
    return ceil_to_step(short / (1 - fee_rate), step)


def pair_size(
    room_usdt: Decimal, price: Decimal, fee_rate: Decimal, spot: Instrument, perp: Instrument
) -> PairSize | None:
    """FU-4, FU-7: the largest pair whose spot order costs no more than `room_usdt` at `price`.

    The short is whole lots of the coarser step. None when not even one lot fits or a leg violates a filter of its
    instrument: both legs are checked before anything is sent (a pair needs both legs).
    """
    step = max(spot.qty_step, perp.qty_step)
    short = floor_to_step(max(Decimal(0), room_usdt / price) * (1 - fee_rate), step)
    order = spot_order_for(short, fee_rate, spot.qty_step)
    if order * price > room_usdt:  # rounding up the spot order broke the limit
        short -= step
        order = spot_order_for(short, fee_rate, spot.qty_step)
    if short <= 0 or not spot.tradable(order, price) or not perp.tradable(short, price):
        return None
    return PairSize(short, order)


def split_payment(amount_usdt: Decimal, parameters: FundingParameters) -> tuple[Decimal, Decimal]:
    """FU-5, F8: (carry of the asset, owed to TACTICAL) of a payment received; their sum is exactly the payment."""
    carry = amount_usdt * parameters.compound_share
    return carry, amount_usdt - carry
