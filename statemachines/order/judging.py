"""The one judge of what the exchange tells about our orders: is it about the order that we sent, and can it be true?

Pure: it names what is wrong and decides nothing. What is refused here is not booked until the exchange's own list says
the same again (`actors/order_manager/doubts.py`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from statemachines.order.order import Order
from statemachines.plausibility import MOST_FEE_PART, MOST_FUNDING_RATE
from statemachines.requests import ExecutionReport, OrderReport
from statemachines.values import Account, Category, Side

FUNDING_TYPE = "Funding"
"""The execution type of a settlement: `fee` is what was paid or received."""


class Terms(NamedTuple):
    """What an order was sent with; None where it is not known any more. `room` is how much of it may still execute."""

    account: Account | None = None
    category: Category | None = None
    symbol: str | None = None
    side: Side | None = None
    room: Decimal | None = None


NO_TERMS = Terms()


def terms_of(order: Order) -> Terms:
    """The terms of an order with the room that its executions leave; a pending amendment may have widened it."""
    room = None if order.closes_rest else max(order.quantity, order.amended.get("quantity", order.quantity))
    room = None if room is None else max(room - order.executed, Decimal(0))
    return Terms(order.account, order.category, order.symbol, order.side, room)


def foreign_problem(terms: Terms, report: OrderReport | ExecutionReport) -> str:
    """Why a report that carries the id of our order is of another order, as a clause; "" when it is ours."""
    asked = {"account": terms.account, "category": terms.category, "symbol": terms.symbol, "side": terms.side}
    told = {name: getattr(report, name) for name in asked}
    wrong = [
        f"{name} is {told[name]}, ours has {value}" for name, value in asked.items() if value not in (None, told[name])
    ]
    return "; ".join(wrong)


def overfill_problem(terms: Terms, report: ExecutionReport) -> str:
    """Why an execution is more than was ordered, as a clause; "" when it is not."""
    if terms.room is None or report.quantity <= terms.room:
        return ""
    return f"quantity is {report.quantity}; only {terms.room} of the order is left to execute"


def fee_problem(report: ExecutionReport, base: str, quote: str) -> str:
    """Why a fee (of a settlement: a payment) cannot be true, as a clause; "" when it can. `base` and `quote` are the
    coins of the market: a fee in any other coin cannot be valued."""
    if report.fee == 0:
        return ""
    is_settlement = report.execution_type == FUNDING_TYPE
    most = MOST_FUNDING_RATE if is_settlement else MOST_FEE_PART
    coins = (quote,) if is_settlement else (base, quote)
    value = report.quantity if report.fee_coin == base else report.quantity * report.price
    if report.fee_coin and report.fee_coin not in coins:
        return f"fee is {report.fee} {report.fee_coin}; a fee in {' or '.join(coins)} is required"
    if abs(report.fee_rate) > most:
        return f"fee rate is {report.fee_rate}; at most {most} is possible"
    if abs(report.fee) > value * most:
        return f"fee is {report.fee} {report.fee_coin or quote}; at most {most:%} of the value {value:f} is possible"
    return ""
