"""What the exchange does of its own accord: fills in part, cancels, reduces a position (auto-deleveraging)."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.model import Account, Order
from infra.simulator.venue.money import ZERO, floor_to
from infra.simulator.venue.orders.fills import Fill, apply_fill
from infra.simulator.venue.orders.working import after_position_change, cancel, finish, settle
from infra.simulator.venue.records import order_id
from infra.simulator.venue.state import Venue


def fill_in_part(venue: Venue, account: Account, order: Order, share: Decimal) -> Decimal:
    """Fill this share of what is left of a resting order at its own price, in whole lots; returns the quantity."""
    quantity = floor_to(order.leaves * share, instrument(order.category, order.symbol).qty_step)
    if quantity > ZERO:
        apply_fill(venue, account, order, Fill(order.price, quantity, maker=True))
        settle(venue, account, order)
        if order.category == "linear":
            after_position_change(venue, account, order)
    return quantity


def cancel_on_its_own(venue: Venue, account: Account, order: Order) -> None:
    """The exchange cancels an open order for reasons of its own (`CancelByAdmin`)."""
    cancel(venue, account, order, "CancelByAdmin", "EC_CancelByAdmin")


def deleverage(venue: Venue, account: Account, symbol: str, share: Decimal) -> Decimal:
    """Reduce the position by this share at the mark price, in whole lots, as auto-deleveraging does; returns the
    quantity taken."""
    position = venue.position(account, symbol)
    quantity = floor_to(abs(position.size) * share, instrument("linear", symbol).qty_step)
    if quantity > ZERO:
        take_over(venue, account, symbol, quantity, venue.prices.mark(symbol), "AdlTrade")
    return quantity


def take_over(
    venue: Venue,
    account: Account,
    symbol: str,
    quantity: Decimal,
    price: Decimal,
    kind: str,
    *,
    fee_free: bool = False,
) -> None:
    """Close so much of the position by an order of the exchange's own (`BustTrade` or `AdlTrade`)."""
    position, seq = venue.position(account, symbol), venue.next_seq()
    order = Order(
        order_id("linear", account.uid, seq), seq, account.name, "linear", symbol,
        "Sell" if position.size > 0 else "Buy", "Market", quantity, price, "IOC", "New", venue.now_ms, venue.now_ms,
        venue.prices.point, reduce_only=True, close_on_trigger=True,
        create_type="CreateByAdl_PassThrough" if kind == "AdlTrade" else "CreateByLiq", last_price=price,
    )  # fmt: skip
    account.orders[order.id] = order
    apply_fill(venue, account, order, Fill(price, quantity, exec_type=kind, fee_free=fee_free))
    finish(venue, account, order, "Filled")
    after_position_change(venue, account, order)
