"""The backtest runs the machines of paper and live, and its tables tell what the exchange did (P3)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from actors.runtime.in_process import EndlessRepetitionError
from actors.runtime.memory_store import MemoryStore
from api.logics import logics
from infra.backtest.deposits import Period, RegularDeposit
from infra.backtest.plan import BacktestPlan
from infra.backtest.records import OUTSIDE, TOTAL, RunRecord
from infra.backtest.report.analysis import analyse
from infra.backtest.runner import INSTALLATION, Backtest
from infra.backtest.system import InProcessSystem
from infra.config import EternalConfig
from infra.simulator.api import ApiRequest, Exchange
from infra.simulator.market.synthetic import SyntheticMarket
from statemachines.facts import ExecutionFact, PerformanceFact
from statemachines.values import ACCOUNT_OF, DAY_MS, ENGINES, ActorName
from tests.simulation.whole import instant

pytestmark = pytest.mark.slow

DAYS = 25
SEED = 2
TREND = (ActorName.TREND_1, ActorName.TREND_2)


def market(days: int = DAYS) -> SyntheticMarket:
    return SyntheticMarket(SEED, instant("2025-01-01"), days)


def plan(
    engines: tuple[ActorName, ...] = ENGINES, slippage: Decimal = Decimal(0), capital: Decimal = Decimal(100_000)
) -> BacktestPlan:
    return BacktestPlan(market(), EternalConfig(), engines, slippage=slippage, capital_usdt=capital, is_synthetic=True)


def run(of: BacktestPlan) -> RunRecord:
    test = Backtest(of, logics)
    test.run(lambda _market_ms: None, lambda: False)
    return test.record()


class Unreadable(Exchange):
    """An exchange whose instruments never come in a form that can be read."""

    def handle(self, request: ApiRequest) -> dict[str, Any]:
        if request.path != "/v5/market/instruments-info":
            return super().handle(request)
        return {"retCode": 0, "retMsg": "OK", "result": {"list": "none"}, "retExtInfo": {}, "time": 0}


def test_a_request_that_is_repeated_without_end_is_named_and_ends_the_run() -> None:
    """Delays are none while time stands still: a backtest whose instruments could not be read hung for ever."""
    test = Backtest(plan(), logics, Unreadable)
    with pytest.raises(EndlessRepetitionError, match="market-data repeats read_market"):
        test.run(lambda _market_ms: None, lambda: False)


@pytest.fixture(scope="module")
def whole() -> RunRecord:
    return run(plan())


def total(record: RunRecord) -> pl.DataFrame:
    return record.equity.filter(pl.col("engine") == TOTAL)


def test_it_decides_and_fills_exactly_as_the_system_that_keeps_everything(whole: RunRecord) -> None:
    """P3: the recorder only remembers; the same machines on the same market make the same fills."""
    store = MemoryStore()
    system = InProcessSystem(Exchange(market(), plan().exchange()), logics(plan().configured(), INSTALLATION), store)
    system.start()
    system.run()
    expected = [
        (fill.executed_ms, fill.client_order_id, float(fill.quantity), float(fill.price))
        for fill in store.facts("executions")
        if isinstance(fill, ExecutionFact)
    ]
    assert expected, "a run that traded nothing proves nothing"
    assert whole.fills.select("ts_ms", "order_id", "quantity", "price").rows() == expected
    assert_performance_is_the_exchange_s(whole, store)


def assert_performance_is_the_exchange_s(whole: RunRecord, store: MemoryStore) -> None:
    """P4: what the risk manager records by day is what the exchange itself says, to a tenth of a per cent."""
    recorded = [fact for fact in store.facts("performance") if isinstance(fact, PerformanceFact)]
    assert len(recorded) == (DAYS - 1) * (len(ENGINES) + 1), "the market ends at the last close"
    shown = {(row["ts_ms"] - DAY_MS, row["engine"]): row for row in whole.equity.iter_rows(named=True)}
    names = {str(engine): str(ACCOUNT_OF[engine]) for engine in ENGINES} | {"total": TOTAL}
    for fact in recorded:
        theirs = shown[fact.day_ms, names[fact.engine]]
        assert float(fact.equity_usdt) == pytest.approx(theirs["equity_usdt"], rel=1e-3, abs=1.0), fact
    total_fees = sum(float(fact.fees_usdt) for fact in recorded if fact.engine == "total")
    before_ms = recorded[-1].day_ms + DAY_MS
    paid = whole.fills.filter(pl.col("ts_ms") < before_ms)["fee_usdt"].sum()
    assert total_fees == pytest.approx(paid, rel=1e-6)
    assert any(fact.slippage_usdt for fact in recorded) and any(fact.funding_usdt for fact in recorded)


def test_every_day_has_the_equity_of_every_account_and_their_sum(whole: RunRecord) -> None:
    days = total(whole)["ts_ms"].to_list()
    assert days == [instant("2025-01-01") + day * DAY_MS for day in range(DAYS + 1)]
    parts = whole.equity.filter(pl.col("engine") != TOTAL).group_by("ts_ms").agg(pl.col("equity_usdt").sum())
    joined = total(whole).join(parts, on="ts_ms", suffix="_sum")
    assert joined.height == DAYS + 1
    assert joined.select((pl.col("equity_usdt") - pl.col("equity_usdt_sum")).abs().max()).item() < 1e-6
    assert total(whole)["equity_usdt"][0] == 100_000


def test_transfers_and_flows_of_the_engines_agree(whole: RunRecord) -> None:
    """FU-5: what one engine gives the other gets."""
    assert whole.equity["net_flow_usdt"].sum() == pytest.approx(0, abs=1e-6)
    for engine in ("FUNDING", "TACTICAL"):
        flows = whole.equity.filter(pl.col("engine") == engine)["net_flow_usdt"].sum()
        moved = float(whole.transfers.filter(pl.col("target") == engine)["amount_usdt"].sum())
        moved -= float(whole.transfers.filter(pl.col("source") == engine)["amount_usdt"].sum())
        assert flows == pytest.approx(moved, abs=1e-6)
    assert whole.transfers.height > 0


def test_or5_regular_deposits_reach_the_engines_and_are_no_profit() -> None:
    """Three Mondays; what was paid in is a flow and no profit."""
    weekly = RegularDeposit(Decimal(2_000), Period.WEEK)
    record = run(replace(plan(), deposit=weekly))
    paid_in = record.transfers.filter(pl.col("source") == OUTSIDE)
    assert paid_in["amount_usdt"].to_list() == [2_000.0] * 3 and record.facts.paid_in_usdt == 6_000
    assert total(record)["net_flow_usdt"].sum() == 6_000
    given = record.transfers.filter((pl.col("source") == "MASTER") & pl.col("reason").str.contains("OR-5"))
    assert given["amount_usdt"].sum() == pytest.approx(6_000, abs=0.01)
    assert record.facts.ledger_faults == ()
    book = analyse(record).books[TOTAL]
    assert book.flow_usdt == 6_000
    assert book.profit_usdt == pytest.approx(book.end_usdt - 106_000)


@pytest.mark.parametrize(
    ("period", "day", "is_due"),
    [
        (Period.DAY, "2025-01-02", True),
        (Period.WEEK, "2025-01-06", True),
        (Period.WEEK, "2025-01-05", False),
        (Period.WEEK, "2025-01-07", False),
        (Period.MONTH, "2025-02-01", True),
        (Period.MONTH, "2025-01-31", False),
        (Period.MONTH, "2025-02-02", False),
    ],
)
def test_a_regular_deposit_comes_in_when_its_period_begins(period: Period, day: str, is_due: bool) -> None:
    assert RegularDeposit(Decimal(1), period).is_due(instant(day)) is is_due


def test_the_books_balance_and_decisions_name_their_rules(whole: RunRecord) -> None:
    assert whole.facts.ledger_faults == ()
    assert whole.facts.is_complete
    rules = set(whole.transitions["rules"].explode().to_list())
    assert {"CH-6", "TR-3", "FU-2"} <= rules


def test_engines_that_are_switched_off_have_no_capital_and_do_nothing() -> None:
    record = run(plan(TREND))
    assert set(record.fills["engine"].unique().to_list()) <= {"TREND-1", "TREND-2"}
    assert record.fills.height > 0
    first = record.equity.filter(pl.col("ts_ms") == instant("2025-01-01"))
    opening = dict(first.select("engine", "equity_usdt").iter_rows())
    assert opening["TREND-1"] == 75_000  # OR-1: 15 to 5
    assert opening["TREND-2"] == 25_000
    assert opening["CORE-HODL"] == opening["FUNDING"] == opening["TACTICAL"] == 0


@pytest.mark.parametrize(
    "engine",
    [
        (ActorName.CORE_HODL,),
        *(pytest.param((name,), marks=pytest.mark.soak) for name in (ActorName.FUNDING, ActorName.TACTICAL)),
    ],
)
def test_each_engine_runs_alone(engine: tuple[ActorName, ...]) -> None:
    record = run(plan(engine))
    assert record.facts.is_complete
    assert record.facts.ledger_faults == ()
    assert total(record)["equity_usdt"][0] == 100_000


def test_slippage_is_paid_by_takers_and_told() -> None:
    free, dear = run(plan((ActorName.FUNDING,))), run(plan((ActorName.FUNDING,), Decimal("0.001")))
    assert free.fills["slippage_usdt"].sum() == 0
    takers = dear.fills.filter(~pl.col("is_maker"))
    assert takers.height > 0
    assert (takers["slippage_usdt"] > 0).all()
    assert takers["slippage_usdt"].sum() == pytest.approx(float(takers["notional_usdt"].sum()) * 0.001, rel=2e-3)
    assert total(dear)["equity_usdt"][-1] < total(free)["equity_usdt"][-1]
    assert "0.001 of the price" in dear.facts.costs["slippage"]


def test_a_run_that_is_stopped_leaves_the_record_of_its_days(whole: RunRecord) -> None:
    days: list[int] = []
    test = Backtest(plan(), logics)
    test.run(days.append, lambda: len(days) == 20)
    record = test.record()
    assert not record.facts.is_complete
    assert record.facts.ended_ms == instant("2025-01-01") + 20 * DAY_MS
    assert record.equity.equals(whole.equity.filter(pl.col("ts_ms") <= record.facts.ended_ms))
    assert record.fills.equals(whole.fills.head(record.fills.height))


def test_weights_of_a_choice_of_engines_sum_to_one_exactly() -> None:
    for engines in (ENGINES, TREND, (ActorName.CORE_HODL, ActorName.TREND_1, ActorName.TACTICAL)):
        assert sum(plan(engines).weights.values()) == 1
        plan(engines).configured()
