"""Exact decimal arithmetic: money is never rounded silently."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact

EXACT = Context(prec=80, traps=[Inexact])
"""Sums and products of amounts; raises `decimal.Inexact` rather than lose a digit."""


def add(left: Decimal, right: Decimal) -> Decimal:
    """left + right, exactly."""
    return EXACT.add(left, right)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """left × right, exactly."""
    return EXACT.multiply(left, right)
