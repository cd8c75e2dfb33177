"""OR-6: movements between accounts: recorded before they are sent, idempotent by id, posted when they succeeded."""

from __future__ import annotations

from actors.order_manager.booking import post
from actors.order_manager.desk import Desk
from actors.order_manager.keys import Topic, other_key
from actors.order_manager.sending import patience_s
from actors.order_manager.transfer_works import TransferStage, TransferWork
from statemachines.ledger.postings import transfer_posting
from statemachines.messages import TransferEnded, TransferOrdered
from statemachines.requests import (
    Accepted,
    Blocked,
    Dropped,
    LookUpTransfer,
    Outcome,
    Refused,
    TransferFunds,
    TransferState,
    Unknown,
)
from statemachines.values import Account

_Work = TransferWork


def take_order(desk: Desk, ordered: TransferOrdered) -> None:
    """Take a movement; it is sent once the first reconciliation has ended. A known id is not taken twice."""
    if desk.transfers.get(ordered.transfer_id) is not None:
        desk.remark(ordered.transfer_id, "repeated", "the transfer is known; nothing is done twice")
        return
    work = _Work(desk.transfers.free_slot(), desk.control.next("transfers"), ordered, desk.now_ms)
    desk.transfers.add(work)
    desk.record(work.fact(desk.now_ms))
    if desk.is_started:
        send(desk, work)


def release(desk: Desk) -> None:
    """The first reconciliation has ended: send what was held, ask about what was under way."""
    for work in desk.transfers.live():
        if work.stage == "REQUESTED":
            send(desk, work)
        elif not work.pending:
            _look_up(desk, work, 0.0)


def send(desk: Desk, work: TransferWork, delay_s: float = 0.0) -> None:
    """Ask the exchange for the movement, under the same id every time."""
    ordered = work.ordered
    work.attempts += 1
    request = TransferFunds(
        transfer_id=ordered.transfer_id,
        coin=ordered.coin,
        amount=ordered.amount,
        from_account=ordered.from_account,
        to_account=ordered.to_account,
    )
    _move(desk, work, "SENT", "")
    desk.ask(_next_key(work, Topic.TRANSFER), Account.MASTER, request, None, delay_s)
    text = f"{ordered.amount} {ordered.coin} from {ordered.from_account} to {ordered.to_account}: {ordered.purpose}"
    desk.note(ordered.transfer_id, "transfer", text)


def take_answer(desk: Desk, transfer_id: str, key: str, outcome: Outcome) -> None:
    """The outcome of a transfer or of its look-up."""
    work = desk.transfers.get(transfer_id)
    if work is None or work.is_ended or work.pending != key or isinstance(outcome, Dropped):
        desk.remark(transfer_id, "late_answer", f"answered {outcome.kind}, which nobody awaits any more")
        return
    work.pending = ""
    desk.transfers.mark(work)
    if isinstance(outcome, Accepted):
        _done(desk, work)
    elif isinstance(outcome, Refused):
        _refused(desk, work, outcome)
    elif isinstance(outcome, TransferState):
        _looked_up(desk, work, outcome)
    elif isinstance(outcome, Blocked):
        _failed(desk, work, outcome.why)
    else:
        why = outcome.why if isinstance(outcome, Unknown) else f"answered {outcome.kind}"
        _move(desk, work, "UNKNOWN", why)
        _look_up_later(desk, work, why)


def is_wanted(desk: Desk, transfer_id: str, key: str) -> bool:
    """Whether a delayed request still counts."""
    work = desk.transfers.get(transfer_id)
    return work is not None and work.pending == key


def _refused(desk: Desk, work: TransferWork, refused: Refused) -> None:
    why = f"refused with {refused.code}: {refused.message}"
    delays = desk.parameters.retry_delays_s
    if work.stage == "UNKNOWN":
        # The look-up was refused, not the transfer.
        _look_up_later(desk, work, why)
    elif refused.fault == "duplicate":
        _move(desk, work, "UNKNOWN", why)
        _look_up(desk, work, 0.0)
    elif refused.fault == "transient" and work.attempts <= len(delays):
        send(desk, work, delays[work.attempts - 1])
    else:
        _failed(desk, work, why)


def _looked_up(desk: Desk, work: TransferWork, state: TransferState) -> None:
    delays = desk.parameters.retry_delays_s
    if state.status == "SUCCESS":
        _done(desk, work)
    elif state.status == "FAILED":
        _failed(desk, work, "the exchange reports FAILED")
    elif state.status == "PENDING":
        _look_up_later(desk, work, "the exchange reports PENDING")
    elif not desk.is_started:
        # Nothing is sent before the first reconciliation has ended; the release sends it.
        _move(desk, work, "REQUESTED", "the exchange never had it")
    elif work.attempts <= len(delays):
        send(desk, work, delays[work.attempts - 1])
    else:
        _failed(desk, work, "the exchange never had it and the retries are used up")


def _look_up_later(desk: Desk, work: TransferWork, why: str) -> None:
    work.looks += 1
    if work.looks == desk.parameters.loop_limit:
        ordered = work.ordered
        desk.alert(
            "critical",
            "a transfer's outcome is not known",
            f"{ordered.amount} {ordered.coin} from {ordered.from_account} to {ordered.to_account} "
            f"({ordered.transfer_id}): {why}. It is asked again until the exchange answers.",
            f"transfer:{ordered.transfer_id}",
        )
    _look_up(desk, work, patience_s(desk, work.looks))


def _look_up(desk: Desk, work: TransferWork, delay_s: float) -> None:
    ordered = work.ordered
    request = LookUpTransfer(transfer_id=ordered.transfer_id, coin=ordered.coin, amount=ordered.amount)
    desk.ask(_next_key(work, Topic.TRANSFER_LOOK), Account.MASTER, request, None, delay_s)
    desk.transfers.mark(work)


def _next_key(work: TransferWork, topic: Topic) -> str:
    work.requests += 1
    work.pending = other_key(topic, work.ordered.transfer_id, work.requests)
    return work.pending


def _done(desk: Desk, work: TransferWork) -> None:
    ordered = work.ordered
    post(
        desk,
        transfer_posting(
            ordered.transfer_id,
            ordered.from_account,
            ordered.to_account,
            ordered.coin,
            ordered.amount,
            desk.now_ms,
            ordered.purpose,
        ),
    )
    _end(desk, work, "DONE", "")
    desk.tell_balances(ordered.from_account)
    desk.tell_balances(ordered.to_account)


def _failed(desk: Desk, work: TransferWork, why: str) -> None:
    ordered = work.ordered
    desk.alert(
        "warning",
        "a transfer failed",
        f"{ordered.amount} {ordered.coin} from {ordered.from_account} to {ordered.to_account} "
        f"({ordered.purpose}): {why}. Nothing was moved or booked; the orchestrator was told.",
    )
    _end(desk, work, "FAILED", why)


def _end(desk: Desk, work: TransferWork, stage: TransferStage, reason: str) -> None:
    ordered = work.ordered
    work.ended_number = desk.control.next("transfers_ended")
    if work.looks >= desk.parameters.loop_limit:
        desk.calm(f"transfer:{ordered.transfer_id}", f"it ended {stage}")
    _move(desk, work, stage, reason)
    desk.transfers.end(work)
    desk.note(ordered.transfer_id, "transfer_ended", f"{stage} {reason}".strip())
    desk.send(
        TransferEnded(
            transfer_id=ordered.transfer_id,
            request_id=ordered.request_id,
            from_account=ordered.from_account,
            to_account=ordered.to_account,
            coin=ordered.coin,
            amount=ordered.amount,
            purpose=ordered.purpose,
            succeeded=stage == "DONE",
            reason=reason,
        )
    )


def _move(desk: Desk, work: TransferWork, stage: TransferStage, reason: str) -> None:
    work.stage, work.reason = stage, reason
    desk.transfers.mark(work)
    desk.record(work.fact(desk.now_ms))
