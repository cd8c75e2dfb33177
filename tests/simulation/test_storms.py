"""Crashes between any two steps of any actor (DESIGN 8, level 4): OR-8, OR-9, EX-1, EX-5, OR-6.

Whatever crashes and when, the engines decide as in the calm run, and orders, fills, transfers and the ledger end the
same, row for row.
"""

from __future__ import annotations

import pytest

from actors.runtime.memory_store import MemoryStore
from actors.runtime.registry import START_ORDER
from infra.simulator.market.port import Market
from statemachines.values import ActorName
from tests.kit.journals import RECOVERING, first_difference, from_memory, without_versions
from tests.shared import shared_path
from tests.simulation.books import books_in_memory
from tests.simulation.storms import Storm
from tests.simulation.whole import recorded, run, synthetic

DAYS = 12
ALWAYS = frozenset({ActorName.ORDER_MANAGER, ActorName.ORCHESTRATOR, ActorName.TREND_1})
"""One of each kind; all of them in `make soak`."""


@pytest.fixture(scope="module")
def market() -> Market:
    return synthetic(DAYS)


@pytest.fixture(scope="module")
def calm(market: Market) -> MemoryStore:
    store, _ = run(market)
    return store


def _assert_same(calm: MemoryStore, storm: Storm, stormy: MemoryStore) -> None:
    # Journals of who keeps the books legally tell of the recovery; what they led to is compared row for row.
    ours, theirs = without_versions(from_memory(calm)), without_versions(from_memory(stormy))
    assert storm.points, "a storm without a crash proves nothing"
    assert first_difference(ours, theirs, leave_out=RECOVERING) == ""
    calm_books, books = books_in_memory(calm), books_in_memory(stormy)
    assert calm_books.fills, "a run that traded nothing proves nothing"
    assert calm_books.first_difference(books) == ""
    assert books.faults() == []


@pytest.mark.parametrize(
    "victim", [one if one in ALWAYS else pytest.param(one, marks=pytest.mark.soak) for one in START_ORDER]
)
def test_one_actor_crashes_again_and_again_beside_the_living(
    market: Market, calm: MemoryStore, victim: ActorName
) -> None:
    storm = Storm(market, f"one {victim}", 0.02, victim)
    _assert_same(calm, storm, storm.run())


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (1, 2, 3))])
def test_all_crash_at_once_between_any_two_steps(market: Market, calm: MemoryStore, seed: int) -> None:
    storm = Storm(market, f"all {seed}", 0.004)
    _assert_same(calm, storm, storm.run())


@pytest.mark.soak
@pytest.mark.parametrize("victim", [None, ActorName.ORDER_MANAGER, ActorName.MARKET_DATA])
def test_crashes_in_the_crash_of_march_2020(victim: ActorName | None) -> None:
    """The recorded fortnight in which stops trigger, carries end and TACTICAL deploys."""
    market = recorded(shared_path("history"), "2020-03-05", "2020-03-20")
    calm, _ = run(market)
    storm = Storm(market, f"2020 {victim}", 0.004 if victim is None else 0.02, victim)
    _assert_same(calm, storm, storm.run())
