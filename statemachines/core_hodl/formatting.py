"""Amounts as text for people."""

from __future__ import annotations

from decimal import Decimal


def usdt(amount: Decimal) -> str:
    """An amount for people, e.g. "1,234.50 USDT"."""
    return f"{amount:,.2f} USDT"
