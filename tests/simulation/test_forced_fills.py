"""FU-4 on the whole system: the exchange itself closes FUNDING's short; nothing of the pair stays naked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from actors.runtime.memory_store import MemoryStore
from infra.backtest.system import InProcessSystem
from infra.simulator.venue.model import Account as VenueAccount
from infra.simulator.venue.model import Position
from infra.simulator.venue.orders.incidents import take_over
from statemachines.facts import AlertFact, ExecutionFact
from statemachines.values import HOUR_MS, ActorName
from tests.simulation.books import books_in_memory
from tests.simulation.whole import build, synthetic

MAX_HOURS = 20 * 24
DUST_USDT = Decimal(10)


def the_account(system: InProcessSystem) -> VenueAccount:
    return system.exchange.venue.accounts["FUNDING"]


def with_a_pair(store: MemoryStore) -> tuple[InProcessSystem, Position]:
    """A system in which FUNDING holds a pair, all settled."""
    system = build(synthetic(30), store)
    system.start()
    for _ in range(MAX_HOURS):
        system.run(system.exchange.market_time + HOUR_MS)
        held = [position for position in the_account(system).positions.values() if position.size < 0]
        if held:
            return system, held[0]
    raise AssertionError("FUNDING has opened no pair: the test proves nothing")


@pytest.mark.parametrize(
    ("kind", "share"), [("BustTrade", Decimal(1)), ("AdlTrade", Decimal("0.5")), ("Delivery", Decimal(1))]
)
def test_a_short_that_the_exchange_closes_leaves_no_naked_spot(kind: str, share: Decimal) -> None:
    """FU-4, OR-6: the spot of what is gone is sold in the same hour, the rest stays hedged, the books balance.

    Found by the scenario `delisting`: a position closed by its delisting (`Delivery`) was taken for no fill at all."""
    store = MemoryStore()
    system, position = with_a_pair(store)
    symbol, before = position.symbol, -position.size
    coin = symbol.removesuffix("USDT")
    lost = before if share == 1 else (before * share).quantize(Decimal("0.1") if coin == "SOL" else Decimal("0.01"))
    assert 0 < lost <= before
    venue = system.exchange.venue
    take_over(venue, the_account(system), symbol, lost, venue.prices.mark(symbol), kind)
    system.run(system.exchange.market_time + HOUR_MS)
    price = system.exchange.venue.prices.mark(symbol)
    naked = the_account(system).wallet.get(coin, Decimal(0)) + the_account(system).positions[symbol].size
    assert abs(naked) * price < DUST_USDT
    rows = [fact for fact in store.facts("executions") if isinstance(fact, ExecutionFact) and fact.symbol == symbol]
    assert [fact.quantity for fact in rows if fact.engine == "EXTERNAL"] == [lost]
    alerts = [fact for fact in store.facts("alerts") if isinstance(fact, AlertFact)]
    assert any("forced execution" in fact.title for fact in alerts)
    triggers = [line.note.trigger for line in store.journal(ActorName.FUNDING) if line.note.machine == coin]
    assert triggers[-1] == "closed" if share == 1 else "trim" in triggers
    system.run(system.exchange.market_time + 24 * HOUR_MS)
    assert books_in_memory(store).faults() == ["fills of order , which is not known"], "the forced one alone has none"
    assert not store.facts("discrepancies")
