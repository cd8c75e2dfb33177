"""Requests on orders: each is durably recorded with the order's state before the lane sees it (EX-5)."""

from __future__ import annotations

from decimal import Decimal

from actors.order_manager.desk import Desk
from actors.order_manager.keys import Topic
from actors.order_manager.work import Requests, Work
from statemachines.backoff import Backoff
from statemachines.messages import Intent
from statemachines.order.identity import link_id
from statemachines.order.order import Order, Style
from statemachines.requests import AmendOrder, CancelOrder, LookUpOrder, PlaceOrder
from statemachines.values import SPOT, ActorName, Side

UNPROVEN_KEPT = 50
"""How many earlier orders of an intent are remembered that ended without the exchange's word."""

_STYLES: dict[str, Style] = {"market": "market", "maker": "post_only", "stop": "stop_market"}


def gate_of(intent: Intent) -> ActorName | None:
    """RM-2: whose switches may block the order. None for orders that reduce risk: reduce-only ones and urgent
    spot sales (spot cannot go short); a resting sale is gated, since re-quoting goes on for hours."""
    if intent.reduce_only:
        return None
    if intent.category == SPOT and intent.side is Side.SELL and intent.style == "market":
        return None
    return intent.engine


def next_order(desk: Desk, work: Work, quantity: Decimal, price: Decimal | None, slippage: Decimal | None) -> Order:
    """The next child of the intent, CREATED, in place of the last one (which has ended)."""
    intent = work.intent
    if work.order is not None:
        if not work.order.is_ended_by_exchange:
            work.unproven = [*work.unproven, work.order.child][-UNPROVEN_KEPT:]
        desk.record_order(work)
        desk.forget_exchange_id(work.order)
    child = work.order.child + 1 if work.order else 1
    work.order = Order(
        link_id=link_id(desk.installation, intent.intent_id, child),
        intent_id=intent.intent_id,
        child=child,
        engine=intent.engine,
        account=intent.account,
        category=intent.category,
        symbol=intent.symbol,
        side=intent.side,
        style=_STYLES[intent.style],
        quantity=quantity,
        price=price,
        trigger_price=work.trigger_price,
        reduce_only=intent.reduce_only,
        slippage_limit=slippage,
        created_ms=desk.now_ms,
        trace=work.trace,
        closes_rest=intent.closes_rest,
        updated_ms=desk.now_ms,
    )
    work.requests = Requests()
    work.wants_child = False
    desk.touch(work)
    return work.order


def place(desk: Desk, work: Work, order: Order) -> None:
    """Send a validated order."""
    desk.notes([order.fire("send", f"sent {order.side} {order.quantity} {order.symbol}", desk.now_ms)])
    _ask_place(desk, work, order, 0.0)
    desk.touch(work)


def place_again(desk: Desk, work: Work, order: Order, why: str) -> bool:
    """EX-4: send the same order under the same client id after 1, 5, 15 s; False when the retries are used up."""
    delays = desk.parameters.retry_delays_s
    attempt = work.requests.again("place")
    if attempt > len(delays):
        return False
    desk.notes([order.fire("resend", f"{why}; sent again under the same id", desk.now_ms)])
    desk.remark(order.name, "retry", f"{why}; retry {attempt} of {len(delays)} after {delays[attempt - 1]:g} s")
    work.requests.is_retry_waiting = True
    work.requests.is_absent = False
    _ask_place(desk, work, order, delays[attempt - 1])
    desk.touch(work)
    return True


def _ask_place(desk: Desk, work: Work, order: Order, delay_s: float) -> None:
    request = PlaceOrder(
        link_id=order.link_id,
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
    )
    key = work.requests.next_key(order.link_id, Topic.PLACE)
    desk.ask(key, order.account, request, gate_of(work.intent), delay_s)


def cancel(desk: Desk, work: Work, order: Order, delay_s: float = 0.0) -> None:
    """Ask for the cancellation; never gated, never refused."""
    request = CancelOrder(
        link_id=order.link_id,
        category=order.category,
        symbol=order.symbol,
        is_conditional=order.is_conditional,
    )
    desk.ask(work.requests.next_key(order.link_id, Topic.CANCEL), order.account, request, None, delay_s)
    desk.touch(work)


def amend(desk: Desk, work: Work, order: Order, delay_s: float = 0.0) -> None:
    """Ask for the values in `order.amended`."""
    request = AmendOrder(
        link_id=order.link_id,
        category=order.category,
        symbol=order.symbol,
        price=order.amended.get("price"),
        trigger_price=order.amended.get("trigger_price"),
        quantity=order.amended.get("quantity"),
    )
    desk.ask(work.requests.next_key(order.link_id, Topic.AMEND), order.account, request, None, delay_s)
    desk.touch(work)


def look_up(desk: Desk, work: Work, order: Order, why: str, delay_s: float = 0.0) -> None:
    """Ask the exchange what became of the order, unless that is already being asked."""
    if Topic.LOOK in work.requests.pending:
        return
    work.requests.check_ms = None
    desk.remark(order.name, "look_up", why)
    side = None if work.requests.is_doubtful else order.side
    request = LookUpOrder(link_id=order.link_id, category=order.category, symbol=order.symbol, side=side)
    desk.ask(work.requests.next_key(order.link_id, Topic.LOOK), order.account, request, None, delay_s)
    desk.touch(work)


def patience_s(desk: Desk, repetitions: int) -> float:
    """The delay before the `repetitions`-th repetition: EX-4's, then growing up to `longest_delay_s`."""
    parameters = desk.parameters
    return Backoff(parameters.retry_delays_s, parameters.longest_delay_s).pause_s(max(repetitions, 1))
