"""Amounts by name, and how durable rows keep them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

Amounts = dict[str, Decimal]
"""By coin, or by another name."""


def texts_of(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    """Amounts by name as a durable row keeps them."""
    return {name: str(amount) for name, amount in sorted(amounts.items())}


def decimals_of(texts: Mapping[str, str]) -> Amounts:
    """From the result of `texts_of`."""
    return {name: Decimal(text) for name, text in texts.items()}
