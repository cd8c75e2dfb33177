"""The pre-trade checks (RM-1): one small pure function each, returning None or a refusal with its numbers.

`INTEGRITY` applies to every order: it verifies that the order is valid. `LIMITS` applies to new risk only: orders that
reduce risk, and cancels, are never refused (DESIGN 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from statemachines.limits.entry_gate import is_blocked, permits_entries
from statemachines.portfolio.equity import price_key
from statemachines.risk.exposure_checks import (
    check_asset_leverage,
    check_capital_limit,
    check_cash_buffer,
    check_concentration,
    check_equity,
    check_exposure,
    check_liquidation_buffer,
    check_position,
    check_size,
    check_total_leverage,
)
from statemachines.risk.machine import stricter
from statemachines.risk.order_view import OrderView, Refusal, is_risk_reducing, percent
from statemachines.values import ACCOUNT_OF, MINUTE_MS, SPOT, floor_to_step

ZERO = Decimal(0)


Check = Callable[[OrderView], Refusal | None]


# --- every order ---


def check_duplicate(order: OrderView) -> Refusal | None:
    """RM-1 duplicates: an intent is decided once; its id is never used again."""
    if not order.is_repeat:
        return None
    text = f"intent {order.intent.intent_id} has already been decided"
    return Refusal("duplicate", "one decision per intent", order.intent.intent_id, text)


def check_ownership(order: OrderView) -> Refusal | None:
    """RM-1: an engine trades only its own account (chapter 1)."""
    intent = order.intent
    if ACCOUNT_OF.get(intent.engine) == intent.account:
        return None
    own = str(ACCOUNT_OF.get(intent.engine, "none"))
    text = f"{intent.engine} may not trade account {intent.account}; allowed: {own}"
    return Refusal("ownership", own, str(intent.account), text)


def check_instrument_known(order: OrderView) -> Refusal | None:
    """RM-1 instrument rules: the instrument's filters must be known, and the order must be at least one lot."""
    intent, instrument = order.intent, order.instrument
    if instrument is None:
        key = price_key(intent.category, intent.symbol)
        text = f"the rules of {intent.category} {intent.symbol} are not known yet"
        return Refusal("instrument", "known rules", key, text)
    if intent.closes_rest and not intent.reduce_only:
        text = f"only a reduce-only order can close a remainder of {intent.symbol} (X1)"
        return Refusal("instrument", "reduce-only", "not reduce-only", text)
    if not intent.closes_rest and instrument.floor_qty(intent.quantity) <= ZERO:
        text = f"quantity {intent.quantity} is less than one lot of {instrument.qty_step}"
        return Refusal("instrument", instrument.qty_step, intent.quantity, text)
    if intent.reduce_only and intent.category == SPOT:
        text = f"reduce_only is not possible on spot ({intent.symbol})"
        return Refusal("instrument", "not reduce-only on spot", "reduce-only", text)
    if intent.style == "stop" and not (intent.reduce_only and intent.trigger_price):
        text = f"a stop must be reduce-only with a trigger price, not {intent.trigger_price}"
        found = f"{'reduce-only' if intent.reduce_only else 'not reduce-only'}, trigger price {intent.trigger_price}"
        return Refusal("instrument", "reduce-only with a trigger price", found, text)
    return None


# --- new risk only ---


def check_universe(order: OrderView) -> Refusal | None:
    """RM-1: an engine opens only its own instruments (chapter 1). What it holds of one that a change of the policy has
    taken from it is closed all the same: reductions always pass."""
    intent = order.intent
    key = price_key(intent.category, intent.symbol)
    if key in order.limits.universe:
        return None
    universe = sorted(order.limits.universe)
    return Refusal("ownership", ", ".join(universe), key, f"{intent.engine} may not trade {key}; allowed: {universe}")


def check_engine_active(order: OrderView) -> Refusal | None:
    """RM-1 engine active, RM-2, RM-5: neither GLOBAL nor the engine's own state may forbid entries."""
    if permits_entries(order.global_state) and permits_entries(order.engine_state):
        return None
    text = (
        f"no new risk: GLOBAL is {order.global_state} and {order.intent.engine} is {order.engine_state}; "
        "NORMAL or CAUTION is needed"
    )
    return Refusal("engine_active", "NORMAL or CAUTION", stricter(order.global_state, order.engine_state).value, text)


def check_one_day_fall(order: OrderView) -> Refusal | None:
    """RM-3, RULINGS F11: entries are blocked for 24 h after a one-day fall, the end excluded."""
    until_ms = order.entries_blocked_until_ms
    if until_ms is None or not is_blocked(until_ms, order.now_ms):
        return None
    text = f"entries of {order.intent.engine} are blocked until {until_ms}, now {order.now_ms}"
    return Refusal("one_day_fall", until_ms, order.now_ms, text)


def check_portfolio_known(order: OrderView) -> Refusal | None:
    """RM-1: without all balances and prices no limit can be checked; missing is never zero."""
    if order.portfolio is not None:
        return None
    missing = "; ".join(order.unknown)
    return Refusal("portfolio_known", "all balances and prices", missing, f"the portfolio is not known: {missing}")


def check_fresh_data(order: OrderView) -> Refusal | None:
    """RM-1 fresh data: the last closed bar is at most `max_bar_age_ms` old, and the intent itself has not expired."""
    intent, limit = order.intent, order.parameters.max_bar_age_ms
    if order.unusable:
        why = " ".join(order.unusable)
        return Refusal("fresh_data", "usable data", why, f"the data of {intent.symbol} cannot be used: {why}")
    if intent.expires_ms is not None and intent.expires_ms <= order.now_ms:
        text = f"the intent expired at {intent.expires_ms}, now {order.now_ms}"
        return Refusal("fresh_data", intent.expires_ms, order.now_ms, text)
    if order.price_ms is None:
        return Refusal("fresh_data", limit, "none", f"no closed bar of {intent.category} {intent.symbol} is known")
    age_ms = order.now_ms - order.price_ms
    if age_ms <= limit:
        return None
    text = f"the last bar of {intent.symbol} closed {age_ms} ms ago; allowed: {limit} ms"
    return Refusal("fresh_data", limit, age_ms, text)


def check_instrument_rules(order: OrderView) -> Refusal | None:
    """RM-1 instrument rules: lot and minimum of the venue; above its maximum an order is sliced (X4). No price of an
    entry can be off the tick: the approval's worst price and every quote are rounded to it."""
    intent, instrument = order.intent, order.instrument
    if instrument is None:
        return None
    if floor_to_step(intent.quantity, instrument.qty_step) != intent.quantity:
        text = f"quantity {intent.quantity} is not a multiple of {instrument.qty_step}"
        return Refusal("instrument_rules", instrument.qty_step, intent.quantity, text)
    if instrument.tradable(intent.quantity, intent.reference_price):
        return None
    is_few = intent.quantity < instrument.min_qty
    return Refusal(
        "instrument_rules",
        instrument.min_qty if is_few else instrument.min_notional_usdt,
        intent.quantity if is_few else order.notional_usdt,
        f"quantity {intent.quantity} ({order.notional_usdt:f} USDT) is below the minimum of {intent.symbol}: "
        f"{instrument.min_qty} and {instrument.min_notional_usdt} USDT",
    )


def check_price_collar(order: OrderView) -> Refusal | None:
    """RM-1 price collar: the reference price is near the last closed price."""
    if order.price is None:
        return None
    collar = order.parameters.price_collar
    distance = abs(order.intent.reference_price - order.price) / order.price
    if distance <= collar:
        return None
    return Refusal(
        "price_collar",
        collar,
        distance,
        f"reference price {order.intent.reference_price} is {percent(distance)} from the last close {order.price}; "
        f"allowed: {percent(collar)}",
    )


def check_order_rate(order: OrderView) -> Refusal | None:
    """RM-1 order rate: new-risk intents per engine in one minute of market time."""
    most = order.parameters.max_orders_per_minute
    if order.orders_this_minute < most:
        return None
    minute_ms = order.now_ms - order.now_ms % MINUTE_MS
    text = f"{order.orders_this_minute} orders in the minute from {minute_ms}; allowed: {most}"
    return Refusal("order_rate", most, order.orders_this_minute, text)


INTEGRITY: tuple[Check, ...] = (check_duplicate, check_ownership, check_instrument_known)
LIMITS: tuple[Check, ...] = (
    check_universe,
    check_portfolio_known,
    check_engine_active,
    check_one_day_fall,
    check_fresh_data,
    check_instrument_rules,
    check_price_collar,
    check_equity,
    check_capital_limit,
    check_size,
    check_position,
    check_asset_leverage,
    check_total_leverage,
    check_liquidation_buffer,
    check_exposure,
    check_concentration,
    check_cash_buffer,
    check_order_rate,
)


class Verdict(NamedTuple):
    """The outcome of all checks: `refusals` is empty when the order may be sent."""

    refusals: Sequence[Refusal]
    is_reducing: bool


def judge(order: OrderView) -> Verdict:
    """Apply RM-1 to one order; new risk is refused with every reason that applies, not only the first."""
    broken = _refusals(INTEGRITY, order)
    if broken:
        return Verdict(broken, False)
    if is_risk_reducing(order):
        return Verdict((), True)
    return Verdict(_refusals(LIMITS, order), False)


def _refusals(checks: Sequence[Check], order: OrderView) -> tuple[Refusal, ...]:
    found = [check(order) for check in checks]
    return tuple(refusal for refusal in found if refusal is not None) if any(found) else ()
