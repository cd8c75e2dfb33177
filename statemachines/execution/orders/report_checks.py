"""All checks of the exchange's reports about our orders: does a report match the order sent, and is it plausible?

Pure: the functions name a problem and decide nothing. A report refused here is not booked until the exchange's own
list confirms it (`statemachines/execution/suspect_reports.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from statemachines.execution.orders.child_order import ChildOrder
from statemachines.limits.plausibility import MAX_APART_MS, MAX_FEE_PART, MAX_FILL_RATIO, MAX_FUNDING_RATE
from statemachines.requests import ExecutionReport, OrderReport, VenueOrderStatus
from statemachines.values import LINEAR, Account, Category, Side

FUNDING_TYPE = "Funding"
"""The execution type of a settlement: `fee` is the amount paid or received."""


def lacks_realized(report: ExecutionReport) -> bool:
    """Whether it may have closed part of a position without saying with which profit, as in REST's list. The
    exchange's transaction log shows it; our own ledger's depends on the order in which executions are booked, which
    after a gap in the streams is not the order in which they happened."""
    is_fill = report.category == LINEAR and report.execution_type != FUNDING_TYPE
    return is_fill and report.realized_pnl is None and report.closed_quantity != 0


class Terms(NamedTuple):
    """The terms an order was sent with; None where no longer known. `room` is the quantity that may still execute.

    `quantities`, `limits` and `triggers` are all values that were sent or requested by an amendment: a report may
    contain any of them, since it can be from before an amendment. Empty: unknown, or not limited.
    """

    account: Account | None = None
    category: Category | None = None
    symbol: str | None = None
    side: Side | None = None
    room: Decimal | None = None
    venue_order_id: str = ""
    quantities: tuple[Decimal, ...] = ()
    limits: tuple[Decimal, ...] = ()
    triggers: tuple[Decimal, ...] = ()
    may_shrink: bool = False
    """A reduce-only order: the exchange reduces it when the position becomes smaller."""
    created_ms: int = 0


NO_TERMS = Terms()


def terms_of(order: ChildOrder) -> Terms:
    """The terms of an order with the quantity that may still execute; a pending amendment may have increased it."""
    room = None if order.closes_rest else max(order.quantity, order.amended.get("quantity", order.quantity))
    room = None if room is None else max(room - order.filled_quantity, Decimal(0))
    return Terms(
        order.account,
        order.category,
        order.symbol,
        order.side,
        room,
        order.venue_order_id,
        quantities=() if order.closes_rest else order.terms_sent("quantity"),
        limits=order.terms_sent("price") if order.style == "post_only" else (),
        triggers=order.terms_sent("trigger_price"),
        may_shrink=order.reduce_only,
        created_ms=order.created_ms,
    )


def foreign_problem(terms: Terms, report: OrderReport | ExecutionReport) -> str:
    """Why a report with the id of our order belongs to another order, as a clause; "" when it is ours."""
    sent = {"account": terms.account, "category": terms.category, "symbol": terms.symbol, "side": terms.side}
    if terms.venue_order_id and report.venue_order_id:
        sent["venue_order_id"] = terms.venue_order_id
    shown = {name: getattr(report, name) for name in sent}
    wrong = [
        f"{name} is {shown[name]}, ours has {value}" for name, value in sent.items() if value not in (None, shown[name])
    ]
    return "; ".join(wrong)


def terms_problem(terms: Terms, report: OrderReport) -> str:
    """Why a report under our id has terms that we never requested, as a clause; "" when it has not."""
    checks = (
        ("quantity", report.quantity, terms.quantities),
        ("price", report.price, terms.limits),
        (
            "trigger_price",
            report.trigger_price,
            terms.triggers if report.status is VenueOrderStatus.UNTRIGGERED else (),
        ),
    )
    for name, value, sent in checks:
        is_cut = name == "quantity" and terms.may_shrink and value is not None and value <= max(sent, default=value)
        if sent and value is not None and value not in sent and not is_cut:
            return f"{name} is {value}, ours has {sent[0]}"
    return ""


def price_problem(terms: Terms, report: ExecutionReport, known: Sequence[Decimal]) -> str:
    """Why an execution's price is implausible, as a clause; "" when it is plausible.

    A limit order never fills worse than its limit. Any other order fills near one of the `known` prices (the market's,
    its trigger, the price of the decision); without a known price nothing is checked.
    """
    if terms.limits:
        worst = max(terms.limits) if report.side is Side.BUY else min(terms.limits)
        if (report.price - worst) * report.side.sign > 0:
            return f"price is {report.price}; worse than the order's limit {worst} is not possible"
    near = (*known, *terms.limits, *terms.triggers)
    if near and not any(one / MAX_FILL_RATIO <= report.price <= one * MAX_FILL_RATIO for one in near):
        prices = ", ".join(str(one) for one in near)
        return f"price is {report.price}; within {MAX_FILL_RATIO} times of one of {prices} is possible"
    return ""


def time_problem(terms: Terms, report: ExecutionReport, now_ms: int) -> str:
    """Why an execution's time is implausible, as a clause; "" when it is plausible."""
    if report.executed_ms > now_ms + MAX_APART_MS:
        return f"executed_ms is {report.executed_ms}; at most {MAX_APART_MS} ms after {now_ms} is possible"
    if report.executed_ms < terms.created_ms - MAX_APART_MS:
        return f"executed_ms is {report.executed_ms}; the order was created at {terms.created_ms}"
    return ""


def lot_problem(terms: Terms, report: ExecutionReport, qty_step: Decimal) -> str:
    """Why an execution's quantity contradicts the lot step, as a clause; "" when it does not. An order whose own
    quantity is not a multiple of the step (the step was different then, or it closes a remainder) is not checked."""
    is_on_lot = bool(terms.quantities) and not any(quantity % qty_step for quantity in terms.quantities)
    if is_on_lot and report.quantity % qty_step:
        return f"quantity is {report.quantity}; a multiple of the lot step {qty_step} is required"
    return ""


def overfill_problem(terms: Terms, report: ExecutionReport) -> str:
    """Why an execution exceeds the ordered quantity, as a clause; "" when it does not."""
    if terms.room is None or report.quantity <= terms.room:
        return ""
    return f"quantity is {report.quantity}; only {terms.room} of the order is left to execute"


def fee_problem(report: ExecutionReport, base: str, quote: str) -> str:
    """Why a fee (for a settlement: a payment) is implausible, as a clause; "" when it is plausible. `base` and `quote`
    are the coins of the market: a fee in any other coin cannot be valued. The taxes in it are `tax_problem`'s."""
    fee = report.fee - report.tax_in_fee
    if fee == 0:
        return ""
    is_settlement = report.execution_type == FUNDING_TYPE
    most = MAX_FUNDING_RATE if is_settlement else MAX_FEE_PART
    coins = (quote,) if is_settlement else (base, quote)
    value = _value(report, report.fee_coin, base)
    if report.fee_coin and report.fee_coin not in coins:
        return f"fee is {fee} {report.fee_coin}; a fee in {' or '.join(coins)} is required"
    if abs(report.fee_rate) > most:
        return f"fee rate is {report.fee_rate}; at most {most} is possible"
    if abs(fee) > value * most:
        return f"fee is {fee} {report.fee_coin or quote}; at most {most:%} of the value {value:f} is possible"
    return ""


def tax_problem(report: ExecutionReport, base: str, quote: str) -> str:
    """Why the taxes beside a fee are implausible, as a clause; "" when they are plausible. They may be a large part of
    a gain, and with it of the value, but exceed the execution's own value in no coin. In a coin that is not the
    market's they cannot be valued."""
    coin = report.fee_coin or quote
    in_fee = ((coin, report.tax_in_fee),) if report.tax_in_fee else ()
    for name, amount in (*in_fee, *report.extra_fees):
        if name not in (base, quote):
            return f"tax is {amount} {name}; a tax in {base} or {quote} is required"
        value = _value(report, name, base)
        if abs(amount) > value:
            return f"tax is {amount} {name}; at most the value {value:f} is possible"
    return ""


def _value(report: ExecutionReport, coin: str, base: str) -> Decimal:
    """What was executed, in one of the market's two coins."""
    return report.quantity if coin == base else report.quantity * report.price


def closed_problem(report: ExecutionReport) -> str:
    """Why an execution's closed quantity is implausible, as a clause; "" when it is plausible."""
    if report.closed_quantity is None or report.closed_quantity <= report.quantity:
        return ""
    return f"closed quantity is {report.closed_quantity}; only {report.quantity} were executed"


def row_problem(report: OrderReport, *, is_in_coin: bool = True) -> str:
    """Why a report of an order contradicts itself, as a clause; "" when it does not. `is_in_coin`: its quantity is in
    the coin, like its executed quantity."""
    status, executed, quantity = report.status, report.filled_quantity, report.quantity
    if report.updated_ms < report.created_ms - MAX_APART_MS:
        return f"it was updated at {report.updated_ms}, and created at {report.created_ms}"
    if status in (VenueOrderStatus.FILLED, VenueOrderStatus.PARTIALLY_FILLED) and not executed:
        return f"status is {status.value} with nothing executed"
    if not is_in_coin or not quantity:
        return ""
    if executed > quantity:
        return f"executed quantity is {executed}; at most the order's quantity {quantity} is possible"
    if status is VenueOrderStatus.FILLED and executed < quantity:
        return f"status is {status.value} with {executed} of {quantity} executed"
    if not status.is_final and executed == quantity:
        return f"status is {status.value} with all of {quantity} executed"
    return ""
