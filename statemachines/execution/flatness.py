"""A fresh reading of an account's own lists for the proof that it is flat (R3). It holds no state: the risk manager
requests a reading again whose answer is lost."""

from __future__ import annotations

from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.request_keys import Topic, other_key
from statemachines.messages.control import FlatnessRead, FlatnessWanted
from statemachines.refusals import outcome_in_words
from statemachines.requests import AccountSnapshot, ExchangeResponse, OrderReport, ReadAccount
from statemachines.values import Account

ORDERS_SHOWN = 20
COUNTED = frozenset({"order", "position", "balance"})
"""Rows that say whether an account is flat; one of them that cannot be used leaves that unknown."""


def take_wanted(context: ExecutionContext, body: FlatnessWanted) -> None:
    """Read the account now; a reading is no order and needs no reconciliation before it."""
    subject = f"{body.account}:{body.number}"
    key = other_key(Topic.FLATNESS, subject, context.control.next("flatness_readings"))
    context.call_exchange(key, body.account, ReadAccount(executions_since_ms=context.now_ms))


def take_answer(context: ExecutionContext, subject: str, outcome: ExchangeResponse) -> None:
    """Report what the exchange lists; a failed reading, or one with a row that cannot be read, proves nothing."""
    account, _, number = subject.rpartition(":")
    context.send(_read(Account(account), int(number), context.now_ms, outcome))


def _read(account: Account, number: int, now_ms: int, outcome: ExchangeResponse) -> FlatnessRead:
    if not isinstance(outcome, AccountSnapshot):
        problem = outcome_in_words(outcome)
        return FlatnessRead(account=account, number=number, market_ms=now_ms, problem=problem)
    # A coin that is not traded here is no reason: only those of hedged pairs count.
    unread = [
        f"{row.kind} {row.symbol}: {row.problem}"
        for row in outcome.set_aside
        if row.kind in COUNTED and not (row.kind == "balance" and row.is_foreign)
    ]
    if unread:
        problem = "; ".join(unread[:3])
        return FlatnessRead(account=account, number=number, market_ms=outcome.market_ms, problem=problem)
    return FlatnessRead(
        account=account,
        number=number,
        market_ms=outcome.market_ms,
        positions={one.symbol: one.quantity for one in outcome.positions if one.quantity},
        coins={coin: amount for coin, amount in outcome.balances.items() if amount},
        orders=tuple(_described(one) for one in outcome.open_orders[:ORDERS_SHOWN]),
        order_count=len(outcome.open_orders),
    )


def _described(order: OrderReport) -> str:
    name = order.client_order_id or order.venue_order_id
    return f"{order.side} {order.quantity:f} {order.category} {order.symbol}, {name}"
