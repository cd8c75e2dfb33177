"""CH-10, C9 in the whole system: the same code in replay, 3 % a year, paid daily, redeemed at once; and what fails."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

import pytest

from actors.runtime.memory_store import MemoryStore
from api.logics import logics
from infra.backtest.system import InProcessSystem
from infra.config import EternalConfig
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from infra.simulator.venue import earn
from statemachines.facts import DiscrepancyFact, PostingFact
from statemachines.ledger.postings import EARN, EARN_INCOME
from statemachines.values import DAY_MS, HOUR_MS, Account, ActorName
from tests.simulation.whole import INSTALLATION, synthetic

DAYS, SEED = 62, 1
"""A market in which ETH must be sold after it was staked."""

LAST_DAY_MS = synthetic(DAYS, SEED).end_ms - DAY_MS
CORE = Account.CORE_HODL


def configured(*, is_enabled: bool) -> EternalConfig:
    """Every market is calm enough, so that ETH is staked as soon as the first build has ended; nearly all of it is, and
    a small drift is too much, so that sales lack liquid coins. No regime brings further capital to build in (OR-2)."""
    config = EternalConfig()
    core = config.engines.core_hodl
    changes = {"enabled": is_enabled, "max_volatility": Decimal(9), "max_share": Decimal("0.98")}
    staking = core.staking.model_copy(update=changes)
    core = core.model_copy(update={"staking": staking, "max_drift": Decimal("0.02")})
    engines = config.engines.model_copy(update={"core_hodl": core})
    allocation = config.orchestrator.allocation
    regime = allocation.regime.model_copy(update={"dwell_closes": 365})
    allocation = allocation.model_copy(update={"regime": regime})
    orchestrator = config.orchestrator.model_copy(update={"allocation": allocation})
    return config.model_copy(update={"engines": engines, "orchestrator": orchestrator})


def ran(*, is_enabled: bool, sim: SimConfig | None = None) -> tuple[MemoryStore, InProcessSystem]:
    store = MemoryStore()
    exchange = Exchange(synthetic(DAYS, SEED), sim or SimConfig(rate_limits=False))
    system = InProcessSystem(exchange, logics(configured(is_enabled=is_enabled), INSTALLATION), store)
    system.start()
    system.run()
    return store, system


@cache
def with_staking() -> tuple[MemoryStore, InProcessSystem]:
    return ran(is_enabled=True)


def books(store: MemoryStore, name: str) -> Decimal:
    """The ledger's balance of an account of CORE-HODL, in ETH."""
    postings = [fact for fact in store.facts("postings") if isinstance(fact, PostingFact)]
    lines = (line for fact in postings for line in fact.lines if line.account == CORE and line.coin == "ETH")
    return sum((line.amount for line in lines if line.ledger_account == name), Decimal(0))


def decisions(store: MemoryStore) -> list[tuple[int, str, str, str]]:
    """CORE-HODL's decisions other than staking: instant, machine, trigger, and what was bought or sold."""
    left_out = ("earn", "optimised", "stake_ETH", "redeem_ETH", "held_ETH", "cycle")
    return [
        (line.market_ms, line.note.machine, line.note.trigger, line.note.dest)
        for line in store.journal(ActorName.CORE_HODL)
        if line.note.trigger not in left_out and not line.note.is_bookkeeping
    ]


def test_c9_what_is_staked_earns_3_percent_a_year_and_the_ledger_equals_the_exchange() -> None:
    store, system = with_staking()
    account = system.exchange.venue.accounts["CORE-HODL"]
    (position,) = account.earn.positions.values()
    # What was paid since the last market day closed is read when the next one does.
    unread = sum((Decimal(row.data["amount"]) for row in account.earn.yields if row.time_ms > LAST_DAY_MS), Decimal(0))
    assert position.amount > 0 and books(store, EARN) == position.amount - unread
    paid = -books(store, EARN_INCOME)
    days = len(account.earn.yields) - 1
    assert days > 25 and paid == position.total_pnl - unread
    staked_days = sum((Decimal(row.data["effectiveStakingAmount"]) for row in account.earn.yields[1:-1]), Decimal(0))
    first = Decimal(account.earn.yields[0].data["amount"])  # of a part of a day
    assert paid - first == pytest.approx(staked_days * Decimal("0.03") / 365, rel=Decimal("0.01"))
    assert not [fact for fact in store.facts("discrepancies") if isinstance(fact, DiscrepancyFact)]


def test_c9_staking_changes_quantities_through_its_rewards_and_no_decision() -> None:
    with_it, without = decisions(with_staking()[0]), decisions(ran(is_enabled=False)[0])
    assert with_it == without and len(with_it) > 50
    redeemed = [line for line in with_staking()[0].journal(ActorName.CORE_HODL) if line.note.trigger == "redeem_ETH"]
    assert redeemed


def test_ch10_a_redemption_that_takes_two_days_leaves_no_difference() -> None:
    store, system = ran(is_enabled=True, sim=SimConfig(rate_limits=False, earn_redeem_delay_ms=48 * HOUR_MS))
    account = system.exchange.venue.accounts["CORE-HODL"]
    redeemed = [row.data for row in account.earn.orders if row.data["orderType"] == "Redeem"]
    assert [row for row in redeemed if int(row["updatedAt"]) - int(row["createdAt"]) >= 48 * HOUR_MS]
    assert [line for line in store.journal(ActorName.CORE_HODL) if line.note.trigger == "staking_pending"]
    assert not [fact for fact in store.facts("discrepancies") if isinstance(fact, DiscrepancyFact)]
    (position,) = account.earn.positions.values()
    under_way = earn.held(account)["ETH"] - position.amount
    unread = sum((Decimal(row.data["amount"]) for row in account.earn.yields if row.time_ms > LAST_DAY_MS), Decimal(0))
    assert books(store, EARN) == position.amount + under_way - unread
