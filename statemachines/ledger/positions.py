"""Linear positions as the exchange keeps them: signed quantity and entry value, weighted entry average."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from statemachines.ledger.exact import add, multiply
from statemachines.values import Side

ZERO = Decimal(0)
USDT_UNIT = Decimal("0.00000001")
"""Smallest unit in which the exchange books USDT."""


class Position(NamedTuple):
    """`quantity` is signed base coin, `entry_value` the unsigned USDT value at entry of what is held."""

    quantity: Decimal = ZERO
    entry_value: Decimal = ZERO

    @property
    def average_price(self) -> Decimal:
        """Weighted entry average in USDT; 0 when flat."""
        return self.entry_value / abs(self.quantity) if self.quantity else ZERO


class Change(NamedTuple):
    """A position after an execution, the quantity closed, and the profit before fees by our own ledger."""

    position: Position
    closed: Decimal
    realized_pnl: Decimal


def apply_execution(position: Position, side: Side, quantity: Decimal, price: Decimal) -> Change:
    """Apply one execution: it opens or adds at its price, closes at the average, or flips through zero."""
    held = abs(position.quantity)
    against = position.quantity * side.sign < 0
    closing = min(quantity, held) if against else ZERO
    opening = quantity - closing
    size, value, pnl = position.quantity, position.entry_value, ZERO
    if closing:
        whole = closing == held
        entry = value if whole else _unit(value * closing / held)
        exit_value = multiply(price, closing)
        pnl = _unit(exit_value - entry if size > 0 else entry - exit_value)
        size = add(size, side.sign * closing)
        value = ZERO if whole else add(value, -entry)
    if opening:
        size = add(size, side.sign * opening)
        value = add(value, multiply(price, opening))
    return Change(Position(size, value), closing, pnl)


def adopted(quantity: Decimal, average_price: Decimal) -> Position:
    """A position adopted as the exchange reports it."""
    return Position(quantity, multiply(abs(quantity), average_price))


def _unit(amount: Decimal) -> Decimal:
    return amount.quantize(USDT_UNIT, rounding=ROUND_HALF_EVEN)
