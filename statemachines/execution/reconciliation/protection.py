"""TR-5: an audit of the exchange's own lists: every position of an engine that trades with stops is covered by them.

It asks neither the engine nor our orders, so that an error of either is found too.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from statemachines.limits.slices import MAX_CONDITIONAL_ORDERS, venue_maximum
from statemachines.requests import AccountSnapshot, OrderReport, VenueOrderStatus
from statemachines.values import ENGINE_OF, LINEAR, ActorName, Category, Instrument, Side

PROTECTED: frozenset[ActorName] = frozenset({ActorName.TREND_1, ActorName.TREND_2})
"""The engines whose positions have a stop at the exchange at every instant (TR-5)."""


class Unprotected(NamedTuple):
    """A position of which the exchange's stops cover only a part; both in base coin, `held` is signed."""

    symbol: str
    held: Decimal
    covered: Decimal
    stops: tuple[OrderReport, ...] = ()


def unprotected(
    snapshot: AccountSnapshot, instruments: Mapping[tuple[Category, str], Instrument]
) -> tuple[Unprotected, ...]:
    """The positions of one reading that their stops do not cover completely, or as far as the venue takes stops, in
    alphabetical order.

    Empty for an account whose engine needs no stops, and for one with unreadable orders or positions: what is unknown
    is not absent.
    """
    if ENGINE_OF.get(snapshot.account) not in PROTECTED:
        return ()
    if any(one.kind in ("order", "position") and not one.is_foreign for one in snapshot.set_aside):
        return ()
    found = []
    for position in sorted(snapshot.positions, key=lambda one: one.symbol):
        closing = Side.SELL if position.quantity > 0 else Side.BUY
        stops = tuple(order for order in snapshot.open_orders if _is_stop(order, position.symbol, closing))
        covered = sum((order.quantity - order.filled_quantity for order in stops), Decimal(0))
        instrument = instruments.get((LINEAR, position.symbol))
        most = None if instrument is None else venue_maximum(instrument, is_maker=False)
        needed = abs(position.quantity)
        if most is not None:
            needed = min(needed, most * MAX_CONDITIONAL_ORDERS)
        if covered < needed:
            found.append(Unprotected(position.symbol, position.quantity, covered, stops))
    return tuple(found)


def _is_stop(order: OrderReport, symbol: str, closing: Side) -> bool:
    is_waiting = order.status in (VenueOrderStatus.UNTRIGGERED, VenueOrderStatus.TRIGGERED)
    return is_waiting and order.reduce_only and order.symbol == symbol and order.side is closing
