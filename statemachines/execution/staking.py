"""CH-10, OR-6: staking orders: recorded before they are sent, sent at most once, posted when they succeeded."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from statemachines.earn.terms import LookUpStaking, StakeCoins, StakingStatus
from statemachines.execution.context import ExecutionContext
from statemachines.execution.fills import post
from statemachines.execution.orders.order_ids import client_order_id
from statemachines.execution.orders.request_keys import Topic
from statemachines.execution.orders.staking_order import StakingWork
from statemachines.execution.orders.staking_order_machine import StakingState
from statemachines.execution.records.transaction_records import OwnLeg
from statemachines.execution.submission import patience_s
from statemachines.ledger.postings import staking_posting
from statemachines.messages.accounts import StakingOrdered, StakingReported
from statemachines.refusals import outcome_in_words
from statemachines.requests import (
    Accepted,
    Blocked,
    Dropped,
    ExchangeResponse,
    Refused,
    Unknown,
)
from statemachines.values import ENGINE_OF, HOUR_MS, MINUTE_MS

ZERO = Decimal(0)

FIRST_CHECK_MS = MINUTE_MS
LONGEST_CHECK_MS = HOUR_MS
"""An order on which the exchange works is looked up after a minute of market time, then with doubled pauses."""


def take_order(context: ExecutionContext, ordered: StakingOrdered) -> None:
    """Accept a staking order; it is sent once the first reconciliation has ended. A known id is ignored."""
    if context.stakings.get(ordered.staking_id) is not None:
        context.remark(ordered.staking_id, "repeated", "the staking order is already known; nothing is repeated")
        return
    work = StakingWork(
        context.stakings.free_slot(),
        context.control.next("stakings"),
        ordered,
        client_order_id(context.installation, ordered.staking_id, 1),
        context.now_ms,
    )
    context.stakings.add(work)
    if context.is_started:
        _send(context, work)


def release(context: ExecutionContext) -> None:
    """The first reconciliation has ended: send held orders, look up those that were under way."""
    for work in context.stakings.live():
        if work.state is StakingState.REQUESTED:
            _send(context, work)
        elif not work.pending and work.check_ms is None:
            _look_up(context, work, 0.0)


def on_due(context: ExecutionContext) -> None:
    """Look up the orders on which the exchange works, when it is time."""
    for work in context.stakings.due(context.now_ms):
        work.check_ms = None
        _look_up(context, work, 0.0)


def take_answer(context: ExecutionContext, staking_id: str, key: str, outcome: ExchangeResponse) -> None:
    """The outcome of a staking order or of its look-up."""
    work = context.stakings.get(staking_id)
    if work is None or work.is_ended or work.pending != key or isinstance(outcome, Dropped):
        context.remark(staking_id, "late_answer", f"the outcome is {outcome.kind}; it is no longer awaited")
        return
    work.pending = ""
    context.stakings.mark(work)
    if isinstance(outcome, StakingStatus):
        _looked_up(context, work, outcome)
    elif work.state is not StakingState.SENT:
        # The look-up failed, which says nothing about the order.
        _look_up_later(context, work, outcome_in_words(outcome))
    elif isinstance(outcome, Accepted):
        _move(context, work, "accept", "the exchange accepted it")
        _look_up(context, work, 0.0)
    elif isinstance(outcome, Refused):
        _refused(context, work, outcome)
    elif isinstance(outcome, Blocked):
        _end(context, work, "reject", outcome.why)
    else:
        why = outcome.why if isinstance(outcome, Unknown) else f"the outcome is {outcome.kind}"
        _move(context, work, "lose", f"the outcome is not known: {why}")
        _look_up(context, work, 0.0)


def _send(context: ExecutionContext, work: StakingWork, delay_s: float = 0.0) -> None:
    ordered = work.ordered
    trigger = "send" if work.state is StakingState.REQUESTED else "resend"
    work.attempts += 1
    _move(context, work, trigger, f"{_what(work)}: {ordered.reason}")
    request = StakeCoins(
        client_order_id=work.client_order_id,
        action=ordered.action,
        coin=ordered.coin,
        product_id=ordered.product_id,
        amount=ordered.amount,
    )
    # RM-2: a switch may forbid to stake; to redeem is to reduce risk, which is never refused.
    gate = ENGINE_OF.get(ordered.account) if ordered.action == "stake" else None
    context.call_exchange(context.stakings.next_key(work, Topic.STAKE), ordered.account, request, gate, delay_s)


def _refused(context: ExecutionContext, work: StakingWork, refused: Refused) -> None:
    why = outcome_in_words(refused)
    delays = context.parameters.retry_delays_s
    if refused.fault == "duplicate":
        _move(context, work, "lose", why)
        _look_up(context, work, 0.0)
    elif refused.fault == "transient" and work.attempts <= len(delays):
        _send(context, work, delays[work.attempts - 1])
    else:
        _end(context, work, "reject", why)


def _looked_up(context: ExecutionContext, work: StakingWork, found: StakingStatus) -> None:
    if found.status == "ABSENT":
        _absent(context, work)
        return
    work.absences = 0
    _end_unknown(context, work, f"the exchange reports {found.status}")
    work.looks = 0
    if found.status == "SUCCESS":
        _done(context, work)
    elif found.status == "FAILED":
        _end(context, work, "reject", "the exchange reports that it failed")
    else:
        _wait(context, work)


def _wait(context: ExecutionContext, work: StakingWork) -> None:
    """The exchange works on it; the engine is informed once."""
    is_news = work.waits == 0
    _move(context, work, "wait" if work.state is StakingState.PENDING else "found", "the exchange reports Pending")
    pause_ms = min(FIRST_CHECK_MS * 2 ** min(work.waits, 10), LONGEST_CHECK_MS)
    work.waits += 1
    work.check_ms = context.now_ms + pause_ms
    if is_news:
        _report(context, work, "PENDING", "the exchange works on it")


def _absent(context: ExecutionContext, work: StakingWork) -> None:
    """The record may lag behind: only repeated absence ends the order. The engine then decides anew."""
    work.absences += 1
    if work.absences < context.parameters.absences_to_believe:
        _look_up(context, work, patience_s(context, work.absences + 1))
        return
    why = f"{work.absences} look-ups did not find it: the exchange never received it"
    _end_unknown(context, work, why)
    _end(context, work, "reject", why)


def _look_up_later(context: ExecutionContext, work: StakingWork, why: str) -> None:
    work.looks += 1
    if work.state is StakingState.UNKNOWN:
        _move(context, work, "lose", why)
    if work.looks == context.parameters.loop_limit:
        context.alert(
            "critical",
            "a staking order's outcome is not known",
            f"{_what(work)} ({work.client_order_id}): {why}. The look-up is repeated until the exchange responds.",
            _condition(work),
        )
    _look_up(context, work, patience_s(context, work.looks))


def _end_unknown(context: ExecutionContext, work: StakingWork, text: str) -> None:
    if work.looks >= context.parameters.loop_limit:
        context.end_alert(_condition(work), text)


def _look_up(context: ExecutionContext, work: StakingWork, delay_s: float) -> None:
    ordered = work.ordered
    request = LookUpStaking(
        client_order_id=work.client_order_id,
        action=ordered.action,
        coin=ordered.coin,
        product_id=ordered.product_id,
        amount=ordered.amount,
    )
    context.call_exchange(context.stakings.next_key(work, Topic.STAKE_LOOK), ordered.account, request, None, delay_s)
    context.stakings.mark(work)


def _done(context: ExecutionContext, work: StakingWork) -> None:
    ordered = work.ordered
    text = f"{_what(work)}: {ordered.reason}"
    post(
        context,
        staking_posting(work.client_order_id, ordered.account, ordered.coin, work.into_earn, context.now_ms, text),
    )
    leg = OwnLeg(work.client_order_id, ordered.coin, work.into_earn.copy_negate())
    context.books[ordered.account].transactions.expect_staking(leg)
    context.publish_balances(ordered.account)
    _end(context, work, "done", "")


def _end(context: ExecutionContext, work: StakingWork, trigger: Literal["done", "reject"], reason: str) -> None:
    work.ended_number = context.control.next("stakings_ended")
    work.reason = reason
    work.check_ms = None
    _move(context, work, trigger, _what(work) if trigger == "done" else f"not done, {_what(work)}: {reason}")
    context.stakings.end(work)
    _report(context, work, "DONE" if trigger == "done" else "REJECTED", reason)


def _report(
    context: ExecutionContext, work: StakingWork, state: Literal["PENDING", "DONE", "REJECTED"], reason: str
) -> None:
    ordered = work.ordered
    context.send(
        StakingReported(
            staking_id=ordered.staking_id,
            account=ordered.account,
            action=ordered.action,
            coin=ordered.coin,
            amount=ordered.amount,
            state=state,
            staked=context.books[ordered.account].book.staked().get(ordered.coin, ZERO),
            reason=reason,
        )
    )


def _what(work: StakingWork) -> str:
    ordered = work.ordered
    verb = "staked in" if ordered.action == "stake" else "redeemed from"
    return f"{ordered.amount} {ordered.coin} of {ordered.account} {verb} Earn product {ordered.product_id}"


def _condition(work: StakingWork) -> str:
    return f"staking:{work.ordered.staking_id}"


def _move(context: ExecutionContext, work: StakingWork, trigger: str, reason: str) -> None:
    ordered = work.ordered
    data = {"amount": str(ordered.amount), "coin": ordered.coin, "action": ordered.action}
    context.notes([work.machine.fire(trigger, reason, data)])
    context.stakings.mark(work)
