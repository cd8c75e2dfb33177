"""CORE-HODL inside the whole system, through the real matching core (CH-1, CH-3, CH-6, CH-7, CH-8, C4, OR-3)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest

from actors.runtime.memory_store import MemoryStore
from statemachines.facts import ExecutionFact, OrderFact, PortfolioFact
from statemachines.messages.accounts import AccountView
from statemachines.values import DAY_MS, ActorName
from tests.shared import shared_path
from tests.simulation.whole import instant, recorded, run, synthetic

FIRST_BUILD = 30


def _executions(store: MemoryStore) -> list[ExecutionFact]:
    facts = (fact for fact in store.facts("executions") if isinstance(fact, ExecutionFact))
    return [fact for fact in facts if fact.engine == ActorName.CORE_HODL]


def _cash_shares(store: MemoryStore) -> list[Decimal]:
    shares = []
    for fact in store.facts("portfolio_versions"):
        assert isinstance(fact, PortfolioFact)
        view = AccountView.model_validate(fact.data["accounts"]["CORE-HODL"])
        shares.append(view.cash_usdt / view.equity_usdt)
    return shares


@pytest.fixture(scope="module")
def calm_run() -> MemoryStore:
    return run(synthetic(45))[0]


def test_ch3_everything_is_spot_and_post_only(calm_run: MemoryStore) -> None:
    orders = [f for f in calm_run.facts("orders") if isinstance(f, OrderFact) and f.engine == ActorName.CORE_HODL]
    assert orders
    assert {order.category for order in orders} == {"spot"}
    assert {order.order_type for order in orders} == {"post_only"}
    assert all(execution.is_maker for execution in _executions(calm_run))


def test_ch6_the_first_build_takes_thirty_daily_tranches_each_once(calm_run: MemoryStore) -> None:
    journal = calm_run.journal(ActorName.CORE_HODL)
    for asset in ("BTC", "ETH"):
        days = [
            line.market_ms // DAY_MS
            for line in journal
            if line.note.trigger == f"buy_{asset}" and line.note.data["purpose"] == "build"
        ]
        assert len(days[:FIRST_BUILD]) == FIRST_BUILD
        assert len(set(days[:FIRST_BUILD])) == FIRST_BUILD, "one tranche a day"
    assert sum(line.note.trigger == "build_ends" for line in journal) == 1


def test_ch1_ch7_after_the_build_the_engine_holds_two_to_one_and_its_buffer(calm_run: MemoryStore) -> None:
    assert min(_cash_shares(calm_run)) >= Decimal("0.049"), "no purchase takes the cash below 5 %"
    bought: dict[str, Decimal] = defaultdict(Decimal)
    for execution in _executions(calm_run):
        bought[execution.symbol] += execution.quantity * execution.price * execution.side.sign
    ratio = bought["BTCUSDT"] / bought["ETHUSDT"]
    assert Decimal("1.6") < ratio < Decimal("2.5")


@pytest.mark.soak
def test_ch2_ch4_ch8_on_the_recorded_market_no_fallen_asset_is_sold() -> None:
    """December 2019 to May 2021: CH-8 suspends, and the sales that CH-2 makes never touch a fallen asset."""
    store = run(recorded(shared_path("history"), "2019-12-01", "2021-06-01"))[0]
    journal = store.journal(ActorName.CORE_HODL)
    rebalances = [line for line in journal if line.note.dest == "REBALANCING" and line.note.source != "REBALANCING"]
    assert rebalances, "a year and a half with a bull market rebalances at least once"
    # ETH stood more than 65 % below its high of January 2018 until December 2020 without a break.
    recovered_ms = instant("2020-11-01")
    sold = [e for e in _executions(store) if e.side.value == "Sell" and e.symbol == "ETHUSDT"]
    assert all(execution.executed_ms >= recovered_ms for execution in sold)
    assert min(_cash_shares(store)) >= Decimal("0.025")
