"""The judge of `make chaos-orders`: one planted loss, doubling or difference must be found; without one, nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from statemachines.execution.orders.order_ids import client_order_id
from statemachines.intent_ids import intent_id
from statemachines.values import ActorName
from tests.chaos.orders.campaign import Findings, Trial, summary
from tests.chaos.orders.verdict import End, Execution, KeptOrder, Records, TheirOrder, Verdict, judged
from tests.chaos.orders.victims import LATEST, VICTIMS, draw

INSTALLATION = "abc123"
QUANTITY = Decimal("0.01")
INTENTS = [intent_id(ActorName.TREND_1, number) for number in range(1, 5)]
DENIED = INTENTS[3]
LINKS = [client_order_id(INSTALLATION, one, 1) for one in INTENTS[:3]]
ZERO = Decimal(0)


def sound() -> Records:
    """Four intents: three executed once each, one denied by the risk manager."""
    executions = [Execution(f"execution-{number}", link, QUANTITY) for number, link in enumerate(LINKS)]
    return Records(
        installation=INSTALLATION,
        quantity=QUANTITY,
        issued=INTENTS,
        ends={one: End("FILLED", QUANTITY) for one in INTENTS[:3]} | {DENIED: End("DENIED", ZERO, "a limit")},
        repeated=[],
        our_orders=[KeptOrder(link, one, "FILLED", QUANTITY) for one, link in zip(INTENTS, LINKS, strict=False)],
        our_executions=executions,
        their_orders=[TheirOrder(f"order-{number}", link, QUANTITY) for number, link in enumerate(LINKS)],
        their_executions=executions,
    )


def test_a_burst_executed_exactly_once_is_clean() -> None:
    assert judged(sound()).is_clean


def _missing_at_the_exchange(records: Records) -> Records:
    return replace(records, their_orders=records.their_orders[1:], their_executions=records.their_executions[1:])


def _not_booked_by_us(records: Records) -> Records:
    return replace(records, our_executions=records.our_executions[1:])


def _no_end(records: Records) -> Records:
    return replace(records, ends={one: end for one, end in records.ends.items() if one != INTENTS[0]})


def _told_of_less(records: Records) -> Records:
    return replace(records, ends={**records.ends, INTENTS[0]: End("EXPIRED", ZERO)})


def _still_working(records: Records) -> Records:
    return replace(records, our_orders=[records.our_orders[0]._replace(state="SENT"), *records.our_orders[1:]])


def _same_id_executed_twice(records: Records) -> Records:
    """The exchange's own check of ids failed, or was passed by."""
    again = TheirOrder("order-9", LINKS[0], QUANTITY)
    return replace(
        records,
        their_orders=[*records.their_orders, again],
        their_executions=[*records.their_executions, Execution("execution-9", LINKS[0], QUANTITY)],
    )


def _sent_again_under_another_id(records: Records) -> Records:
    """The order was placed, its answer lost, and a second child executed too; our books hold both."""
    link = client_order_id(INSTALLATION, INTENTS[0], 2)
    booked = Execution("execution-9", link, QUANTITY)
    return replace(
        records,
        our_orders=[*records.our_orders, KeptOrder(link, INTENTS[0], "FILLED", QUANTITY)],
        our_executions=[*records.our_executions, booked],
        their_orders=[*records.their_orders, TheirOrder("order-9", link, QUANTITY)],
        their_executions=[*records.their_executions, booked],
    )


def _order_of_an_earlier_burst(records: Records) -> Records:
    """A frozen process that was thawed sends what was settled long ago."""
    link = client_order_id(INSTALLATION, intent_id(ActorName.TREND_1, 99), 1)
    return replace(
        records,
        their_orders=[*records.their_orders, TheirOrder("order-9", link, QUANTITY)],
        their_executions=[*records.their_executions, Execution("execution-9", link, QUANTITY)],
    )


def _booked_twice_by_us(records: Records) -> Records:
    return replace(records, our_executions=[*records.our_executions, records.our_executions[0]])


def _denied_yet_executed(records: Records) -> Records:
    link = client_order_id(INSTALLATION, DENIED, 1)
    return replace(
        records,
        their_orders=[*records.their_orders, TheirOrder("order-9", link, QUANTITY)],
        their_executions=[*records.their_executions, Execution("execution-9", link, QUANTITY)],
    )


def _told_twice(records: Records) -> Records:
    return replace(records, repeated=[INTENTS[0]])


def _other_execution(records: Records) -> Records:
    other = records.our_executions[0]._replace(execution_id="execution-other")
    return replace(records, our_executions=[other, *records.our_executions[1:]])


def _other_filled_quantity(records: Records) -> Records:
    other = records.our_orders[0]._replace(filled=ZERO)
    return replace(records, our_orders=[other, *records.our_orders[1:]])


Plant = Callable[[Records], Records]


@pytest.mark.parametrize("plant", [_missing_at_the_exchange, _not_booked_by_us, _no_end, _told_of_less, _still_working])
def test_a_planted_loss_is_found_and_named(plant: Plant) -> None:
    found = judged(plant(sound()))
    assert found.lost and not found.is_clean
    assert any(INTENTS[0] in one or LINKS[0] in one for one in found.lost)


@pytest.mark.parametrize(
    "plant",
    [
        _same_id_executed_twice,
        _sent_again_under_another_id,
        _order_of_an_earlier_burst,
        _booked_twice_by_us,
        _told_twice,
    ],
)
def test_a_planted_doubling_is_found(plant: Plant) -> None:
    assert judged(plant(sound())).doubled


@pytest.mark.parametrize("plant", [_denied_yet_executed, _other_execution, _other_filled_quantity])
def test_records_that_differ_are_found(plant: Plant) -> None:
    assert not judged(plant(sound())).is_clean


def test_one_doubled_order_or_one_difference_of_the_ledger_fails_the_run_and_is_counted() -> None:
    blow = draw(1, 1)[0]
    calm = Trial(blow, 4, 2, 3.0, 4.0, 1, Verdict())
    doubled = replace(calm, verdict=Verdict(doubled=["trend-1-1 ..."]))
    assert Findings([calm]).is_clean
    assert not Findings([calm, doubled]).is_clean
    assert not Findings([calm], ledger=["a posting is missing"]).is_clean
    assert not Findings([calm], stranded=["the order manager is not back"]).is_clean
    assert not Findings().is_clean
    assert any("8 sent, 0 lost, 1 doubled" in line for line in summary(Findings([calm, doubled])))


def test_blows_are_drawn_from_the_seed_over_every_kind_and_the_whole_burst() -> None:
    blows = draw(200, 7)
    assert [one.label for one in blows] == [one.label for one in draw(200, 7)]
    assert {one.kind for one in blows} == set(VICTIMS)
    assert {one.number.name for one in blows} == {"SIGKILL", "SIGSTOP"}
    assert min(one.at for one in blows) < 0.05 and 0.75 < max(one.at for one in blows) <= LATEST
