"""OR-9: a start and what is under way at the exchange."""

from __future__ import annotations

from statemachines.facts import PostingFact
from statemachines.messages.accounts import Reconciled
from statemachines.messages.orders import IntentEnded
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
