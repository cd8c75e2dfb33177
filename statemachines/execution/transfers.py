"""OR-6: transfers between accounts: recorded before they are sent, idempotent by id, posted when they succeeded."""

from __future__ import annotations

from typing import Literal

from statemachines.execution.context import ExecutionContext
from statemachines.execution.fills import post
from statemachines.execution.orders.request_keys import Topic
from statemachines.execution.orders.transfer_order import TransferWork
from statemachines.execution.orders.transfer_order_machine import TransferState
from statemachines.execution.records.transaction_records import OwnLeg
from statemachines.execution.submission import patience_s
from statemachines.ledger.postings import transfer_posting
from statemachines.messages.accounts import TransferEnded, TransferOrdered
from statemachines.requests import (
    Accepted,
    Blocked,
    Dropped,
    ExchangeResponse,
    LookUpTransfer,
    Refused,
    TransferFunds,
    Unknown,
)
from statemachines.requests import (
    TransferState as TransferStatus,
)
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import Account

_Work = TransferWork


def take_order(context: ExecutionContext, ordered: TransferOrdered) -> None:
    """Accept a transfer; it is sent once the first reconciliation has ended. A known id is ignored."""
    if context.transfers.get(ordered.transfer_id) is not None:
        context.remark(ordered.transfer_id, "repeated", "the transfer is already known; nothing is repeated")
        return
    work = _Work(context.transfers.free_slot(), context.control.next("transfers"), ordered, context.now_ms)
    context.transfers.add(work)
    context.record(work.fact(context.now_ms))
    if context.is_started:
        send(context, work)


def release(context: ExecutionContext) -> None:
    """The first reconciliation has ended: send held transfers, look up those that were under way."""
    for work in context.transfers.live():
        if work.state is TransferState.REQUESTED:
            send(context, work)
        elif not work.pending:
            _look_up(context, work, 0.0)


def send(context: ExecutionContext, work: TransferWork, delay_s: float = 0.0) -> None:
    """Request the transfer from the exchange, under the same id every time."""
    ordered = work.ordered
    work.attempts += 1
    request = TransferFunds(
        transfer_id=ordered.transfer_id,
        coin=ordered.coin,
        amount=ordered.amount,
        from_account=ordered.from_account,
        to_account=ordered.to_account,
    )
    trigger = "send" if work.state is TransferState.REQUESTED else "resend"
    text = f"{ordered.amount} {ordered.coin} from {ordered.from_account} to {ordered.to_account}: {ordered.purpose}"
    work.reason = ""
    _move(context, work, trigger, text)
    context.call_exchange(context.transfers.next_key(work, Topic.TRANSFER), Account.MASTER, request, None, delay_s)


def take_answer(context: ExecutionContext, transfer_id: str, key: str, outcome: ExchangeResponse) -> None:
    """The outcome of a transfer or of its look-up."""
    work = context.transfers.get(transfer_id)
    if work is None or work.is_ended or work.pending != key or isinstance(outcome, Dropped):
        context.remark(transfer_id, "late_answer", f"the outcome is {outcome.kind}; it is no longer awaited")
        return
    work.pending = ""
    context.transfers.mark(work)
    if isinstance(outcome, Accepted):
        _done(context, work)
    elif isinstance(outcome, Refused):
        _refused(context, work, outcome)
    elif isinstance(outcome, TransferStatus):
        _looked_up(context, work, outcome)
    elif isinstance(outcome, Blocked) and work.state is not TransferState.UNKNOWN and not work.looks:
        _failed(context, work, outcome.why)
    else:
        # A blocked look-up, or a blocked repetition of what may have been made, says nothing about the transfer.
        why = outcome.why if isinstance(outcome, Unknown | Blocked) else f"the outcome is {outcome.kind}"
        work.reason = why
        _move(context, work, "lose", why)
        _look_up_later(context, work, why)


def _refused(context: ExecutionContext, work: TransferWork, refused: Refused) -> None:
    why = f"refused with {refused.code}: {refused.message}"
    delays = context.parameters.retry_delays_s
    if work.state is TransferState.UNKNOWN:
        # The look-up was refused, not the transfer.
        _look_up_later(context, work, why)
    elif refused.fault == "duplicate":
        work.reason = why
        _move(context, work, "lose", why)
        _count_look(context, work, why)
        _look_up(context, work, 0.0)
    elif refused.fault == "transient" and work.attempts <= len(delays):
        send(context, work, delays[work.attempts - 1])
    elif refused.fault == "transient" and work.looks:
        # An earlier attempt had no answer: that this one was refused says nothing about it.
        work.reason = why
        _move(context, work, "lose", why)
        _look_up_later(context, work, why)
    else:
        _failed(context, work, why)


def _looked_up(context: ExecutionContext, work: TransferWork, state: TransferStatus) -> None:
    delays = context.parameters.retry_delays_s
    if state.status == "SUCCESS":
        _done(context, work)
    elif state.status == "FAILED":
        _failed(context, work, "the exchange reports FAILED")
    elif state.status == "PENDING":
        _look_up_later(context, work, "the exchange reports PENDING")
    elif not context.is_started:
        # Nothing is sent before the first reconciliation has ended; `release` sends it.
        work.reason = "the exchange never received it"
        _move(context, work, "hold", work.reason)
    elif work.attempts <= len(delays):
        send(context, work, delays[work.attempts - 1])
    else:
        # It may still land. Under the same id it is made once, however often it is sent; given up, it would be
        # requested anew under another one.
        _count_look(context, work, "the exchange never received it")
        send(context, work, patience_s(context, work.looks))


def _look_up_later(context: ExecutionContext, work: TransferWork, why: str) -> None:
    _count_look(context, work, why)
    _look_up(context, work, patience_s(context, work.looks))


def _count_look(context: ExecutionContext, work: TransferWork, why: str) -> None:
    """One more look-up without a result; an alert is raised when there are many."""
    work.looks += 1
    if work.looks == context.parameters.loop_limit:
        ordered = work.ordered
        context.alert(
            "critical",
            "a transfer's outcome is not known",
            f"{ordered.amount} {ordered.coin} from {ordered.from_account} to {ordered.to_account} "
            f"({ordered.transfer_id}): {why}. The look-up is repeated until the exchange responds.",
            f"transfer:{ordered.transfer_id}",
        )


def _look_up(context: ExecutionContext, work: TransferWork, delay_s: float) -> None:
    ordered = work.ordered
    request = LookUpTransfer(
        transfer_id=ordered.transfer_id, coin=ordered.coin, amount=ordered.amount, since_ms=work.requested_ms
    )
    context.call_exchange(context.transfers.next_key(work, Topic.TRANSFER_LOOK), Account.MASTER, request, None, delay_s)
    context.transfers.mark(work)


def _done(context: ExecutionContext, work: TransferWork) -> None:
    _book(context, work)
    _end(context, work, "done", "")
    context.publish_balances(work.ordered.from_account)
    context.publish_balances(work.ordered.to_account)


def take_landed(context: ExecutionContext, row: TransactionRow) -> bool:
    """A row of the log of a transfer that was refused here at last, and that an earlier attempt without an answer made
    all the same: an id of ours stays ours. It is booked, and its rows are expected. False when the row is of no such
    transfer."""
    for work in context.transfers.known():
        is_uncertain = work.looks > 0 and work.attempts > 1
        if work.state is not TransferState.FAILED or not is_uncertain or (row.time_ms or 0) < work.requested_ms:
            continue
        ordered = work.ordered
        legs = {ordered.from_account: ordered.amount.copy_negate(), ordered.to_account: ordered.amount}
        if row.coin != ordered.coin or row.change is None or legs.get(row.account) != row.change:
            continue
        _book(context, work)
        work.reason = ""
        text = f"{ordered.amount} {ordered.coin} from {ordered.from_account} to {ordered.to_account}"
        _move(context, work, "land", f"{text} was moved after its end here")
        context.alert(
            "warning",
            "a transfer that counted as failed was made",
            f"{text} ({ordered.transfer_id}, {ordered.purpose}): one of its {work.attempts} requests had no answer and "
            "the last one was refused. It was booked as the transfer that it is; what was ordered in its place was "
            "moved as well, which the allocation corrects. No action is required.",
        )
        for account, amount in legs.items():
            context.count_flow(account, ordered.coin, amount)  # its end was reported as a failure
        return True
    return False


def _book(context: ExecutionContext, work: TransferWork) -> None:
    ordered = work.ordered
    post(
        context,
        transfer_posting(
            ordered.transfer_id,
            ordered.from_account,
            ordered.to_account,
            ordered.coin,
            ordered.amount,
            context.now_ms,
            ordered.purpose,
        ),
    )
    expect_row(context, work, ordered.from_account)
    expect_row(context, work, ordered.to_account)


def expect_row(context: ExecutionContext, work: TransferWork, account: Account) -> None:
    """The account's transaction log will show a transfer that is already booked."""
    ordered = work.ordered
    if ordered.from_account is ordered.to_account or account not in (ordered.from_account, ordered.to_account):
        return
    amount = ordered.amount if account is ordered.to_account else ordered.amount.copy_negate()
    context.books[account].transactions.expect(OwnLeg(ordered.transfer_id, ordered.coin, amount))


def _failed(context: ExecutionContext, work: TransferWork, why: str) -> None:
    ordered = work.ordered
    context.alert(
        "warning",
        "a transfer failed",
        f"{ordered.amount} {ordered.coin} from {ordered.from_account} to {ordered.to_account} "
        f"({ordered.purpose}): {why}. Nothing was moved or booked; the orchestrator was informed.",
    )
    _end(context, work, "fail", why)


def _end(context: ExecutionContext, work: TransferWork, trigger: Literal["done", "fail"], reason: str) -> None:
    ordered = work.ordered
    work.ended_number = context.control.next("transfers_ended")
    work.reason = reason
    what = f"{ordered.amount} {ordered.coin} from {ordered.from_account} to {ordered.to_account}"
    _move(context, work, trigger, f"{what} was moved" if trigger == "done" else f"{what} was not moved: {reason}")
    if work.looks >= context.parameters.loop_limit:
        context.end_alert(f"transfer:{ordered.transfer_id}", f"it ended {work.state}")
    context.transfers.end(work)
    context.send(
        TransferEnded(
            transfer_id=ordered.transfer_id,
            request_id=ordered.request_id,
            from_account=ordered.from_account,
            to_account=ordered.to_account,
            coin=ordered.coin,
            amount=ordered.amount,
            purpose=ordered.purpose,
            succeeded=work.state is TransferState.DONE,
            reason=reason,
        )
    )


def _move(context: ExecutionContext, work: TransferWork, trigger: str, reason: str) -> None:
    ordered = work.ordered
    context.notes([work.machine.fire(trigger, reason, {"amount": str(ordered.amount), "coin": ordered.coin})])
    context.transfers.mark(work)
    context.record(work.fact(context.now_ms))
