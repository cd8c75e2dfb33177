"""OR-6: transfers between engines are never lost, never doubled, and keep their id over a crash."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal

from statemachines.commands import Alert, AlertEnded, Commands, JournalEntry, Send
from statemachines.messages.accounts import TransferEnded, TransferOrdered, TransferWanted
from statemachines.orchestration.transfers import TransferRequests
from statemachines.values import Account, ActorName


def wanted(number: int = 1, amount: str = "12.5") -> TransferWanted:
    return TransferWanted(
        request_id=f"funding-owed-{number}",
        engine=ActorName.FUNDING,
        from_account=Account.FUNDING,
        to_account=Account.TACTICAL,
        coin="USDT",
        amount=Decimal(amount),
        purpose="FU-5",
    )


def ordered(commands: Commands) -> list[TransferOrdered]:
    return [c.body for c in commands if isinstance(c, Send) and isinstance(c.body, TransferOrdered)]


def ended(order: TransferOrdered, succeeded: bool) -> TransferEnded:
    return TransferEnded(**order.model_dump(), succeeded=succeeded, reason="" if succeeded else "no balance")


def book() -> TransferRequests:
    return TransferRequests("abc123")


def reborn(old: TransferRequests) -> TransferRequests:
    new = book()
    new.restore(json.loads(json.dumps(old.to_data())))
    return new


def test_or6_the_id_is_a_deterministic_uuid() -> None:
    orders = []
    for _ in range(2):
        b = book()
        b.take_wanted(wanted())
        orders += ordered(b.order(b.due()))
    assert orders[0] == orders[1]
    assert uuid.UUID(orders[0].transfer_id).version == 5


def test_or6_another_installation_has_other_ids() -> None:
    ids = set()
    for installation in ("abc123", "xyz789"):
        b = TransferRequests(installation)
        b.take_wanted(wanted())
        ids.add(ordered(b.order(b.due()))[0].transfer_id)
    assert len(ids) == 2


def test_or6_a_repeated_wish_moves_nothing_twice() -> None:
    b = book()
    b.take_wanted(wanted())
    b.take_wanted(wanted())
    (order,) = ordered(b.order(b.due()))
    assert b.order(b.due()) == []
    b.take_ended(ended(order, True))
    b.take_wanted(wanted())
    assert b.due() == []


def test_or6_what_failed_is_the_engines_to_ask_again() -> None:
    """The engines keep what they owe and ask again; were the orchestrator to repeat it as well, it would move twice."""
    b = book()
    b.take_wanted(wanted())
    (first,) = ordered(b.order(b.due()))
    commands = b.take_ended(ended(first, False))
    assert any(isinstance(c, Alert) for c in commands)
    assert b.due() == []
    b.take_wanted(wanted(2, "20"))
    (second,) = ordered(b.order(b.due()))
    assert second.amount == Decimal(20)
    (failure,) = (c for c in commands if isinstance(c, Alert))
    ended_conditions = [c.condition for c in b.take_ended(ended(second, True)) if isinstance(c, AlertEnded)]
    assert ended_conditions == [failure.condition], "whatever moves the money along the same way ends the alert"


def test_or6_asked_again_under_the_same_request_it_is_a_new_transfer() -> None:
    """The exchange keeps a failed transfer's id for ever."""
    b = book()
    b.take_wanted(wanted())
    (first,) = ordered(b.order(b.due()))
    b.take_ended(ended(first, False))
    b = reborn(b)
    b.take_wanted(wanted())
    (second,) = ordered(b.order(b.due()))
    assert second.amount == first.amount and second.transfer_id != first.transfer_id
    b.take_ended(ended(first, True))
    assert b.are_under_way([second.request_id])


def test_or6_survives_a_crash_at_every_point() -> None:
    b = reborn(book())
    b.take_wanted(wanted(1))
    b.take_wanted(wanted(2, "7"))
    b = reborn(b)
    orders = ordered(b.order(b.due()))
    b = reborn(b)
    assert b.due() == [] and b.under_way == 2
    b.take_ended(ended(orders[0], True))
    b = reborn(b)
    b.take_ended(ended(orders[1], False))
    b = reborn(b)
    assert b.due() == [] and b.under_way == 0
    b.take_wanted(wanted(1))
    b.take_wanted(wanted(2, "7"))
    assert b.due() == ["funding-owed-2"]


def test_or6_an_amount_that_is_none_is_refused_visibly() -> None:
    b = book()
    commands = b.take_wanted(wanted(1, "0"))
    assert b.due() == []
    assert [c.dest for c in commands if isinstance(c, JournalEntry)] == ["REFUSED"]
