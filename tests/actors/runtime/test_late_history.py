"""O3 under Ray: the orchestrator starts market data, which fills the history, and so begins before there is any."""

from __future__ import annotations

from collections.abc import Sequence

from actors.runtime.durable_actor import DurableActor
from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import Commit
from statemachines.facts import BarFact
from statemachines.messages.market import DayClosed
from statemachines.orchestration.logic import OrchestratorLogic
from statemachines.values import DAY_MS, ActorName
from tests.statemachines.orchestration.allocation.bars import bar, series

FIRST = 17_000 * DAY_MS
FALLING = series([100.0] * 200 + [99.0 - number * 0.01 for number in range(40)], FIRST)
"""A bear market since the 214th close."""


def write(store: MemoryStore, bars: Sequence[BarFact]) -> None:
    """What market data commits."""
    epoch = store.grant(ActorName.MARKET_DATA, "test")
    store.commit(
        Commit(
            actor=ActorName.MARKET_DATA,
            epoch=epoch,
            number=store.load(ActorName.MARKET_DATA, epoch).number + 1,
            market_ms=bars[-1].start_ms + DAY_MS,
            next_seq=1,
            facts=list(bars),
        )
    )


def orchestrator(store: MemoryStore) -> DurableActor:
    actor = DurableActor(OrchestratorLogic(), store, store.grant(ActorName.ORCHESTRATOR, "test"))
    actor.start(FALLING[-1].start_ms)
    actor.step()
    return actor


def close(actor: DurableActor, last: BarFact) -> None:
    close_ms = last.start_ms + DAY_MS
    body = DayClosed(day_ms=last.start_ms, close_ms=close_ms, bars=(last,))
    actor.take_fact(body, f"day:{last.start_ms}", close_ms)
    actor.step()
    actor.tick(close_ms)
    actor.step()


def regime(store: MemoryStore) -> list[tuple[str, str, str]]:
    lines = [line.note for line in store.journal(ActorName.ORCHESTRATOR) if line.note.machine == "regime"]
    return [(note.trigger, str(note.dest), str(note.data.get("closes", ""))) for note in lines]


def test_o3_the_history_that_was_filled_after_the_start_counts_at_the_first_close() -> None:
    store = MemoryStore()
    actor = orchestrator(store)
    write(store, FALLING)  # the day's own bar is in the store before the orchestrator is told of it
    close(actor, FALLING[-1])
    assert regime(store) == [("start", "BEAR", "239"), ("close", "BEAR", "200"), ("weights", "BEAR", "")]


def test_o3_it_decides_as_one_that_found_its_history_at_the_start() -> None:
    early, late = MemoryStore(), MemoryStore()
    write(early, FALLING[:-1])
    found = orchestrator(early)
    filled = orchestrator(late)
    write(late, FALLING)
    for actor in (found, filled):
        close(actor, FALLING[-1])
    assert regime(early) == regime(late)


def test_o3_without_any_history_the_first_close_is_the_first() -> None:
    store = MemoryStore()
    actor = orchestrator(store)
    close(actor, bar(FALLING[-1].start_ms, 100))
    assert regime(store) == [("start", "DEFAULT", "0"), ("close", "DEFAULT", "1")]
