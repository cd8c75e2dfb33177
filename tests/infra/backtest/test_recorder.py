"""What the recorder makes of facts: the rule in force when a stop fired, makers' shortfall, TACTICAL's deployments."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from actors.runtime.ports import Commit, JournalRow
from infra.backtest import records
from infra.backtest.recorder import STOP_MOVED, RecordingStore
from statemachines.actor_logic import StateRow
from statemachines.commands import JournalEntry
from statemachines.facts import ExecutionFact, OrderFact
from statemachines.values import ActorName

NOW_MS = 1_704_067_200_000
FIRST, MOVED = Decimal(90), Decimal(110)


class Prices:
    def __init__(self) -> None:
        self.last = Decimal(100)

    def usd(self, _coin: str) -> Decimal:
        return self.last

    def of(self, _category: str, _symbol: str) -> Decimal:
        return self.last


class Committing(RecordingStore):
    """Takes the parts of commits and numbers them."""

    def parts(self, actor: ActorName, **parts: Any) -> None:
        epoch = self.grant(str(actor), "test")
        number = self.load(str(actor), epoch).number + 1
        self.commit(Commit(str(actor), epoch, number, NOW_MS, 1, **parts))


@pytest.fixture
def prices() -> Prices:
    return Prices()


@pytest.fixture
def store(prices: Prices) -> Committing:
    return Committing(
        defaultdict(lambda: Decimal("0.0002")), prices.usd, prices.of, lambda _category, _symbol: Decimal(100)
    )


def order(**changes: Any) -> OrderFact:
    known: dict[str, Any] = {
        "client_order_id": "L1",
        "intent_id": "trend-1-1",
        "engine": "trend-1",
        "account": "TREND-1",
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "order_type": "Market",
        "quantity": Decimal(1),
        "price": None,
        "trigger_price": FIRST,
        "reduce_only": True,
        "state": "OPEN",
        "venue_order_id": "X1",
        "filled_quantity": Decimal(0),
        "average_price": None,
        "reason": "1 filled at 100, hard stop 90 (TR-5)",
        "created_ms": NOW_MS,
        "updated_ms": NOW_MS,
        "trace": "",
    }
    return OrderFact(**(known | changes))


def execution(**changes: Any) -> ExecutionFact:
    known: dict[str, Any] = {
        "execution_id": "E1",
        "client_order_id": "L1",
        "venue_order_id": "X1",
        "engine": "trend-1",
        "account": "TREND-1",
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "quantity": Decimal(1),
        "price": Decimal(109),
        "fee": Decimal(0),
        "fee_coin": "USDT",
        "is_maker": False,
        "realized_pnl": Decimal(0),
        "executed_ms": NOW_MS,
    }
    return ExecutionFact(**(known | changes))


def moved_stop() -> JournalRow:
    data = {"from": "90", "to": "110"}
    reason = "TR-6: best close 120: stop 90 to 110"
    return JournalRow(NOW_MS, "", "", JournalEntry("BTC", STOP_MOVED, "IN_POSITION", "IN_POSITION", reason, data))


def fills(store: Committing) -> list[dict[str, Any]]:
    return list(store.frame("fills", records.FILLS).iter_rows(named=True))


def test_a_stop_that_was_never_moved_fires_under_the_hard_stop(store: Committing) -> None:
    store.parts(ActorName.ORDER_MANAGER, facts=[order(), execution()])
    assert "TR-5" in fills(store)[0]["purpose"]


def test_a_moved_stop_fires_under_the_trailing_stop(store: Committing) -> None:
    """Every stop in the table said TR-5, the rule that had asked for it weeks before."""
    store.parts(ActorName.ORDER_MANAGER, facts=[order()])
    store.parts(ActorName.TREND_1, journal=[moved_stop()])
    store.parts(ActorName.ORDER_MANAGER, facts=[order(trigger_price=MOVED), execution()])
    assert "TR-6" in fills(store)[0]["purpose"] and "TR-5" not in fills(store)[0]["purpose"]


def test_a_move_that_the_exchange_has_not_taken_leaves_the_hard_stop_in_force(store: Committing) -> None:
    store.parts(ActorName.ORDER_MANAGER, facts=[order()])
    store.parts(ActorName.TREND_1, journal=[moved_stop()])
    store.parts(ActorName.ORDER_MANAGER, facts=[execution()])
    assert "TR-5" in fills(store)[0]["purpose"]


@pytest.mark.parametrize(("side", "shortfall"), [("Buy", 9.0), ("Sell", -9.0)])
def test_a_makers_shortfall_is_against_the_price_at_the_decision(
    store: Committing, prices: Prices, side: str, shortfall: float
) -> None:
    """The price ran away from a resting order; slippage against the price of the fill's instant showed nothing."""
    store.parts(ActorName.ORDER_MANAGER, facts=[order(trigger_price=None, side=side)])
    prices.last = Decimal(109)
    requoted = order(client_order_id="L2", trigger_price=None, side=side)
    store.parts(ActorName.ORDER_MANAGER, facts=[requoted, execution(client_order_id="L2", side=side, is_maker=True)])
    (fill,) = fills(store)
    assert (fill["shortfall_usdt"], fill["slippage_usdt"]) == (shortfall, 0.0)
    assert fill["volume_share"] == fill["quantity"] / 100


def test_a_fill_of_tactical_names_its_deployment(store: Committing) -> None:
    leg = {"intent_id": "tactical-1"}
    state = StateRow("D2", "DEPLOYMENT", 1, {"work": {"legs": [leg]}, "past_legs": [], "returns": []})
    store.parts(ActorName.TACTICAL, states=[state])
    facts = [
        order(intent_id="tactical-1", engine="tactical", category="spot", trigger_price=None),
        execution(engine="tactical", category="spot"),
    ]
    store.parts(ActorName.ORDER_MANAGER, facts=facts)
    assert fills(store)[0]["deployment"] == "D2"
