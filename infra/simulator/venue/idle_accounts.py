"""Which accounts nothing can happen to for the rest of an hour: their path points are passed without a look.

The prices that the hour still reaches are known to the matching core alone: an order that none of them
reaches cannot fire, and an account whose margin holds at the worst of them cannot be liquidated. Whatever touches
the account wakes it. A memo only: the state and its snapshots know nothing of it.
"""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.market.path import points
from infra.simulator.market.port import Bar
from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.model import Account, Order
from infra.simulator.venue.state import Venue

Range = tuple[Decimal, Decimal]


def is_asleep(venue: Venue, account: Account, stage: int) -> bool:
    """Whether no path point from ``stage`` (1 or later) to the end of the hour can matter to the account."""
    known = venue.sleep.get(account.name)
    if known is not None and known[0] == venue.hour_ms:
        return known[1]
    found = _can_sleep(venue, account, stage)
    venue.sleep[account.name] = (venue.hour_ms, found)
    return found


def _can_sleep(venue: Venue, account: Account, stage: int) -> bool:
    for order in account.open.values():
        # The owner of a working limit order is shown every point, since a new quote may follow.
        if order.is_active or _can_trigger(venue, order, stage):
            return False
    return _margin_holds(venue, account, stage)


def _can_trigger(venue: Venue, order: Order, stage: int) -> bool:
    if order.trigger_by == "MarkPrice" and order.category == "linear":
        reached = _mark_range(venue, order.symbol, stage)
    elif order.trigger_by == "IndexPrice":
        return True
    else:
        reached = _last_range(venue, order.category, order.symbol, stage)
    if reached is None:
        return True
    low, high = reached
    return high >= order.trigger_price if order.trigger_direction == 1 else low <= order.trigger_price


def _margin_holds(venue: Venue, account: Account, stage: int) -> bool:
    held = [position for position in account.positions.values() if position.size]
    if not held:
        return True
    spare = account.balance("USDT")
    for position in held:
        reached = _mark_range(venue, position.symbol, stage)
        if reached is None:
            return False
        low, high = reached
        rate = instrument("linear", position.symbol).mm_rate
        # Worst for a long is the lowest mark, for a short the highest; the margin it needs grows with the mark.
        if position.size > 0:
            spare += position.size * low - position.cost - position.size * high * rate
        else:
            spare += position.size * high + position.cost + position.size * high * rate
    return spare > 0


def _last_range(venue: Venue, category: str, symbol: str, stage: int) -> Range | None:
    """Lowest and highest last price at the points still to come; None in a gap."""
    return _range(venue, venue.market.hour(category, symbol, venue.hour_ms), stage)


def _mark_range(venue: Venue, symbol: str, stage: int) -> Range | None:
    """The same of the mark price; None in a gap, where an older price stands in for it."""
    return _range(venue, venue.market.mark_hour(symbol, venue.hour_ms), stage)


def _range(venue: Venue, bar: Bar | None, stage: int) -> Range | None:
    if bar is None:
        return None
    if stage <= 1 or venue.config.tick_ms is not None:
        return bar.low, bar.high  # both extremes may be still to come
    to_come = points(bar)[stage:]
    return min(to_come), max(to_come)
