"""The whole system in one process (DESIGN 8, level 4): P1, P3, OR-3, OR-6, EX-5, IF-1."""

from __future__ import annotations

from collections import Counter

from actors.runtime.memory_store import MemoryStore
from statemachines.facts import ExecutionFact
from statemachines.values import DAY_MS, ActorName
from tests.kit.journals import first_difference, from_memory
from tests.shared import shared_path
from tests.simulation.books import books_in_memory
from tests.simulation.whole import instant, recorded, run, synthetic


def _entries(store: MemoryStore, actor: ActorName, trigger: str) -> list[int]:
    return [line.market_ms for line in store.journal(actor) if line.note.trigger == trigger]


def _deployments(store: MemoryStore) -> list[tuple[str, int]]:
    """TACTICAL's deployments: the trigger and the day on whose close it fired."""
    lines = [line.note for line in store.journal(ActorName.TACTICAL) if line.note.trigger == "deploy"]
    return [(str(note.data["trigger"]), int(note.data["day_ms"])) for note in lines]


def test_february_and_march_2020_meet_the_independent_counts() -> None:
    """OR-3: every day once; TR-3, FU-2, TA-1 on the recorded market as independent computations find them."""
    store, _ = run(recorded(shared_path("history"), "2020-02-01", "2020-04-01"))
    assert len(_entries(store, ActorName.TREND_1, "order")) == 1
    assert len(_entries(store, ActorName.TREND_2, "order")) == 9
    assert len(_entries(store, ActorName.FUNDING, "enter")) == 6
    # -50 % from the high holds from the first day on, -70 % with the close of the crash.
    levels = [("TA-1 level 1", instant("2020-02-01")), ("TA-1 level 2", instant("2020-03-12"))]
    assert _deployments(store) == levels
    books = books_in_memory(store)
    # The close at the very start is history; from the first full day on each is summarised exactly once.
    assert books.days == list(range(instant("2020-02-01"), instant("2020-03-31"), DAY_MS))
    assert len(books.fills) > 100
    assert not store.facts("discrepancies")
    assert books.faults() == []


def test_a_synthetic_market_is_traded_by_every_engine_and_the_books_balance() -> None:
    """P1, OR-6: no shared data needed; acceptance fails at zero activity."""
    store, system = run(synthetic(45))
    fills = Counter(fact.engine for fact in store.facts("executions") if isinstance(fact, ExecutionFact))
    assert set(fills) == {"core-hodl", "trend-1", "trend-2", "funding", "tactical"}
    assert system.exchange.end
    assert not store.facts("discrepancies")
    books = books_in_memory(store)
    assert len(books.days) == 44
    assert books.faults() == []


def test_the_same_market_gives_the_same_decisions_and_books() -> None:
    """P3: mechanical."""
    one, other = run(synthetic(15))[0], run(synthetic(15))[0]
    assert first_difference(from_memory(one), from_memory(other)) == ""
    assert books_in_memory(one).first_difference(books_in_memory(other)) == ""


def test_another_market_gives_other_decisions() -> None:
    """Two runs that differ are told apart: what the comparisons of this folder rest on."""
    one, other = run(synthetic(5))[0], run(synthetic(5, seed=3))[0]
    assert first_difference(from_memory(one), from_memory(other)) != ""
    assert books_in_memory(one).first_difference(books_in_memory(other)) != ""
