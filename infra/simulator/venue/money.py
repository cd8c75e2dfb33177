"""Decimal helpers: units of account, rounding, and the wire form of numbers."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal

ZERO = Decimal(0)
USDT_UNIT = Decimal("0.00000001")
COIN_UNIT = Decimal("0.000000000000000001")


def text(value: Decimal) -> str:
    """Plain notation without an exponent or trailing zeros: ``1E+2`` -> ``100``, ``0.500`` -> ``0.5``."""
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain


def decimals(coin: str) -> int:
    """How many decimals an amount of the coin may have: 8 for USDT, 18 for coins."""
    return -int((USDT_UNIT if coin == "USDT" else COIN_UNIT).as_tuple().exponent)


def to_unit(coin: str, amount: Decimal) -> Decimal:
    """The amount in the coin's smallest booked unit: 1e-8 for USDT, 1e-18 for coins (exact for spot fees)."""
    return amount.quantize(USDT_UNIT if coin == "USDT" else COIN_UNIT, rounding=ROUND_HALF_EVEN)


def usdt(amount: Decimal) -> Decimal:
    """``to_unit`` for USDT."""
    return amount.quantize(USDT_UNIT, rounding=ROUND_HALF_EVEN)


def on_step(value: Decimal, step: Decimal) -> bool:
    """Whether the value is a whole number of steps."""
    return value % step == 0


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of the step at or below a non-negative value."""
    return (value / step).to_integral_value(rounding=ROUND_DOWN) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of the step at or above a non-negative value."""
    return (value / step).to_integral_value(rounding=ROUND_UP) * step
