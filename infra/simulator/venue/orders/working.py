"""Working an order: taker fills, resting, triggering, ending; reduce-only upkeep after a position changed."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.venue.depth import book
from infra.simulator.venue.impact import displayed, slippage_of
from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.margin import locked, margin
from infra.simulator.venue.model import Account, Order
from infra.simulator.venue.money import ZERO
from infra.simulator.venue.orders.fills import Fill, apply_fill
from infra.simulator.venue.records import order_id
from infra.simulator.venue.state import Venue

POSITION_STOPS = ("StopLoss", "TakeProfit")


def finish(
    venue: Venue, account: Account, order: Order, status: str, cancel: str = "UNKNOWN", reason: str = "EC_NoError"
) -> None:
    """End the order with a terminal status and show it."""
    order.status = status
    order.cancel_type = cancel
    order.reject_reason = reason
    order.updated_ms = venue.now_ms
    account.open.pop(order.id, None)
    account.closed.append(order.id)
    venue.note_order(account, order)


def cancel(venue: Venue, account: Account, order: Order, cancel_type: str, reason: str = "EC_PerCancelRequest") -> None:
    """Cancel an open order; one that never triggered is Deactivated, a partly filled spot one has its own status."""
    if order.status == "Untriggered":
        status = "Deactivated"
    elif order.filled and order.category == "spot":
        status = "PartiallyFilledCanceled"
    else:
        status = "Cancelled"
    if cancel_type == "CancelByUser" and order.stop_type in POSITION_STOPS:
        position = venue.position(account, order.symbol)
        if order.stop_type == "StopLoss":
            position.stop_loss = ZERO
        else:
            position.take_profit = ZERO
    finish(venue, account, order, status, cancel_type, reason)


def rest(venue: Venue, account: Account, order: Order) -> None:
    """Put the order into the book (or keep it there) and show it."""
    order.status = "PartiallyFilled" if order.filled else "New"
    order.point = venue.prices.point
    account.open[order.id] = order
    venue.note_order(account, order)


def work(venue: Venue, account: Account, order: Order, base: Decimal) -> None:
    """Let the order take what it may at once, ``base`` being the last price; then fill, end or rest it."""
    spec = instrument(order.category, order.symbol)
    if order.reduce_only and not _fit_to_position(venue, account, order):
        finish(venue, account, order, "Cancelled", "CancelByReduceOnly")
        return
    if order.time_in_force == "PostOnly" and crosses(venue, order, base):
        finish(venue, account, order, "Cancelled", "UNKNOWN", "EC_PostOnlyWillTakeLiquidity")
        return
    limit = order.price if order.order_type == "Limit" else slippage_bound(venue, order, base)
    fills: list[book.Level] = []
    if order.time_in_force != "PostOnly":
        # An order that may rest meets the book as it is shown; the market moves against one that only takes.
        is_taker = order.order_type == "Market" or order.time_in_force == "IOC"
        slippage = slippage_of(venue, order) if is_taker else ZERO
        liquidity = displayed(venue, spec)
        fills = book.take(
            venue.config, spec, base, order.sign, order.leaves, limit, quote=order.quote_qty,
            slippage=slippage if liquidity is None else ZERO, liquidity=liquidity,
        )  # fmt: skip
    if order.time_in_force == "FOK" and sum((qty for _, qty in fills), ZERO) < order.leaves:
        finish(venue, account, order, "Cancelled", "UNKNOWN", "EC_NoEnoughQtyToFill")
        return
    for price, qty in fills:
        apply_fill(venue, account, order, Fill(price, qty))
    settle(venue, account, order)
    if fills and order.category == "linear":
        after_position_change(venue, account, order)


def settle(venue: Venue, account: Account, order: Order) -> None:
    """The order's status after fills: filled, ended with a remainder (market, IOC), or resting."""
    if order.leaves <= ZERO:
        finish(venue, account, order, "Filled")
    elif order.order_type == "Market" or order.time_in_force in ("IOC", "FOK"):
        reason = "EC_CancelForNoFullFill" if order.filled else "EC_NoImmediateQtyToFill"
        partly_spot = order.filled and order.category == "spot"
        finish(venue, account, order, "PartiallyFilledCanceled" if partly_spot else "Cancelled", "UNKNOWN", reason)
    else:
        rest(venue, account, order)


def fill_resting(venue: Venue, account: Account, order: Order) -> None:
    """A later price reached the resting limit: the rest of it fills as maker at its own price."""
    if order.reduce_only and not _fit_to_position(venue, account, order):
        finish(venue, account, order, "Cancelled", "CancelByReduceOnly")
        return
    apply_fill(venue, account, order, Fill(order.price, order.leaves, maker=True))
    settle(venue, account, order)
    if order.category == "linear":
        after_position_change(venue, account, order)


def trigger(venue: Venue, account: Account, order: Order, base: Decimal) -> None:
    """The trigger price was reached: the order becomes an ordinary one at ``base``, if it can be afforded."""
    account.open.pop(order.id, None)
    order.status = "Triggered"
    order.updated_ms = venue.now_ms
    venue.note_order(account, order)
    order.status = "New"
    if order.stop_type in POSITION_STOPS:
        order.qty = abs(venue.position(account, order.symbol).size)
    if not _affordable(venue, account, order, base):
        finish(venue, account, order, "Rejected", "UNKNOWN", "EC_Others")
        return
    work(venue, account, order, base)


def crosses(venue: Venue, order: Order, last: Decimal) -> bool:
    """Whether a limit order would take liquidity from the book."""
    spec = instrument(order.category, order.symbol)
    best = book.touch(venue.config, spec, last, order.sign, displayed(venue, spec))
    return (order.price - best) * order.sign >= 0


def slippage_bound(venue: Venue, order: Order, last: Decimal) -> Decimal | None:
    """The worst price a market order with a slippage tolerance accepts; None without a tolerance."""
    if not order.slippage:
        return None
    spec = instrument(order.category, order.symbol)
    touch = book.touch(venue.config, spec, last, order.sign, displayed(venue, spec))
    if order.slippage_type == "TickSize":
        return touch + order.sign * order.slippage * spec.tick
    return touch * (1 + order.sign * order.slippage / 100)


def _affordable(venue: Venue, account: Account, order: Order, base: Decimal) -> bool:
    if order.category == "linear":
        if order.reduce_only:
            return True
        figures = margin(venue, account, order)
        return figures.balance >= figures.im
    price = order.price if order.order_type == "Limit" else base
    if order.side == "Buy":
        needed = order.leaves if order.quote_qty else order.leaves * price
        return account.balance("USDT") - locked(account, "USDT") >= needed
    base_coin = instrument("spot", order.symbol).base
    return account.balance(base_coin) - locked(account, base_coin) >= order.leaves


def _fit_to_position(venue: Venue, account: Account, order: Order) -> bool:
    """Cut a reduce-only order to the position it may reduce; False when there is nothing to reduce."""
    size = venue.position(account, order.symbol).size
    if size * order.sign >= 0:
        return False
    order.qty = min(order.qty, order.filled + abs(size))
    return True


def after_position_change(venue: Venue, account: Account, cause: Order) -> None:
    """Attach the order's take-profit and stop-loss; cut or cancel what no longer has a position to reduce."""
    position = venue.position(account, cause.symbol)
    if cause.stop_loss or cause.take_profit:
        if position.size * cause.sign > 0:
            set_position_stop(venue, account, cause.symbol, "StopLoss", cause.stop_loss or position.stop_loss)
            set_position_stop(venue, account, cause.symbol, "TakeProfit", cause.take_profit or position.take_profit)
        cause.stop_loss = cause.take_profit = ZERO
    for order in list(account.open.values()):
        if order.category != "linear" or order.symbol != cause.symbol or order is cause or not order.reduce_only:
            continue
        gone = position.size * order.sign >= 0
        if order.stop_type in POSITION_STOPS:
            if gone:
                cancel(venue, account, order, "CancelByTpSlTsClear")
            else:
                order.qty = abs(position.size)
        elif order.is_active:
            before = order.qty
            if not _fit_to_position(venue, account, order):
                cancel(venue, account, order, "CancelByReduceOnly")
            elif order.qty != before:
                venue.note_order(account, order)
    if not position.size:
        position.stop_loss = position.take_profit = ZERO


def set_position_stop(venue: Venue, account: Account, symbol: str, kind: str, price: Decimal) -> None:
    """Set (0: remove) the whole position's ``StopLoss`` or ``TakeProfit``: a closing conditional market order."""
    position = venue.position(account, symbol)
    if kind == "StopLoss":
        position.stop_loss = price
    else:
        position.take_profit = price
    existing = next((o for o in account.open.values() if o.symbol == symbol and o.stop_type == kind), None)
    if existing is not None and existing.trigger_price == price:
        return
    if existing is not None:
        cancel(venue, account, existing, "CancelByTpSlTsClear")
    if not price:
        return
    side = "Sell" if position.size > 0 else "Buy"
    falls = (kind == "StopLoss") == (position.size > 0)
    seq = venue.next_seq()
    order = Order(
        order_id("linear", account.uid, seq), seq, account.name, "linear", symbol, side, "Market",
        abs(position.size), ZERO, "IOC", "Untriggered", venue.now_ms, venue.now_ms, venue.prices.point,
        reduce_only=True, close_on_trigger=True, order_filter="StopOrder", stop_type=kind,
        create_type=f"CreateBy{kind}", trigger_price=price, trigger_direction=2 if falls else 1,
        trigger_by="LastPrice", last_price=venue.prices.last("linear", symbol),
    )  # fmt: skip
    account.orders[order.id] = order
    account.open[order.id] = order
    venue.note_order(account, order)
