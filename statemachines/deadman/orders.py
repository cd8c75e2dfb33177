"""Which open orders the dead-man switch cancels (RM-4): ours, by their client id, that open or enlarge a position.

A stop protects and stays, whatever else it says; a reduce-only order reduces and stays; an order that is not ours is
never touched. A spot order cannot be reduce-only at the exchange, so every open spot order of ours is cancelled: a
maker sale left alone for minutes is as unattended as a maker purchase, and spot needs no protection by orders.
"""

from __future__ import annotations

from typing import NamedTuple

from statemachines.execution.orders.order_ids import parse_client_order_id


class RestingOrder(NamedTuple):
    """An open order as far as the dead-man switch has to understand it. `is_conditional`: it waits for a trigger, or
    the exchange calls it a stop of whatever kind; `closes_position`: it only ever closes (close-on-trigger)."""

    client_order_id: str
    category: str
    symbol: str
    is_reduce_only: bool
    is_conditional: bool
    closes_position: bool


def is_ours(installation: str, client_order_id: str) -> bool:
    """Whether the id is one that this installation gives its orders (EX-5)."""
    return parse_client_order_id(installation, client_order_id) is not None


def is_entry(installation: str, order: RestingOrder) -> bool:
    """Whether the order is one that must not stand in silence."""
    protects = order.is_reduce_only or order.is_conditional or order.closes_position
    return is_ours(installation, order.client_order_id) and not protects
