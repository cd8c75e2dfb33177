"""CREATED → VALIDATED or DENIED: the instrument's own filters, once more, before anything is sent (RM-1, EX-1)."""

from __future__ import annotations

from decimal import Decimal

from statemachines.order.order import Order
from statemachines.values import Instrument


def filter_problem(order: Order, instrument: Instrument | None, about_price: Decimal) -> str | None:
    """A sentence that says which filter the order violates; None when the exchange would take it.

    `about_price` values orders without a price of their own. The minimum value does not bind reduce-only orders.
    """
    name = f"{order.category} {order.symbol}"
    if instrument is None:
        return f"{name} is not an instrument that the exchange lists"
    if order.closes_rest:
        # X1: below a lot by its nature; the exchange takes it as quantity 0 that closes the position.
        is_close = order.reduce_only and order.category == "linear" and order.style == "market"
        return None if is_close else f"{name}: only a reduce-only market order can close a rest below a lot"
    if order.quantity <= 0 or order.quantity % instrument.qty_step:
        return f"quantity {order.quantity} of {name} is not a positive multiple of the lot step {instrument.qty_step}"
    if order.quantity < instrument.min_qty:
        return f"quantity {order.quantity} of {name} is below the minimum {instrument.min_qty}"
    most = instrument.max_limit_qty if order.style == "post_only" else instrument.max_market_qty
    if most and order.quantity > most:
        return f"quantity {order.quantity} of {name} is above the maximum {most} of a {order.style} order"
    for label, price in (("price", order.price), ("trigger price", order.trigger_price)):
        if price is not None and (price <= 0 or price % instrument.tick_size):
            return f"{label} {price} of {name} is not a positive multiple of the tick {instrument.tick_size}"
    if order.style == "stop_market" and order.trigger_price is None:
        return f"a stop on {name} needs a trigger price"
    if order.reduce_only and order.category == "spot":
        return f"{name} cannot be reduce-only; only linear orders can"
    value = order.quantity * (order.price or order.trigger_price or about_price)
    if not order.reduce_only and value < instrument.min_notional_usdt:
        return f"value {value:.2f} USDT of {name} is below the minimum {instrument.min_notional_usdt}"
    return None
