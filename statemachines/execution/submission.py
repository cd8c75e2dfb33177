"""Requests on orders: each is durably recorded with the order's state before it is dispatched (EX-5)."""

from __future__ import annotations

from decimal import Decimal

from statemachines.backoff import Backoff
from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.child_order import ChildOrder, Style
from statemachines.execution.orders.order_ids import client_order_id
from statemachines.execution.orders.parent_order import ParentOrder, Requests
from statemachines.execution.orders.request_keys import Topic
from statemachines.messages.orders import Intent
from statemachines.requests import AmendOrder, CancelOrder, LookUpOrder, PlaceOrder
from statemachines.values import SPOT, ActorName, Side

UNPROVEN_KEPT = 50
"""Number of earlier orders of an intent kept that ended without confirmation by the exchange."""


def gate_of(intent: Intent) -> ActorName | None:
    """RM-2: the engine whose switches may block the order. None for orders that reduce risk: reduce-only ones and
    urgent spot sales (spot cannot go short); a resting sale is gated, since re-quoting takes hours."""
    if intent.reduce_only:
        return None
    if intent.category == SPOT and intent.side is Side.SELL and intent.style == "market":
        return None
    return intent.engine


def next_order(
    context: ExecutionContext,
    parent: ParentOrder,
    style: Style,
    quantity: Decimal,
    price: Decimal | None,
    slippage: Decimal | None,
) -> ChildOrder:
    """The next child order of the intent, in state CREATED; it replaces the last one, which has ended."""
    intent = parent.intent
    if parent.order is not None:
        if not parent.order.is_ended_by_exchange:
            parent.unproven = [*parent.unproven, parent.order.child][-UNPROVEN_KEPT:]
        context.record_order(parent)
        context.discard_venue_order_id(parent.order)
    child = parent.order.child + 1 if parent.order else 1
    parent.order = ChildOrder(
        client_order_id=client_order_id(context.installation, intent.intent_id, child),
        intent_id=intent.intent_id,
        child=child,
        engine=intent.engine,
        account=intent.account,
        category=intent.category,
        symbol=intent.symbol,
        side=intent.side,
        style=style,
        quantity=quantity,
        price=price,
        trigger_price=parent.trigger_price if style == "stop_market" else None,
        reduce_only=intent.reduce_only,
        slippage_limit=slippage,
        created_ms=context.now_ms,
        trace=parent.trace,
        closes_rest=intent.closes_rest,
        updated_ms=context.now_ms,
    )
    parent.requests = Requests()
    parent.needs_child = False
    text = f"order {child} is created: {quantity} of the remaining {parent.remaining} {intent.symbol}"
    context.notes([parent.fire("place", text, child=child, quantity=str(quantity))])
    context.touch(parent)
    return parent.order


def place(context: ExecutionContext, parent: ParentOrder, order: ChildOrder) -> None:
    """Send a validated order."""
    context.notes([order.fire("send", f"sent {order.side} {order.quantity} {order.symbol}", context.now_ms)])
    _ask_place(context, parent, order, 0.0)
    context.touch(parent)


def place_again(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, why: str) -> bool:
    """EX-4: resend the same order under the same client id after 1, 5, 15 s; False when the retries are exhausted."""
    delays = context.parameters.retry_delays_s
    attempt = parent.requests.again("place")
    if attempt > len(delays):
        return False
    context.notes([order.fire("resend", f"{why}; sent again under the same id", context.now_ms)])
    context.remark(order.name, "retry", f"{why}; retry {attempt} of {len(delays)} after {delays[attempt - 1]:g} s")
    parent.requests.is_retry_waiting = True
    parent.requests.is_absent = False
    _ask_place(context, parent, order, delays[attempt - 1])
    context.touch(parent)
    return True


def _ask_place(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, delay_s: float) -> None:
    request = PlaceOrder(
        client_order_id=order.client_order_id,
        category=order.category,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        style=order.style,
        price=order.price,
        trigger_price=order.trigger_price,
        reduce_only=order.reduce_only,
        closes_position=order.closes_rest,
        slippage_limit=None if order.closes_rest else order.slippage_limit,
        worst_price=worst_price(context, order),
    )
    key = parent.requests.next_key(order.client_order_id, Topic.PLACE)
    context.call_exchange(key, order.account, request, gate_of(parent.intent), delay_s)


def worst_price(context: ExecutionContext, order: ChildOrder) -> Decimal | None:
    """The slippage limit of an urgent order as a price: from the touch of the newest quote, rounded inward to the tick;
    None without a quote or a limit."""
    quote = context.quotes.get((order.category, order.symbol))
    instrument = context.instruments.get((order.category, order.symbol))
    if order.style != "market" or order.slippage_limit is None or order.closes_rest or quote is None:
        return None
    if instrument is None:
        return None
    if order.side is Side.BUY:
        return instrument.floor_price(quote.ask * (1 + order.slippage_limit))
    return instrument.ceil_price(quote.bid * (1 - order.slippage_limit))


def cancel(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, delay_s: float = 0.0) -> None:
    """Request the cancellation; never gated, never refused."""
    request = CancelOrder(
        client_order_id=order.client_order_id,
        category=order.category,
        symbol=order.symbol,
        is_conditional=order.is_conditional,
    )
    context.call_exchange(
        parent.requests.next_key(order.client_order_id, Topic.CANCEL), order.account, request, None, delay_s
    )
    context.touch(parent)


def amend(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, delay_s: float = 0.0) -> None:
    """Request the values in `order.amended`; gated like the order: a new quote of an entry is new risk (RM-5)."""
    request = AmendOrder(
        client_order_id=order.client_order_id,
        category=order.category,
        symbol=order.symbol,
        price=order.amended.get("price"),
        trigger_price=order.amended.get("trigger_price"),
        quantity=order.amended.get("quantity"),
    )
    key = parent.requests.next_key(order.client_order_id, Topic.AMEND)
    context.call_exchange(key, order.account, request, gate_of(parent.intent), delay_s)
    context.touch(parent)


def look_up(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, why: str, delay_s: float = 0.0) -> None:
    """Request the order's current state from the exchange, unless a look-up is already pending."""
    if Topic.LOOK in parent.requests.pending:
        return
    parent.requests.check_ms = None
    context.remark(order.name, "look_up", why)
    side = None if parent.requests.is_doubtful else order.side
    request = LookUpOrder(
        client_order_id=order.client_order_id, category=order.category, symbol=order.symbol, side=side
    )
    context.call_exchange(
        parent.requests.next_key(order.client_order_id, Topic.LOOK), order.account, request, None, delay_s
    )
    context.touch(parent)


def patience_s(context: ExecutionContext, repetitions: int) -> float:
    """The delay before the `repetitions`-th repetition: EX-4's delays first, then growing up to `longest_delay_s`."""
    parameters = context.parameters
    return Backoff(parameters.retry_delays_s, parameters.longest_delay_s).pause_s(max(repetitions, 1))


def pause_s(context: ExecutionContext, failures: int) -> float:
    """The delay before a request after so many failures of it; none before the first."""
    return patience_s(context, failures) if failures else 0.0
