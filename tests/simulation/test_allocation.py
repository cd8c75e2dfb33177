"""The treasury in the whole system: deposits, withdrawals from the master account, regimes, moves and crashes."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from functools import cache

import numpy as np
import pytest

from actors.runtime.memory_store import MemoryStore
from actors.runtime.registry import START_ORDER
from infra.backtest.system import InProcessSystem
from statemachines.commands import JournalEntry
from statemachines.facts import PostingFact, TransferFact
from statemachines.orchestration.allocation.regime import day_of
from statemachines.orchestration.allocation.regime_machine import Regime
from statemachines.values import DAILY, DAY_MS, SPOT, Account, ActorName
from tests.kit.journals import first_difference, from_memory, without_versions
from tests.reference import allocation as reference
from tests.simulation.books import books_in_memory
from tests.simulation.whole import build, instant, synthetic
from tests.statemachines.orchestration.allocation.bars import day_ms
from tests.statemachines.orchestration.allocation.test_reference import ORDER

START = instant("2025-01-01")
DAYS = 75
DEPOSIT = Decimal(10_000)


def simulated(crashes: bool = False) -> tuple[MemoryStore, InProcessSystem]:
    """A synthetic market; at noon of the 10th day the operator pays in 10,000 USDT, on the 30th again. With `crashes`
    every actor is lost and started again at every noon."""
    store = MemoryStore()
    system = build(synthetic(DAYS), store)
    system.start()
    for day in range(1, DAYS):
        system.run(START + day * DAY_MS + DAY_MS // 2)
        if crashes:
            for name in START_ORDER:
                system.runtime.stop_actor(name)
            system.lose_frames()
            system.start()
        if day in (10, 30):
            system.exchange.deposit("MASTER", "USDT", DEPOSIT)
    return store, system


@cache
def steady() -> tuple[MemoryStore, InProcessSystem]:
    return simulated()


def transfers(store: MemoryStore, rule: str) -> list[TransferFact]:
    facts = [fact for fact in store.facts("transfers") if isinstance(fact, TransferFact)]
    return [fact for fact in facts if fact.purpose.startswith(rule)]


def faults(store: MemoryStore) -> list[str]:
    """What is wrong with the books; that a deposit was found at the exchange is not."""
    return [one for one in books_in_memory(store).faults() if "booked to deposits" not in one]


def test_or5_a_deposit_is_booked_and_distributed_in_the_next_cycle() -> None:
    store, system = steady()
    deposits = [
        fact
        for fact in store.facts("postings")
        if isinstance(fact, PostingFact) and fact.kind in ("deposit", "correction")
    ]
    paid_in = sum(
        line.amount
        for fact in deposits
        for line in fact.lines
        if line.account == Account.MASTER and line.ledger_account == "wallet"
    )
    assert paid_in == 2 * DEPOSIT
    contributions = transfers(store, "OR-5")
    assert {fact.state for fact in contributions} == {"DONE"} and len(contributions) >= 2
    assert sum(fact.amount for fact in contributions) == pytest.approx(2 * DEPOSIT, abs=Decimal("0.01"))
    days = sorted({fact.updated_ms // DAY_MS * DAY_MS for fact in contributions})
    assert days == [START + 11 * DAY_MS, START + 31 * DAY_MS]
    assert system.exchange.venue.accounts["MASTER"].balance("USDT") < 1


def test_c5_usdt_paid_in_to_core_s_own_account_opens_a_plan_and_is_not_distributed() -> None:
    """The treasury distributes what lies in the master account (OR-5, O6); this is in CORE-HODL's equity already."""
    store = MemoryStore()
    system = build(synthetic(5), store)
    system.start()
    system.run(START + 2 * DAY_MS + DAY_MS // 2)
    system.exchange.deposit("CORE-HODL", "USDT", DEPOSIT)
    system.run(START + 4 * DAY_MS)
    opened = [one.note for one in store.journal(ActorName.CORE_HODL) if one.note.trigger == "plan_opened"]
    assert [Decimal(note.data["cash_usdt"]) for note in opened] == [DEPOSIT]
    assert transfers(store, "OR-5") == [] and faults(store) == []
    standing = [one.note for one in store.journal(ActorName.ORCHESTRATOR) if one.note.trigger == "standing"][-1]
    assert Decimal(standing.data["undistributed_usdt"]) == 0
    assert Decimal(standing.data["total_usdt"]) == pytest.approx(110_000, rel=Decimal("0.05"))


def test_or2_regime_and_weights_of_every_day_are_those_of_the_independent_computation() -> None:
    """O1 to O3 in the whole system, the history before the first day included."""
    store, _ = steady()
    bars = store.closed_bars(SPOT, "BTCUSDT", DAILY, START + DAYS * DAY_MS, 5_000)
    high, low, close = (np.array([float(getattr(one, name)) for one in bars]) for name in ("high", "low", "close"))
    expected = reference.run([day_of(one.start_ms) for one in bars], high, low, close, day_of(START))
    notes = [line.note for line in store.journal(ActorName.ORCHESTRATOR) if line.note.machine == "regime"]
    winners = {int(note.data["day_ms"]): note for note in notes if "winner" in note.data}
    weights = {int(note.data["day_ms"]): note for note in notes if note.trigger == "weights"}
    assert {day.regime for day in expected} > {"DEFAULT"} and len(winners) > 60
    for day in expected:
        if (note := winners.get(day_ms(day.day))) is None:
            continue  # the day that was under way at the end
        assert (note.data["winner"], note.dest, isinstance(note, JournalEntry)) == (
            day.winner,
            day.regime,
            day.is_change,
        )
        assert (day_ms(day.day) in weights) == (day.points > 1e-9)
        if day.points > 1e-9:
            shown = weights[day_ms(day.day)].data
            for sleeve, weight in zip(ORDER, day.weights, strict=True):
                assert float(str(shown[sleeve])) * 100 == pytest.approx(weight, abs=1e-7)


def test_or2_or6_capital_moves_by_regime_and_the_ledger_agrees_with_the_exchange() -> None:
    store, _ = steady()
    moved = transfers(store, "OR-2")
    assert moved and {fact.state for fact in moved} == {"DONE"}
    assert faults(store) == []
    entries = [line.note for line in store.journal(ActorName.ORCHESTRATOR) if isinstance(line.note, JournalEntry)]
    paths = defaultdict(list)
    for note in entries:
        if note.table == "movement":
            paths[note.machine].append(note.dest)
    assert {path[-1] for path in paths.values()} <= {"BOOKED", "REFUSED"}
    assert {fact.transfer_id for fact in moved} <= {key for key, path in paths.items() if path[-1] == "BOOKED"}
    assert {note.dest for note in entries if note.table == "regime"} <= set(Regime)


def test_or6_no_account_is_ever_negative_and_no_transfer_is_made_twice() -> None:
    store, system = steady()
    ids = [fact.transfer_id for fact in store.facts("transfers") if isinstance(fact, TransferFact)]
    assert len(ids) == len(set(ids))
    for account in system.exchange.venue.accounts.values():
        assert account.balance("USDT") >= 0


@pytest.mark.soak
def test_or6_a_crash_of_all_actors_every_day_changes_no_decision() -> None:
    shaken, _ = simulated(crashes=True)
    assert faults(shaken) == []
    calm, stormy = (without_versions(from_memory(store)) for store in (steady()[0], shaken))
    assert first_difference(calm, stormy) == ""
