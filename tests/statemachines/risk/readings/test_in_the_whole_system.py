"""CH-9 and FU-9 in the whole system: the simulated exchange suspends withdrawals, loses its fund, and recovers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from actors.runtime.memory_store import MemoryStore
from infra.backtest.system import InProcessSystem
from infra.simulator.faults.catalogue import InsuranceFundFall, WithdrawalSuspension
from statemachines.commands import JournalEntry
from statemachines.facts import AlertFact, SwitchFact, SwitchTripFact
from statemachines.market_data.solvency import SolvencyWatch
from statemachines.values import DAY_MS, HOUR_MS, MINUTE_MS, ActorName
from tests.simulation.whole import build, instant, synthetic

START = instant("2025-01-01")
BEGUN_MS = START + 30 * DAY_MS + HOUR_MS
ENDED_MS = BEGUN_MS + 2 * DAY_MS


def run(fault: WithdrawalSuspension | InsuranceFundFall, until_ms: int = ENDED_MS + 3 * DAY_MS) -> MemoryStore:
    """The fault holds for two days from hour 1 of day 30 on."""
    store = MemoryStore()
    system = build(synthetic(36), store)
    system.start()
    system.run(BEGUN_MS)
    _active(system)["planted"] = (BEGUN_MS, fault)
    system.run(ENDED_MS)
    del _active(system)["planted"]
    system.run(until_ms)
    return store


def _active(system: InProcessSystem) -> dict[str, tuple[int, object]]:
    return system.exchange.venue.conditions.active  # type: ignore[return-value]


def state(store: MemoryStore, scope: str) -> str:
    found = [fact.state for fact in store.facts("switches") if isinstance(fact, SwitchFact) and fact.scope == scope]
    return found[-1] if found else "NORMAL"


def trip(store: MemoryStore) -> SwitchTripFact:
    (fact,) = [fact for fact in store.facts("switch_trips") if isinstance(fact, SwitchTripFact)]
    return fact


def lines(store: MemoryStore, wanted: Callable[[JournalEntry], bool]) -> list[JournalEntry]:
    entries = [row.note for row in store.journal(ActorName.FUNDING)]
    return [one for one in entries if isinstance(one, JournalEntry) and wanted(one)]


def test_ch9_suspended_withdrawals_stop_core_and_nothing_else() -> None:
    store = run(WithdrawalSuspension(coin="USDT"))
    found = trip(store)
    read_ms = BEGUN_MS + 7 * HOUR_MS
    assert read_ms + MINUTE_MS <= found.tripped_ms <= read_ms + 2 * MINUTE_MS, "read at 08:00 and a minute later"
    assert found.ended_ms is not None and found.ended_ms > ENDED_MS
    assert [one.value for one in found.readings] == ["USDT: 0 of 1 chains open"] * 2
    assert state(store, "core-hodl") == "HALTED", "only the operator ends it"
    assert state(store, "GLOBAL") == "NORMAL", "24 h of calm after the readings were good"
    titles = {fact.title for fact in store.facts("alerts") if isinstance(fact, AlertFact)}
    assert "CORE-HODL stops all activity" in titles


def test_fu9_a_fall_of_the_fund_closes_fundings_pairs() -> None:
    store = run(InsuranceFundFall(share=Decimal("0.4")))
    found = trip(store)
    assert found.effect == "funding REDUCE_ONLY" and "500000000" in found.readings[0].value
    assert state(store, "funding") == "NORMAL", "24 h after the fund has recovered"
    exits = lines(store, lambda one: one.trigger == "leave" and "FU-9" in one.reason)
    held = lines(store, lambda one: one.machine in ("BTC", "ETH", "SOL") and one.dest == "FUNDING_COLLECTION")
    assert held and exits, "the pairs that were held are closed, by the engine's own rule"


def test_a_planted_producer_that_reads_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SolvencyWatch, "take", lambda _self, _read, _now_ms: [])
    store = run(WithdrawalSuspension(coin="USDT"), ENDED_MS)
    assert not store.facts("switch_trips") and state(store, "core-hodl") == "NORMAL"


@pytest.mark.soak
def test_ch9_the_same_run_twice_has_the_same_trips() -> None:
    first, second = (run(WithdrawalSuspension(coin="BTC"), ENDED_MS) for _ in range(2))
    assert trip(first) == trip(second)
    assert str(ActorName.CORE_HODL) in trip(first).effect
