"""OR-6: transfers between engines are never lost, never doubled, and keep their id over a crash."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, Commands, JournalEntry, Send
from statemachines.messages.accounts import CapitalFreed, FreeCapital, TransferEnded, TransferOrdered, TransferWanted
from statemachines.orchestration.transfers.movement import MOVEMENT_TABLE, MovementState
from statemachines.orchestration.transfers.requests import TransferRequests, with_states
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


# --- capital that an engine frees first (OR-2, OR-4) ---

PARTS = ((Account.TREND_1, Decimal(600)), (Account.FUNDING, Decimal(300)), (Account.TACTICAL, Decimal(100)))


def asked(commands: Commands) -> list[FreeCapital]:
    return [c.body for c in commands if isinstance(c, Send) and isinstance(c.body, FreeCapital)]


def freed(release_id: str, amount: str) -> CapitalFreed:
    return CapitalFreed(
        release_id=release_id, engine=ActorName.CORE_HODL, freed_usdt=Decimal(amount), reason="as the test wants it"
    )


def released(b: TransferRequests) -> FreeCapital:
    (one,) = asked(b.release("r1", ActorName.CORE_HODL, PARTS, Decimal(0), "OR-4 trim"))
    return one


def states(commands: Commands) -> list[str]:
    return [c.dest for c in commands if isinstance(c, JournalEntry)]


def test_or6_the_table_is_the_path_of_every_movement() -> None:
    """Requested, freeing, free, sent, confirmed, booked; refused and failed are its other ends."""
    arrows = {(row.source.value, row.dest.value) for row in MOVEMENT_TABLE.rows}
    assert arrows == {
        ("REQUESTED", "FREEING"),
        ("REQUESTED", "FREE"),
        ("REQUESTED", "REFUSED"),
        ("FREEING", "FREE"),
        ("FREEING", "REFUSED"),
        ("FREE", "SENT"),
        ("SENT", "CONFIRMED"),
        ("SENT", "FAILED"),
        ("CONFIRMED", "BOOKED"),
    }
    ends = {state.value for state in MovementState} - {source for source, _ in arrows}
    assert ends == {"REFUSED", "BOOKED", "FAILED"}


def test_or2_an_engine_is_asked_once_for_the_sum_of_what_it_gives() -> None:
    b = book()
    request = released(b)
    assert (request.engine, request.amount_usdt) == (ActorName.CORE_HODL, Decimal(1_000))
    assert b.is_freeing(ActorName.CORE_HODL) and b.due() == []
    assert not asked(b.release("r1", ActorName.CORE_HODL, PARTS, Decimal(0), "OR-4 trim")), "a repeat asks nothing"


def test_or6_a_movement_is_keyed_by_the_exchanges_transfer_id_from_its_request_to_its_booking() -> None:
    b = book()
    commands = b.release("r1", ActorName.CORE_HODL, PARTS[:1], Decimal(0), "OR-4 trim")
    commands += b.take_freed(freed("r1", "600"))
    (order,) = ordered(sent := b.order(b.due()))
    commands += sent + b.take_ended(ended(order, True))
    lines = [c for c in commands if isinstance(c, JournalEntry)]
    assert [line.dest for line in lines] == ["FREEING", "FREE", "SENT", "CONFIRMED", "BOOKED"]
    assert {line.machine for line in lines} == {order.transfer_id}


def test_c10_what_cannot_be_given_reduces_the_receivers_pro_rata() -> None:
    b = book()
    released(b)
    commands = b.take_freed(freed("r1", "250"))
    assert [c.trigger for c in commands if isinstance(c, JournalEntry)] == ["freed_in_part"] * 3
    assert [order.amount for order in ordered(b.order(b.due()))] == [150, 75, 25]


def test_a8_an_engine_that_can_give_nothing_ends_its_movements() -> None:
    b = book()
    released(b)
    commands = b.take_freed(freed("r1", "0"))
    assert states(commands) == ["REFUSED"] * 3
    assert b.due() == [] and b.open() == [] and not b.is_freeing(ActorName.CORE_HODL)


def test_or6_an_answer_that_is_repeated_or_belongs_to_no_release_moves_nothing() -> None:
    b = book()
    assert states(b.take_freed(freed("r1", "100"))) == []
    released(b)
    b.take_freed(freed("r1", "1000"))
    assert states(b.take_freed(freed("r1", "1000"))) == []
    assert sum(order.amount for order in ordered(b.order(b.due()))) == 1_000
    assert states(b.take_freed(freed("r1", "1000"))) == []


def test_or6_more_than_was_asked_for_never_moves() -> None:
    b = book()
    released(b)
    b.take_freed(freed("r1", "5000"))
    assert [order.amount for order in ordered(b.order(b.due()))] == [600, 300, 100]


def test_or6_a_failed_part_of_a_release_ends_and_the_treasury_decides_anew() -> None:
    b = book()
    released(b)
    b.take_freed(freed("r1", "1000"))
    first, *rest = ordered(b.order(b.due()))
    commands = b.take_ended(ended(first, False))
    assert states(commands) == ["FAILED"]
    assert [c.condition for c in commands if isinstance(c, Alert)] == [""], "nothing is owed: no condition stays open"
    assert len(b.open()) == len(rest) and b.due() == []


def test_or6_a_release_survives_a_crash_at_every_point() -> None:
    b = reborn(book())
    released(b)
    b = reborn(b)
    assert b.is_freeing(ActorName.CORE_HODL)
    b.take_freed(freed("r1", "900"))
    b = reborn(b)
    orders = ordered(b.order(b.due()))
    b = reborn(b)
    assert b.under_way == 3 and b.due() == []
    for order in orders:
        b.take_ended(ended(order, True))
        b = reborn(b)
    assert b.open() == [] and sum(order.amount for order in orders) == 900


def test_a_row_of_schema_1_is_read_back_with_the_same_transfer_ids() -> None:
    """Version 1 stored the id of an ordered transfer; it follows from installation, request and attempt."""
    b = book()
    b.take_wanted(wanted(1))
    b.take_wanted(wanted(2))
    (order,) = ordered(b.order(b.due()[:1]))
    common = {"coin": "USDT", "amount": "12.5", "purpose": "FU-5", "from_account": "FUNDING", "to_account": "TACTICAL"}
    old = {
        "open": [
            {**common, "request_id": "funding-owed-1", "attempt": 1, "transfer_id": order.transfer_id},
            {**common, "request_id": "funding-owed-2", "attempt": 1, "transfer_id": None},
        ],
        "finished": [],
        "failed": {},
    }
    row = with_states(StateRow("transfers", "", 1, old))
    assert row.schema == 2
    new = book()
    new.restore(row.data)
    assert new.to_data() == b.to_data() == row.data
    assert row.data["answers"] == []
    assert [one.transfer_id for one in new.open()] == [one.transfer_id for one in b.open()]


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=4),
    st.decimals(min_value=0, max_value=5 * 10**5, places=6),
)
def test_c10_the_parts_of_a_release_never_exceed_what_was_freed(units: list[int], amount: Decimal) -> None:
    accounts = [account for account in Account if account not in (Account.MASTER, Account.CORE_HODL)]
    parts = [(account, unit * Decimal("0.0001")) for account, unit in zip(accounts, units, strict=False)]
    b = book()
    b.release("r1", ActorName.CORE_HODL, parts, Decimal(0), "OR-2 regime")
    b.take_freed(freed("r1", str(amount)))
    orders = ordered(b.order(b.due()))
    total = sum((order.amount for order in orders), Decimal(0))
    wanted_in_all = sum((part for _, part in parts), Decimal(0))
    assert total <= min(amount, wanted_in_all) and all(order.amount > 0 for order in orders)
    assert min(amount, wanted_in_all) - total <= Decimal("0.0001") * len(parts)
