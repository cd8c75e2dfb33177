"""Filters and business checks of a create or amend request, with Bybit's return codes."""

from __future__ import annotations

import re
from decimal import Decimal

from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.venue.instruments import Instrument, instrument
from infra.simulator.venue.margin import locked, margin
from infra.simulator.venue.model import Account, Order, OrderRequest
from infra.simulator.venue.money import ZERO, ceil_to, floor_to, on_step
from infra.simulator.venue.state import Venue

LINK_ID = re.compile(r"^[A-Za-z0-9_-]{1,36}$")
MAX_ACTIVE_PER_SYMBOL = 500
MAX_CONDITIONAL_PER_SYMBOL = 10
MAX_SPOT_ORDERS = 500
MAX_SPOT_CONDITIONAL = 30


def check_link_id(account: Account, category: str, link_id: str) -> None:
    """Form and uniqueness of orderLinkId: it may be used once per account, ever."""
    if not link_id:
        return
    if not LINK_ID.match(link_id):
        raise params_error("params error: OrderLinkId must be at most 36 characters of A-Z a-z 0-9 _ -.")
    if link_id in account.links:
        if category == "spot":
            raise VenueError(170141, "Duplicate clientOrderId")
        raise VenueError(110072, "OrderLinkedID is duplicate")


def check_qty(spec: Instrument, request: OrderRequest) -> None:
    """Lot-size filter."""
    qty = request.qty
    market = request.order_type == "Market"
    maximum = spec.max_market_qty if market else spec.max_limit_qty
    if spec.is_spot:
        _check_spot_qty(spec, request, maximum)
        return
    if qty == ZERO and request.reduce_only and request.close_on_trigger:
        return
    if qty <= ZERO or not on_step(qty, spec.qty_step):
        raise params_error("Qty invalid")
    if qty < spec.min_qty:
        raise params_error("The number of contracts exceeds minimum limit allowed")
    if qty > maximum:
        raise params_error(f"The number of contracts exceeds maximum limit allowed: too large, order qty:{qty}")


def _check_spot_qty(spec: Instrument, request: OrderRequest, maximum: Decimal) -> None:
    qty = request.qty
    if qty <= ZERO:
        raise VenueError(170136, "Order quantity has exceeded the lower limit.")
    if request.quote_qty:
        if not on_step(qty, spec.quote_step):
            raise VenueError(170137, "Order volume decimal too long.")
        if qty < spec.min_notional:
            raise VenueError(170140, f"Order value exceeded lower limit: {spec.min_notional} USDT.")
        return
    if not on_step(qty, spec.qty_step):
        raise VenueError(170137, "Order volume decimal too long.")
    if qty < spec.min_qty:
        raise VenueError(170136, "Order quantity has exceeded the lower limit.")
    if qty > maximum:
        raise VenueError(170124, "Order amount too large.")


def check_price(venue: Venue, spec: Instrument, side: str, price: Decimal | None) -> None:
    """Tick and price band of a limit price."""
    if price is None or price <= ZERO:
        raise VenueError(170132, "Order price too low.") if spec.is_spot else params_error("Price invalid")
    if not on_step(price, spec.tick):
        if spec.is_spot:
            raise VenueError(170134, "Order price decimal too long.")
        raise params_error("Price invalid")
    buy_limit, sell_limit = price_band(venue, spec)
    if side == "Buy" and price > buy_limit:
        raise VenueError(170193 if spec.is_spot else 110003, f"Buy order price cannot be higher than {buy_limit}.")
    if side == "Sell" and price < sell_limit:
        raise VenueError(170194 if spec.is_spot else 110003, f"Sell order price cannot be lower than {sell_limit}.")


def price_band(venue: Venue, spec: Instrument) -> tuple[Decimal, Decimal]:
    """(highest buy, lowest sell) limit price allowed now: mark (spot: last) price +- the instrument's ratio."""
    reference = venue.prices.last("spot", spec.symbol) if spec.is_spot else venue.prices.mark(spec.symbol)
    # A last price far from the mark must stay tradable, so the band reaches around both.
    last = venue.prices.last(spec.category, spec.symbol)
    high = max(reference, last) * (1 + spec.limit_ratio_x)
    low = min(reference, last) * (1 - spec.limit_ratio_x)
    return floor_to(high, spec.tick), ceil_to(low, spec.tick)


def check_notional(venue: Venue, spec: Instrument, request: OrderRequest) -> None:
    """Minimum (spot: also maximum) order value; closing orders are exempt."""
    if request.reduce_only or request.quote_qty:
        return
    price = request.price or request.trigger_price or venue.prices.last(spec.category, spec.symbol)
    notional = request.qty * price
    if notional < spec.min_notional:
        if spec.is_spot:
            raise VenueError(170140, f"Order value exceeded lower limit: {spec.min_notional} USDT.")
        raise VenueError(110094, f"Order does not meet minimum order value {spec.min_notional}USDT")
    if spec.is_spot and notional > spec.max_notional:
        raise VenueError(170124, "Order amount too large.")


def check_trigger(venue: Venue, spec: Instrument, request: OrderRequest) -> None:
    """Trigger price on the tick and on the right side of the watched price; sets a spot order's direction."""
    trigger = request.trigger_price
    if trigger is None:
        return
    if trigger <= ZERO or trigger > spec.max_price or not on_step(trigger, spec.tick):
        raise (
            VenueError(170134, "Order price decimal too long.")
            if spec.is_spot
            else params_error("TriggerPrice invalid")
        )
    present = venue.prices.trigger_pair(spec.category, spec.symbol, request.trigger_by)[1]
    if spec.is_spot:
        request.trigger_direction = 1 if trigger > present else 2
        return
    if request.trigger_direction not in (1, 2):
        raise params_error("TriggerDirection invalid")
    if request.trigger_direction == 1 and trigger <= present:
        raise VenueError(110092, f"expect Rising, but trigger_price[{trigger}] <= current[{present}]")
    if request.trigger_direction == 2 and trigger >= present:
        raise VenueError(110093, f"expect Falling, but trigger_price[{trigger}] >= current[{present}]")


def check_stops(venue: Venue, spec: Instrument, request: OrderRequest) -> None:
    """A take-profit or stop-loss lies on the tick and on its own side of the price at which the order would fill.
    Anything else would fill at a price that never was."""
    base = _fill_price(venue, spec, request)
    for name, price, below in (
        ("StopLoss", request.stop_loss, request.side == "Buy"),
        ("TakeProfit", request.take_profit, request.side == "Sell"),
    ):
        if price is None:
            continue
        if price <= ZERO or price > spec.max_price or not on_step(price, spec.tick):
            raise params_error(f"{name} {price:f} is not a positive multiple of the tick size {spec.tick}.")
        if (below and price >= base) or (not below and price <= base):
            wanted = "lower" if below else "higher"
            raise params_error(f"{name}:{price:f} set for {request.side} position should {wanted} than {base:f}")


def _fill_price(venue: Venue, spec: Instrument, request: OrderRequest) -> Decimal:
    """The market's price when the order comes to work (its trigger, else the last price), or its limit where that is
    better: a limit beyond the market fills at the market."""
    present = request.trigger_price or venue.prices.last(spec.category, spec.symbol)
    if not request.price or request.order_type != "Limit":
        return present
    return min(request.price, present) if request.side == "Buy" else max(request.price, present)


def check_reduce_only(venue: Venue, account: Account, request: OrderRequest) -> None:
    """A reduce-only order needs a position on the other side."""
    if not request.reduce_only:
        return
    size = venue.peek_position(account, request.symbol).size
    if size == ZERO or (size > 0) == (request.side == "Buy"):
        raise VenueError(110017, "current position is zero, cannot fix reduce-only order qty")


def check_counts(account: Account, request: OrderRequest) -> None:
    """How many orders may be open."""
    conditional = request.trigger_price is not None
    same = [o for o in account.open.values() if o.category == request.category]
    if request.category == "spot":
        limit = MAX_SPOT_CONDITIONAL if conditional else MAX_SPOT_ORDERS
        count = sum(1 for o in same if not conditional or (o.trigger_price and o.symbol == request.symbol))
        if count >= limit:
            raise VenueError(170810, "Cannot exceed maximum of 500 conditional, TP/SL and active orders.")
        return
    count = sum(1 for o in same if o.symbol == request.symbol and o.is_active)
    stops = sum(1 for o in same if o.symbol == request.symbol and o.stop_type == "Stop" and not o.is_active)
    if conditional and stops >= MAX_CONDITIONAL_PER_SYMBOL:
        raise VenueError(110009, "The number of stop orders exceeds the maximum allowable limit.")
    if not conditional and count >= MAX_ACTIVE_PER_SYMBOL:
        raise VenueError(110020, "Not allowed to have more than 500 active orders.")


def check_funds(venue: Venue, account: Account, order: Order) -> None:
    """Whether the account can pay for the order now. Conditional orders reserve on trigger."""
    spec = instrument(order.category, order.symbol)
    last = venue.prices.last(order.category, order.symbol)
    if spec.is_spot:
        _check_spot_funds(venue, account, order, spec, last)
        return
    if order.reduce_only:
        return
    figures = margin(venue, account, order)
    price = order.price if order.order_type == "Limit" else last
    before = margin(venue, account)
    if figures.order_im <= before.order_im:
        return
    fee = order.leaves * price * venue.config.fees.linear_taker
    if figures.balance < figures.im + fee:
        raise VenueError(110007, "CheckMarginRatio fail! ab not enough for new order")


def _check_spot_funds(venue: Venue, account: Account, order: Order, spec: Instrument, last: Decimal) -> None:
    price = order.price if order.order_type == "Limit" else last
    if order.side == "Sell":
        if account.balance(spec.base) - locked(account, spec.base) < order.leaves:
            raise VenueError(170131, "Insufficient balance.")
        return
    cost = order.leaves if order.quote_qty else order.leaves * price
    haircut = 1 - venue.config.collateral_ratio.get(spec.base, ZERO)
    short_of_margin = account.has_position and margin(venue, account).available < cost * haircut
    if account.balance("USDT") - locked(account, "USDT") < cost or short_of_margin:
        raise VenueError(170131, "Insufficient balance.")
