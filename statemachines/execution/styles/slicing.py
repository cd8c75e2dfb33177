"""EX-8, X4: how the order manager works an order in slices: how much is sent next, and when."""

from __future__ import annotations

from decimal import Decimal

from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.child_order import ChildOrder, Style
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.submission import gate_of
from statemachines.limits.slices import SLICE_PACE_MS
from statemachines.values import Instrument

_STYLES: dict[str, Style] = {"market": "market", "maker": "post_only", "stop": "stop_market"}


def next_quantity(parent: ParentOrder, most: Decimal) -> Decimal:
    """The part of `most` that one order carries."""
    limit = parent.approved.slice_quantity
    return most if limit is None else min(most, limit)


def next_slice(parent: ParentOrder, most: Decimal, price: Decimal, instrument: Instrument | None) -> Decimal:
    """The part of `most` that the next order carries at this price: where the market is so thin that a slice is as
    small as the venue's minimum, a price below that of the decision must not bring it under the minimum."""
    piece = next_quantity(parent, most)
    if instrument is None or instrument.tradable(piece, price):
        return piece
    return min(most, instrument.least_qty(price))


def asked_quantity(parent: ParentOrder, order: ChildOrder) -> Decimal:
    """What a resting order stands for: a stop above the venue's maximum for its whole quantity, since the rest follows
    at market as soon as this part has fired."""
    is_slice = order.quantity == next_quantity(parent, parent.quantity)
    return parent.quantity if is_slice else order.quantity


def next_style(parent: ParentOrder) -> Style:
    """The style of the next order. A stop that has fired and is larger than one order continues at market."""
    is_fired = parent.intent.style == "stop" and parent.filled > 0
    return "market" if is_fired else _STYLES[parent.intent.style]


def due_ms(parent: ParentOrder) -> int | None:
    """The earliest instant of the next slice; None when it may be sent at once. Orders that reduce risk do not wait."""
    if parent.sliced_ms is None or gate_of(parent.intent) is None:
        return None
    return parent.sliced_ms + SLICE_PACE_MS


def is_due(context: ExecutionContext, parent: ParentOrder) -> bool:
    """Whether the next slice may be sent now."""
    due = due_ms(parent)
    return due is None or due <= context.now_ms


def continues(parent: ParentOrder, order: ChildOrder) -> bool:
    """Whether another slice follows an order that has ended: the market took some of this one. One that found no
    market at all ends the intent, as it would have ended it whole."""
    if parent.approved.slice_quantity is None or parent.remaining <= 0 or order.filled_quantity <= 0:
        return False
    return order.state in (OrderState.FILLED, OrderState.CANCELLED)
