"""Numbers as text: amounts for people, counters for ids."""

from __future__ import annotations

from decimal import Decimal

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    """`number` (> 0) in base 36."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text


def usdt(amount: Decimal) -> str:
    """An amount for people, e.g. "1,234.50 USDT"."""
    return f"{amount:,.2f} USDT"
