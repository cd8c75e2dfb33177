"""The whole system in one process (DESIGN 8, level 4): P1, P3, P5, OR-3, OR-6, OR-9, EX-5, IF-1."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from actors.memory_store import MemoryStore
from infra.backtest.journals import first_difference, from_memory, without_versions
from statemachines.facts import DiscrepancyFact, ExecutionFact, OrderFact, PostingFact, SummaryFact
from statemachines.values import DAY_MS, ActorName
from tests.shared import shared_path
from tests.simulation.whole import build, instant, recorded, run, synthetic

NEVER = 2**62


def _entries(store: MemoryStore, actor: ActorName, trigger: str) -> list[int]:
    return [line.market_ms for line in store.journal(actor) if line.note.trigger == trigger]


def _assert_books_are_sound(store: MemoryStore) -> None:
    for posting in store.facts("postings"):
        assert isinstance(posting, PostingFact)
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for line in posting.lines:
            sums[line.coin] += line.amount
        assert not any(sums.values()), posting
    # What a crash kept from us is found and booked by the reconciliation; nothing else may differ.
    repaired = "booked from the exchange's list"
    open_ones = [f for f in store.facts("discrepancies") if isinstance(f, DiscrepancyFact) and f.resolution != repaired]
    assert not open_ones


def _assert_orders_match_their_fills(store: MemoryStore) -> None:
    """OR-6, EX-5: what an order says it executed is exactly what was booked, once."""
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for execution in store.facts("executions"):
        assert isinstance(execution, ExecutionFact)
        filled[execution.link_id] += execution.quantity
    for order in store.facts("orders"):
        assert isinstance(order, OrderFact)
        assert order.executed_quantity == filled.pop(order.link_id, Decimal(0)), order
    assert not filled


def test_february_and_march_2020_meet_the_independent_counts() -> None:
    """OR-3: every day once; TR-3, FU-2, TA-1 on the recorded market as independent computations find them."""
    store, _ = run(recorded(shared_path("history"), "2020-02-01", "2020-04-01"))
    assert len(_entries(store, ActorName.TREND_1, "order")) == 1
    assert len(_entries(store, ActorName.TREND_2, "order")) == 9
    assert len(_entries(store, ActorName.FUNDING, "enter")) == 6
    deployed = [ms // DAY_MS * DAY_MS - DAY_MS for ms in _entries(store, ActorName.TACTICAL, "deploy")]
    assert deployed[-1] == instant("2020-03-12"), "level 2 fires on the close of 2020-03-12"
    days = [fact.day_ms for fact in store.facts("daily_summaries") if isinstance(fact, SummaryFact)]
    # The close at the very start is history; from the first full day on each is summarised exactly once.
    assert days == list(range(instant("2020-02-01"), instant("2020-03-31"), DAY_MS))
    assert len(store.facts("executions")) > 100
    assert not store.facts("discrepancies")
    _assert_books_are_sound(store)
    _assert_orders_match_their_fills(store)


def test_a_synthetic_market_is_traded_by_every_engine_and_the_books_balance() -> None:
    """P1, OR-6: no shared data needed; acceptance fails at zero activity."""
    store, system = run(synthetic(45))
    fills = Counter(fact.engine for fact in store.facts("executions") if isinstance(fact, ExecutionFact))
    assert set(fills) == {"core-hodl", "trend-1", "trend-2", "funding", "tactical"}
    assert len(store.facts("daily_summaries")) == 44
    assert system.exchange.end
    _assert_books_are_sound(store)
    _assert_orders_match_their_fills(store)


def test_the_same_market_gives_the_same_decisions() -> None:
    """P3: mechanical."""
    one, other = run(synthetic(15))[0], run(synthetic(15))[0]
    assert first_difference(from_memory(one), from_memory(other), NEVER) == ""


class _CrashError(Exception):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("seed", range(6))
def test_crashes_of_any_actor_between_any_two_steps_change_no_decision(seed: int) -> None:
    """OR-8, OR-9, EX-1, EX-5: the journal, the fills and the books are those of the calm run."""
    market = synthetic(12)
    calm, _ = run(market)
    chance = random.Random(seed)
    crashes = 0

    def probe(_actor: ActorName, _point: str) -> None:
        nonlocal crashes
        if chance.random() < 0.004:
            crashes += 1
            raise _CrashError

    store = MemoryStore()
    system = build(market, store, probe=probe)
    running = False
    while True:
        try:
            if not running:
                system.start()
                running = True
            system.run()
            break
        except _CrashError:
            # Everything dies at once; the exchange and the database live on.
            for name in tuple(system.runtime.shells):
                system.runtime.stop_actor(name)
            system.lose_frames()
            running = False
    assert crashes > 0
    # Their journals legally tell of the recovery; what they led to is compared below.
    components = frozenset({"order-manager", "risk-manager", "orchestrator", "market-data"})
    difference = first_difference(
        without_versions(from_memory(calm)), without_versions(from_memory(store)), NEVER, leave_out=components
    )
    assert difference == ""
    assert _fills(calm) == _fills(store)
    _assert_books_are_sound(store)
    _assert_orders_match_their_fills(store)


def _fills(store: MemoryStore) -> list[tuple[object, ...]]:
    return sorted(
        (f.executed_ms, f.account, f.symbol, f.side, f.quantity, f.price, f.fee)
        for f in store.facts("executions")
        if isinstance(f, ExecutionFact)
    )
