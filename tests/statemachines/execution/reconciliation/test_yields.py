"""C9, OR-6: what Earn pays is booked once, whether or not it can be read at that time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.earn.terms import EarnYield
from statemachines.execution.context import DIALECT
from statemachines.execution.parameters import OrderParameters
from statemachines.execution.reconciliation.earn import yield_key
from statemachines.execution.records.transaction_records import YIELD_PREFIX, TransactionRecords
from statemachines.facts import DiscrepancyFact, PostingFact
from statemachines.messages.accounts import BalancesKnown
from tests.statemachines.execution.orders.test_staking import CORE, EarnExchange, next_day, rig, staked_in_books
from tests.statemachines.execution.rig import START_MS, Rig

D = Decimal


@pytest.mark.parametrize("restarts", [False, True])
def test_c9_yield_paid_while_earn_cannot_be_read_is_booked_once_it_can(restarts: bool) -> None:
    """The log was read on, and Earn's payments counted as read with it: what was paid meanwhile was never booked, and
    the coins in Earn differed without an explanation."""
    one, exchange = rig(staked=D(8))
    exchange.access = "denied"
    for _ in range(3):
        next_day(one)
        exchange.pay("0.01")
        if restarts:
            one.crash()
            one.settle()
    exchange.access = "granted"
    next_day(one)
    balances = [body for body in one.bodies(BalancesKnown) if body.account is CORE]
    assert balances[-1].earned == {"ETH": D("0.03")} and staked_in_books(one) == {"ETH": D("8.03")}
    assert not one.recorded(DiscrepancyFact)


def test_c9_what_was_paid_before_earn_was_ever_read_is_part_of_its_opening() -> None:
    one, exchange = rig(staked=D(8), access="denied")
    next_day(one)
    exchange.pay("0.01")
    next_day(one)
    exchange.access = "granted"
    next_day(one)
    assert staked_in_books(one) == {"ETH": D("8.01")} and not one.recorded(DiscrepancyFact)
    assert not [fact for fact in one.recorded(PostingFact) if fact.posting_id.startswith("yield:")]


def test_c9_ids_that_are_discarded_meanwhile_hide_no_payment() -> None:
    """The log of an account that trades fills the memory of ids while Earn cannot be read."""
    records = TransactionRecords(CORE, buckets=2, per_bucket=1)
    records.begin(0, (), 10)
    for number in range(20, 30):
        records.seen.add(f"row{number}", number)
    assert records.seen.horizon_ms > 20 and not records.is_yield_taken("earn-yield:a", 15)
    assert records.is_yield_taken("earn-yield:b", 5), "older than the last reading"
    records.yields_read_to(30)
    assert records.is_yield_taken("earn-yield:a", 15)


@pytest.mark.parametrize("restarts", [False, True])
def test_c9_while_one_payment_is_pending_the_others_are_booked_once_however_many_they_are(restarts: bool) -> None:
    """Each reading began before the oldest of them, and the memory of ids held fewer: every day the discarded ones were
    booked again."""
    exchange = EarnExchange(START_MS, staked=D(8))
    one = Rig(exchange, OrderParameters(seen_buckets=2, seen_per_bucket=2)).start()
    next_day(one)
    exchange.promise("0.5")
    for number in range(10):
        exchange.now_ms += 60_000
        exchange.pay(f"0.0{number}1")
    paid = sum((payment.amount for payment in exchange.yields), D(0))
    for _ in range(4):
        next_day(one)
        if restarts:
            one.crash()
            one.settle()
        assert staked_in_books(one) == {"ETH": 8 + paid}
    exchange.keep_promises()
    for _ in range(3):
        next_day(one)
        exchange.pay("0.01")
    next_day(one)
    assert staked_in_books(one) == {"ETH": D("8.53") + paid}
    booked = [fact.posting_id for fact in one.recorded(PostingFact) if fact.posting_id.startswith("yield:")]
    assert len(booked) == len(set(booked)) == 14 and not one.recorded(DiscrepancyFact)
    held = [key for row in one.rows.values() for key in row.data.get("ids", ()) if key.startswith(YIELD_PREFIX)]
    assert len(held) <= 4, "once nothing is pending the ring is as small as before"


def test_the_keys_of_payments_are_those_that_are_kept() -> None:
    payment = EarnYield(yield_id="y1", coin="ETH", amount=D(1), paid_ms=1)
    assert yield_key(payment).startswith(YIELD_PREFIX)


def test_rows_of_the_version_before_the_yields_had_an_instant_of_their_own_are_read() -> None:
    one, _exchange = rig()
    key = "transaction-log:CORE-HODL"
    data = {name: value for name, value in one.rows[key].data.items() if name != "yields_read_ms"}
    old = one.rows[key]._replace(schema=2, data=data)
    assert DIALECT.read("order-manager", {key: old})[key].data["yields_read_ms"] == data["read_ms"] > 0
