"""What the risk manager lets through or forwards: approvals, withdrawals, moved stops."""

from __future__ import annotations

from actors.order_manager import protection
from actors.order_manager.desk import Desk
from actors.order_manager.ending import finish
from actors.order_manager.work import Work
from statemachines.messages import Approved, MoveStop, Withdraw
from statemachines.order.identity import link_id


def take_approved(desk: Desk, body: Approved) -> None:
    """Begin to work an intent. It is durable at once and sent as soon as the first reconciliation has ended."""
    intent = body.intent
    if desk.works.get(intent.intent_id) is not None:
        desk.remark(intent.intent_id, "repeated", "the intent is known; nothing is done twice")
        return
    slot, forgotten = desk.works.free_slot()
    if forgotten is not None and forgotten.order is not None:
        desk.forget_exchange_id(forgotten.order)
    expiries = [at for at in (body.expires_ms, intent.expires_ms) if at is not None]
    if intent.style == "maker":
        expiries.append(desk.now_ms + desk.parameters.maker_expiry_ms)
    work = Work(
        slot=slot,
        number=desk.control.next("intents"),
        approved=body,
        approved_ms=desk.now_ms,
        trace=desk.trace,
        quantity=min(intent.quantity, body.max_quantity),
        trigger_price=intent.trigger_price,
        expires_ms=min(expiries, default=None),
    )
    desk.works.add(work)
    desk.touch(work)
    try:
        link_id(desk.installation, intent.intent_id, 1)
    except ValueError as error:
        finish(desk, work, "DENIED", str(error))


def take_withdraw(desk: Desk, body: Withdraw) -> None:
    """Cancel what still works; an intent that has ended stays as it is."""
    work = desk.works.get(body.intent_id)
    if work is None or work.is_ended:
        desk.remark(body.intent_id, "withdraw", "the intent has ended already; nothing to withdraw")
        return
    desk.note(body.intent_id, "withdraw", body.reason)
    work.withdrawn = work.withdrawn or body.reason or "no reason given"
    desk.touch(work)


def take_move_stop(desk: Desk, body: MoveStop) -> None:
    """Give a working stop new terms; one that has ended tells its engine by its IntentDone."""
    work = desk.works.get(body.intent_id)
    if work is None or work.is_ended:
        desk.remark(body.intent_id, "move_stop", "the stop has ended already; nothing to move")
        return
    protection.move_stop(desk, work, body)
