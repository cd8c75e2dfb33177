"""The order commands: place, amend, cancel."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.model import Account, Order, OrderRequest
from infra.simulator.venue.money import ZERO, ceil_to, floor_to, on_step
from infra.simulator.venue.orders import checks
from infra.simulator.venue.orders.working import cancel, set_position_stop, work
from infra.simulator.venue.records import order_id
from infra.simulator.venue.state import Venue

PROTECTION = Decimal("0.05")


def place(venue: Venue, account: Account, request: OrderRequest) -> Order:
    """Accept and work a new order. ``VenueError`` refuses it without any effect."""
    spec = venue.tradable(request.category, request.symbol)
    checks.check_link_id(account, request.category, request.link_id)
    checks.check_qty(spec, request)
    if request.order_type == "Limit":
        checks.check_price(venue, spec, request.side, request.price)
    checks.check_trigger(venue, spec, request)
    checks.check_stops(venue, spec, request)
    checks.check_reduce_only(venue, account, request)
    checks.check_notional(venue, spec, request)
    checks.check_counts(account, request)
    conditional = request.trigger_price is not None
    order = _new_order(venue, account, request)
    if not conditional or order.order_filter == "tpslOrder":
        checks.check_funds(venue, account, order)
    order.seq = venue.next_seq()
    order.id = order_id(order.category, account.uid, order.seq)
    account.orders[order.id] = order
    if order.link_id:
        account.links[order.link_id] = order.id
    if conditional:
        order.status = "Untriggered"
        account.open[order.id] = order
        venue.note_order(account, order)
    else:
        work(venue, account, order, order.last_price)
    return order


def _new_order(venue: Venue, account: Account, request: OrderRequest) -> Order:
    spec = instrument(request.category, request.symbol)
    last = venue.prices.last(request.category, request.symbol)
    qty = request.qty
    if not qty and request.reduce_only:
        qty = abs(venue.peek_position(account, request.symbol).size)
    price = request.price or ZERO
    if request.order_type == "Market" and not spec.is_spot:
        # Bybit shows the protective price at which a market order is really sent.
        price = (
            floor_to(last * (1 + PROTECTION), spec.tick)
            if request.side == "Buy"
            else ceil_to(last * (1 - PROTECTION), spec.tick)
        )
    stop = ""
    if request.trigger_price is not None:
        stop = "tpslOrder" if request.order_filter == "tpslOrder" else "Stop"
    return Order(
        "", 0, account.name, request.category, request.symbol, request.side, request.order_type, qty, price,
        request.time_in_force, "New", venue.now_ms, venue.now_ms, venue.prices.point, link_id=request.link_id,
        quote_qty=request.quote_qty, market_unit=request.market_unit, reduce_only=request.reduce_only,
        close_on_trigger=request.close_on_trigger, order_filter=request.order_filter, stop_type=stop,
        trigger_price=request.trigger_price or ZERO, trigger_direction=request.trigger_direction,
        trigger_by=request.trigger_by, take_profit=request.take_profit or ZERO, stop_loss=request.stop_loss or ZERO,
        slippage_type=request.slippage_type or "UNKNOWN", slippage=request.slippage or ZERO,
        smp_type=request.smp_type, last_price=last,
    )  # fmt: skip


def find_open(account: Account, category: str, symbol: str, id_: str, link_id: str) -> Order:
    """The open order by id (which wins) or link id; 110001 / 170213 when there is none."""
    if not id_ and not link_id:
        raise params_error("Either orderId or orderLinkId is required.")
    order = account.orders.get(id_ or account.links.get(link_id, ""))
    if order is None or not order.is_open or order.category != category or order.symbol != symbol:
        if category == "spot":
            raise VenueError(170213, "Order does not exist.")
        raise VenueError(110001, "order not exists or too late to cancel")
    return order


def cancel_order(venue: Venue, account: Account, category: str, symbol: str, id_: str, link_id: str) -> Order:
    """Cancel one open order."""
    order = find_open(account, category, symbol, id_, link_id)
    cancel(venue, account, order, "CancelByUser")
    return order


def cancel_all(venue: Venue, account: Account, category: str, symbol: str, filters: set[str]) -> list[Order]:
    """Cancel every open order of the category (and symbol, if given) whose filter is in ``filters``."""
    chosen = [
        order
        for order in account.open.values()
        if order.category == category and (not symbol or order.symbol == symbol) and order.order_filter in filters
    ]
    for order in chosen:
        cancel(venue, account, order, "CancelByUser")
    return chosen


def amend(
    venue: Venue,
    account: Account,
    order: Order,
    qty: Decimal | None,
    price: Decimal | None,
    trigger_price: Decimal | None,
) -> Order:
    """Change quantity, price or trigger of an open order; a limit that now crosses is worked at once."""
    unchanged = (
        qty in (None, order.qty) and price in (None, order.price) and trigger_price in (None, order.trigger_price)
    )
    if unchanged:
        raise params_error("The order remains unchanged as the parameters entered match the existing ones.")
    _check_amend(venue, order, qty, price, trigger_price)
    before = (order.qty, order.price, order.trigger_price)
    order.qty = qty if qty is not None else order.qty
    order.price = price if price is not None else order.price
    order.trigger_price = trigger_price if trigger_price is not None else order.trigger_price
    if order.is_active:
        account.open.pop(order.id)
        try:
            checks.check_funds(venue, account, order)
        except VenueError:
            order.qty, order.price, order.trigger_price = before
            account.open[order.id] = order
            raise
        account.open[order.id] = order
    order.updated_ms = venue.now_ms
    if order.is_active:
        account.open.pop(order.id)
        work(venue, account, order, venue.prices.last(order.category, order.symbol))
        return order
    if order.stop_type in ("StopLoss", "TakeProfit"):
        position = venue.position(account, order.symbol)
        if order.stop_type == "StopLoss":
            position.stop_loss = order.trigger_price
        else:
            position.take_profit = order.trigger_price
    order.point = venue.prices.point
    venue.note_order(account, order)
    return order


def _check_amend(
    venue: Venue, order: Order, qty: Decimal | None, price: Decimal | None, trigger_price: Decimal | None
) -> None:
    spec = venue.conditions.instrument(instrument(order.category, order.symbol))
    request = OrderRequest(
        order.category, order.symbol, order.side, order.order_type, qty if qty is not None else order.qty,
        reduce_only=order.reduce_only, trigger_by=order.trigger_by, trigger_direction=order.trigger_direction,
    )  # fmt: skip
    request.quote_qty = order.quote_qty
    if qty is not None:
        checks.check_qty(spec, request)
        if qty <= order.filled:
            raise params_error(f"qty {qty} must exceed the executed quantity {order.filled}.")
    if price is not None:
        if order.order_type != "Limit":
            raise params_error("price can only be amended on a Limit order.")
        checks.check_price(venue, spec, order.side, price)
    request.price = price if price is not None else order.price
    if trigger_price is not None:
        if order.status != "Untriggered":
            raise params_error("triggerPrice can only be amended while the order is Untriggered.")
        request.trigger_price = trigger_price
        checks.check_trigger(venue, spec, request)
        order.trigger_direction = request.trigger_direction
    elif order.status == "Untriggered":
        request.trigger_price = order.trigger_price
    request.take_profit, request.stop_loss = order.take_profit or None, order.stop_loss or None
    checks.check_stops(venue, spec, request)
    checks.check_notional(venue, spec, request)


def set_trading_stop(
    venue: Venue, account: Account, symbol: str, take_profit: Decimal | None, stop_loss: Decimal | None
) -> None:
    """Set, move or (0) remove take-profit and stop-loss of the whole position; 34040 when nothing changes."""
    spec = venue.tradable("linear", symbol)
    position = venue.peek_position(account, symbol)
    if not position.size:
        raise params_error("can not set tp/sl/ts for zero position")
    mark = venue.prices.last("linear", symbol)
    wanted = {
        "StopLoss": position.stop_loss if stop_loss is None else stop_loss,
        "TakeProfit": position.take_profit if take_profit is None else take_profit,
    }
    if wanted["StopLoss"] == position.stop_loss and wanted["TakeProfit"] == position.take_profit:
        raise VenueError(34040, "not modified")
    for kind, price in wanted.items():
        if price == ZERO:
            continue
        if price < ZERO or not on_step(price, spec.tick):
            raise params_error(f"{kind} {price} is not a multiple of the tick size {spec.tick}.")
        below = (kind == "StopLoss") == (position.size > 0)
        if price == getattr(position, "stop_loss" if kind == "StopLoss" else "take_profit"):
            continue
        if (below and price >= mark) or (not below and price <= mark):
            raise params_error(f"{kind}:{price} set for {position.side} position is on the wrong side of {mark}")
    for kind, price in wanted.items():
        set_position_stop(venue, account, symbol, kind, price)
