"""Matching open orders against one path point: which fire, in which order, and at what price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from infra.simulator.venue.margin import is_exhausted
from infra.simulator.venue.model import Account, Order
from infra.simulator.venue.orders.liquidation import liquidate
from infra.simulator.venue.orders.working import fill_resting, trigger
from infra.simulator.venue.state import Venue


def fired(venue: Venue, account: Account) -> list[list[str]]:
    """``[order id, price]`` of every order that this path point fills or triggers, in the order in which it is passed.

    On the way between two points the price is continuous, so orders fire by their distance from the previous
    point; at the open point of an hour the price jumped, so they fire in the order of their creation.
    """
    hits: list[tuple[Decimal, int, str, Decimal]] = []
    for order in account.open.values():
        if order.point == venue.prices.point or not venue.prices.is_listed(order.category, order.symbol, venue.now_ms):
            continue
        hit = _conditional(venue, order) if order.status == "Untriggered" else _resting(venue, order)
        if hit is not None:
            price, distance = hit
            hits.append((Decimal(0) if venue.prices.index == 0 else distance, order.seq, order.id, price))
    hits.sort(key=lambda one: one[:2])
    return [[order_id, str(price)] for _, _, order_id, price in hits]


def _resting(venue: Venue, order: Order) -> tuple[Decimal, Decimal] | None:
    last = venue.prices.last(order.category, order.symbol)
    if (last - order.price) * order.sign > 0:
        return None
    return order.price, abs(order.price - venue.prices.previous_last(order.category, order.symbol))


def _conditional(venue: Venue, order: Order) -> tuple[Decimal, Decimal] | None:
    """The price at which a triggered order starts to work: the trigger, or what gapped over it."""
    before, now = venue.prices.trigger_pair(order.category, order.symbol, order.trigger_by)
    reached = now >= order.trigger_price if order.trigger_direction == 1 else now <= order.trigger_price
    if not reached:
        return None
    last = venue.prices.last(order.category, order.symbol)
    by_last = order.trigger_by in ("", "LastPrice") or order.category == "spot"
    # Between points the last price passed the trigger itself; at the open, or where it was placed beyond the trigger
    # already (a stop attached by a fill), it never traded there.
    was_beyond = before > order.trigger_price if order.trigger_direction == 1 else before < order.trigger_price
    start = order.trigger_price if by_last and venue.prices.index > 0 and not was_beyond else last
    return start, abs(order.trigger_price - before)


def match(venue: Venue, account: Account, hits: list[Any]) -> None:
    """Carry out what ``fired`` found, unless the owner changed it meanwhile; then test the margin."""
    for order_id, price in hits:
        order = account.orders[order_id]
        if not order.is_open or order.point == venue.prices.point:
            continue
        if order.status == "Untriggered":
            trigger(venue, account, order, Decimal(price))
        else:
            fill_resting(venue, account, order)
    if is_exhausted(venue, account):
        liquidate(venue, account)


def needs_quotes(account: Account, hits: list[list[str]]) -> bool:
    """Whether the owner works limit orders that this point did not fill, and so may quote anew."""
    gone = {order_id for order_id, _ in hits}
    return any(order.is_active and order.id not in gone for order in account.open.values())
