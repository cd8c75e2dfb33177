"""The hedged pair of one asset as one object: both legs, the operation under way, and its next step (FU-4).

The residual is net spot minus short, always from quantities reported by the exchange. Every function is pure.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from statemachines.backoff import REFUSED, Backoff
from statemachines.funding.parameters import FundingParameters
from statemachines.funding.rules import PairSize, spot_order_for
from statemachines.limits.slices import equal_part
from statemachines.refusals import RefusalCause
from statemachines.values import (
    LINEAR,
    SECOND_MS,
    SPOT,
    Category,
    Frozen,
    Instrument,
    Side,
    floor_to_step,
)

ZERO = Decimal(0)
LONGEST_PAUSE_S = 600.0
"""Longest pause between two attempts to close a leg that may be naked."""


class Action(StrEnum):
    """The purpose of a set of orders; also the `purpose` of its intents."""

    ENTRY = "entry"
    COMPOUND = "compound"
    EXIT = "exit"
    UNWIND = "unwind"  # the larger leg is reduced to the one that cannot be filled
    TRIM = "trim"  # the spot leg is brought to zero delta


class Leg(Frozen):
    """One order under way; `filled` counts its executions, `ended` is set by the message that ends its intent.

    `first_id` is the first order of the same leg when this one is a further attempt; `closes_rest`: it closes the
    remainder of a short below a lot (X1); `refusal` is why the exchange, or our own check, refused it.
    """

    intent_id: str
    category: Category
    side: Side
    quantity: Decimal
    filled: Decimal = ZERO
    ended: bool = False
    withdrawn: bool = False
    end_reason: str = ""
    first_id: str = ""
    closes_rest: bool = False
    refusal: RefusalCause | None = None


class Operation(Frozen):
    """Orders sent together. `sent_ms` is the time of the last attempt, `attempt` counts from 1.

    `books_carry`: its spot fills are debited (or credited) to the carry of FU-5.
    """

    action: Action
    started_ms: int
    sent_ms: int
    attempt: int
    legs: tuple[Leg, ...]
    any_fill: bool = False
    books_carry: bool = False

    @property
    def ended(self) -> bool:
        return all(leg.ended for leg in self.legs)

    def leg_of(self, intent_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.intent_id == intent_id), None)

    def with_leg(self, leg: Leg, any_fill: bool = False) -> Operation:
        legs = tuple(leg if one.intent_id == leg.intent_id else one for one in self.legs)
        return self.model_copy(update={"legs": legs, "any_fill": self.any_fill or any_fill})


class Pair(Frozen):
    """Holdings of one asset: `coins` of spot net of fees and external holdings, `short` of the perpetual (>= 0).

    `dust_short` is a short below a lot that the exchange refuses to close (X1): it is part of `short` and counts in the
    residual, but no further order is sent for it. `goal_short`: the short that the entry aims at when it is worked in
    slices (X4), 0 otherwise; `next_slice_ms`: when the next pair of slices is due.
    """

    coins: Decimal = ZERO
    short: Decimal = ZERO
    operation: Operation | None = None
    naked_since_ms: int | None = None
    alerted: bool = False
    dust_short: Decimal = ZERO
    goal_short: Decimal = ZERO
    next_slice_ms: int | None = None

    @property
    def is_dust(self) -> bool:
        """Whether no part of the short can be closed."""
        return self.short == self.dust_short

    @property
    def residual(self) -> Decimal:
        """Coins without a hedge (positive) or short without coins (negative)."""
        return self.coins - self.short


class PairMarket(NamedTuple):
    """The input of sizing: both instruments, their last prices, the fee that a spot buy pays in the coin, and the
    largest order of each leg that is sent whole (X4), in base coin."""

    spot: Instrument
    perp: Instrument
    spot_price: Decimal
    perp_price: Decimal
    spot_fee: Decimal
    spot_most: Decimal = Decimal("Infinity")
    perp_most: Decimal = Decimal("Infinity")


class Order(NamedTuple):
    """One order to send; reduce-only for the closing side of the perpetual."""

    category: Category
    side: Side
    quantity: Decimal
    closes_rest: bool = False

    @property
    def reduce_only(self) -> bool:
        return self.category == LINEAR and self.side is Side.BUY


class Next(StrEnum):
    """The kinds of steps of an operation."""

    WAIT = "wait"
    WITHDRAW = "withdraw"
    SEND = "send"
    DONE = "done"
    NOTHING_FILLED = "nothing filled"
    UNWIND = "unwind"


class Step(NamedTuple):
    """The next step; WAIT has the time of the next check (None: at the next report), SEND its orders."""

    what: Next
    until_ms: int | None = None
    orders: tuple[Order, ...] = ()


def shared_out(own: Decimal, outside: Decimal, total: Decimal) -> tuple[Decimal, Decimal]:
    """OR-9: how much of `total` is ours and how much is not, when `own` and `outside` were known before. What is more
    than both belongs to no order of ours; what is missing is taken from what is not ours first."""
    surplus = total - own - outside
    if surplus == 0:
        return total - outside, outside
    if surplus < 0:
        own = max(ZERO, min(own, own + surplus + max(outside, ZERO)))
    return own, total - own


def is_hedged(pair: Pair, tolerance: Decimal) -> bool:
    """FU-4: whether the delta is within the tolerance of the position, regardless of the price."""
    return abs(pair.residual) <= tolerance * max(pair.coins, pair.short)


def is_naked(pair: Pair, market: PairMarket, tolerance: Decimal) -> bool:
    """FU-4: whether the delta is beyond the tolerance of the position and large enough to be traded."""
    if pair.is_dust:
        return market.spot.tradable(pair.coins, market.spot_price)  # dust does not need a hedge
    return not is_hedged(pair, tolerance) and market.spot.tradable(abs(pair.residual), market.spot_price)


def pair_slice(size: PairSize, market: PairMarket) -> PairSize:
    """X4: the pair itself, or the first of the equal slices in which it is worked: neither leg of a slice is larger
    than the largest order that is sent whole."""
    if size.spot_order <= market.spot_most and size.short <= market.perp_most:
        return size
    step = max(market.spot.qty_step, market.perp.qty_step)
    most = min(market.spot_most * (1 - market.spot_fee), market.perp_most)
    short = min(equal_part(size.short, most, step), max(floor_to_step(most, step), step))
    return PairSize(short, spot_order_for(short, market.spot_fee, market.spot.qty_step))


def opening_orders(short: Decimal, spot_order: Decimal) -> tuple[Order, ...]:
    """FU-4: both legs, sent together."""
    return Order(SPOT, Side.BUY, spot_order), Order(LINEAR, Side.SELL, short)


def closing_orders(pair: Pair, market: PairMarket) -> tuple[Order, ...]:
    """Orders that close the rest of the pair, or its next slice: the same quantity of both legs (X4). Empty when only
    dust remains."""
    orders = []
    is_whole = pair.coins <= market.spot_most and pair.short <= market.perp_most
    most = max(pair.coins, pair.short) if is_whole else min(market.spot_most, market.perp_most)
    coins = market.spot.floor_qty(min(pair.coins, most))
    if market.spot.tradable(coins, market.spot_price):
        orders.append(Order(SPOT, Side.SELL, coins))
    if not pair.is_dust:
        lots = in_lots(min(pair.short, most), market.perp)
        orders.append(Order(LINEAR, Side.BUY, lots or pair.short, closes_rest=lots == 0))
    return tuple(orders)


def trim_orders(pair: Pair, market: PairMarket) -> tuple[Order, ...]:
    """FU-4, F9: bring the delta to zero with the spot leg, rounded to its step; empty below the exchange's minimum."""
    delta = pair.residual
    if delta > 0:
        order = Order(SPOT, Side.SELL, market.spot.floor_qty(min(delta, market.spot_most)))
    else:
        gross = spot_order_for(-delta, market.spot_fee, market.spot.qty_step)
        order = Order(SPOT, Side.BUY, min(gross, market.spot_most))
    return (order,) if market.spot.tradable(order.quantity, market.spot_price) else ()


def catch_up_orders(pair: Pair, market: PairMarket) -> tuple[Order, ...]:
    """FU-4: send the difference again on the smaller leg; empty when it is too small to send."""
    if pair.residual <= 0:
        return trim_orders(pair, market)
    quantity = market.perp.floor_qty(min(pair.residual, market.perp_most))
    ok = market.perp.tradable(quantity, market.perp_price)
    return (Order(LINEAR, Side.SELL, quantity),) if ok else ()


def unwind_orders(pair: Pair, market: PairMarket) -> tuple[Order, ...]:
    """FU-4: reduce the larger leg to the one that cannot be filled."""
    if pair.residual >= 0:
        return trim_orders(pair, market)
    quantity = in_lots(min(pair.short, market.perp.ceil_qty(-pair.residual)), market.perp)
    return (Order(LINEAR, Side.BUY, min(quantity, market.perp_most)),) if quantity > 0 else ()


def next_step(pair: Pair, market: PairMarket, now_ms: int, parameters: FundingParameters) -> Step:
    """FU-4: the next step of the operation under way, at a report or when it is due.

    Raises:
        ValueError: no operation is under way.
    """
    operation = pair.operation
    if operation is None:
        raise ValueError("the pair has no operation under way; next_step is for operations only")
    timeout_ms = operation.sent_ms + parameters.leg_timeout_s * SECOND_MS
    if not operation.ended:
        if now_ms < timeout_ms:
            return Step(Next.WAIT, timeout_ms)
        waiting = any(not leg.ended and not leg.withdrawn for leg in operation.legs)
        return Step(Next.WITHDRAW if waiting else Next.WAIT)
    if operation.action is Action.EXIT:
        return _closing_step(closing_orders(pair, market), operation, now_ms, parameters)
    naked = is_naked(pair, market, parameters.delta_tolerance)
    if operation.action is Action.UNWIND:
        return _closing_step(unwind_orders(pair, market) if naked else (), operation, now_ms, parameters)
    if operation.action is Action.TRIM and not naked:
        return Step(Next.DONE)
    if not naked:
        return Step(Next.DONE if operation.any_fill else Next.NOTHING_FILLED)
    if now_ms < timeout_ms:
        return Step(Next.WAIT, timeout_ms)
    again = trim_orders(pair, market) if operation.action is Action.TRIM else catch_up_orders(pair, market)
    if operation.attempt < parameters.leg_attempts and again:
        return Step(Next.SEND, orders=again)
    return Step(Next.UNWIND)


def _closing_step(orders: tuple[Order, ...], operation: Operation, now_ms: int, parameters: FundingParameters) -> Step:
    """Closing is repeated until it is done; after the first attempts with growing pauses, to avoid churning."""
    if not orders:
        return Step(Next.DONE)
    if operation.legs and all(leg.filled >= leg.quantity for leg in operation.legs):
        return Step(Next.SEND, orders=orders)  # X4: the next slice of an exit follows without pause
    if any(leg.refusal is RefusalCause.CLOSED for leg in operation.legs):
        backoff = REFUSED[RefusalCause.CLOSED]
    else:
        fast = (float(parameters.leg_timeout_s),) * (parameters.close_attempts - 1)
        backoff = Backoff((*fast, float(parameters.close_retry_slow_s)), LONGEST_PAUSE_S)
    due_ms = operation.sent_ms + int(backoff.pause_s(operation.attempt) * SECOND_MS)
    return Step(Next.SEND, orders=orders) if now_ms >= due_ms else Step(Next.WAIT, due_ms)


def in_lots(quantity: Decimal, instrument: Instrument) -> Decimal:
    """The part that the venue accepts as a reduce-only order; 0 when the quantity is below a lot."""
    lots = instrument.floor_qty(quantity)
    return lots if lots >= instrument.min_qty else ZERO
