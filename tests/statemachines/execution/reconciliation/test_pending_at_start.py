"""OR-9: a start and what is under way at the exchange."""

from __future__ import annotations

import pytest

from statemachines.facts import PostingFact
from statemachines.messages.accounts import Reconciled
from statemachines.messages.orders import IntentEnded, StreamRestored
from statemachines.requests import TransferState
from statemachines.values import MINUTE_MS, Account, ActorName
from tests.statemachines.execution.rig import Rig
from tests.statemachines.execution.test_start import order_transfer


def settle_without(rig: Rig, fragment: str) -> None:
    """Deliver all frames and answer all requests but those whose key begins so."""
    for _ in range(300):
        if rig.exchange.frames:
            rig.tell(rig.exchange.frames.pop(0))
            continue
        key = next((key for key in rig.calls if not key.startswith(fragment)), None)
        if key is None:
            return
        rig.perform(key)
    raise AssertionError(f"does not settle; requests left: {list(rig.calls)}")


def test_or9_a_start_ends_although_a_transfer_stays_pending_and_says_what_it_waited_for() -> None:
    """The money had moved and the exchange still called the transfer PENDING: the start read the account again without
    end, and with it stood every order of every engine."""
    rig = Rig().start()
    order_transfer(rig)
    (sent,) = rig.waiting("transfer:t1")
    rig.exchange.perform(Account.MASTER, rig.calls[sent].request)
    rig.crash()
    rig.approve(2, engine=ActorName.FUNDING)
    settle_without(rig, "transfer-look:")
    assert [done.ended_as for done in rig.bodies(IntentEnded)] == ["FILLED"], "the others trade"
    started = rig.bodies(Reconciled)[-1]
    assert (started.reason, started.discrepancies) == ("start", 0)
    assert {Account.TREND_1, Account.CORE_HODL}.isdisjoint(started.by_account) and len(started.by_account) == 4
    text = next(alert.text for alert in rig.alerts if "TREND-1 is not compared" in alert.title)
    assert "transfer t1 of 10 USDT (UNKNOWN)" in text
    assert not [one for one in rig.recorded(PostingFact) if one.kind != "opening" and "fill" not in one.posting_id]
    rig.settle()
    rig.advance(MINUTE_MS)
    compared = rig.bodies(Reconciled)[-1]
    assert (compared.reason, compared.discrepancies, len(compared.by_account)) == ("continuous", 0, len(Account))
    assert rig.logic.deadline() is None, "it is read again no longer than needed"


@pytest.mark.parametrize("with_log", [True, False])
def test_or6_a_transfer_that_lands_while_a_start_holds_it_is_booked_once(with_log: bool) -> None:
    """The look-up did not show it yet, so it was held; it landed before the account was read. The start booked it as a
    deposit and a withdrawal that were none of ours, and its release booked it again: two differences, two engines
    halted."""
    rig = Rig()
    rig.exchange.log = [] if with_log else None
    rig.start()
    order_transfer(rig)
    (sent,) = rig.waiting("transfer:t1")
    first = rig.calls[sent].request
    rig.crash()
    (look,) = rig.waiting("transfer-look:")
    rig.answer(look, TransferState(status="ABSENT"))
    rig.exchange.perform(Account.MASTER, first)
    rig.settle()
    rig.tell(StreamRestored(stream="private"))
    rig.settle()
    rig.advance(MINUTE_MS)
    assert [body.discrepancies for body in rig.bodies(Reconciled)] == [0] * len(rig.bodies(Reconciled))
    booked = [one.kind for one in rig.recorded(PostingFact) if one.kind != "opening"]
    assert booked == ["transfer"]
    for account in (Account.TREND_1, Account.CORE_HODL):
        assert rig.book(account).wallet("USDT") == rig.exchange.wallets[account]["USDT"]


def test_or9_a_transfer_that_was_never_sent_excuses_no_difference() -> None:
    """Ordered while a start was under way, it waits for its end: what differs until then is not its doing."""
    rig = Rig().start()
    rig.crash()
    order_transfer(rig)
    rig.exchange.wallets[Account.TREND_1]["USDT"] -= 10
    rig.settle()
    assert next(body for body in rig.bodies(Reconciled)[1:]).discrepancies == 1
