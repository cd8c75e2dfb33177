"""A backtest: the machines of paper and live, in process, on one market, day by day, into the tables of the report."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from infra.backtest import records
from infra.backtest.plan import BacktestPlan
from infra.backtest.recorder import RecordingStore
from infra.backtest.records import RunFacts, RunRecord
from infra.backtest.switched_off import SwitchedOff
from infra.backtest.system import InProcessSystem
from infra.backtest.version import version_of_the_code
from infra.config import EternalConfig
from infra.simulator.api import Exchange
from infra.simulator.venue.earn import value_usdt
from infra.simulator.venue.impact import mean_volume
from infra.simulator.venue.margin import margin
from infra.simulator.venue.model import Account
from infra.simulator.venue.state import Venue
from statemachines.actor_logic import ActorLogic
from statemachines.values import ACCOUNT_OF, DAY_MS, ENGINES, HOUR_MS, SPOT, ActorName
from statemachines.values import Account as CoreAccount

INSTALLATION = "000000"
"""Begins the order ids of every backtest, so that equal runs have equal ids."""

LogicFactories = Callable[[EternalConfig, str], Mapping[ActorName, Callable[[], ActorLogic]]]


class Backtest:
    """One run. `run` may be called once; `record` may be read at any time and holds what was done so far."""

    def __init__(self, plan: BacktestPlan, logics: LogicFactories, exchange_type: type[Exchange] = Exchange) -> None:
        """`exchange_type` makes the exchange; the golden run hands in one whose requests fail now and then."""
        self._plan = plan
        exchange = exchange_type(plan.market, plan.exchange())
        self._store = RecordingStore(
            exchange.venue.slippages,
            exchange.venue.prices.usd,
            exchange.venue.prices.last,
            partial(mean_volume, exchange.venue),
        )
        table: dict[ActorName, Callable[[], ActorLogic]] = dict(logics(plan.configured(), INSTALLATION))
        table |= {engine: partial(SwitchedOff, engine) for engine in ENGINES if engine not in plan.engines}
        self._system = InProcessSystem(exchange, table, self._store)
        self._equity: list[tuple[Any, ...]] = []
        self._prices: list[tuple[Any, ...]] = []
        self._paid_in = Decimal(0)
        self._unmarked = Decimal(0)
        self._wall_s = 0.0
        self._is_complete = False

    def run(self, progress: Callable[[int], None], is_stopped: Callable[[], bool]) -> None:
        """To the end of the market, or of the day on which `is_stopped` returns True. `progress` receives the
        market time after every day."""
        with _rare_collections():
            self._run(progress, is_stopped)

    def _run(self, progress: Callable[[int], None], is_stopped: Callable[[], bool]) -> None:
        begun = time.monotonic()
        market = self._plan.market
        self._mark()
        self._system.start()
        day_ms = market.start_ms
        while not is_stopped():
            if day_ms > market.start_ms:
                self._pay_in(day_ms)
            day_ms += DAY_MS - day_ms % DAY_MS
            if day_ms >= market.end_ms:
                self._system.run()
                self._is_complete = True
            else:
                self._system.run(day_ms)
            self._mark()
            self._wall_s = time.monotonic() - begun
            progress(self._system.exchange.market_time)
            if self._is_complete:
                return

    def _pay_in(self, day_ms: int) -> None:
        """OR-5: what comes in from outside after the day's close; the system sees it in the exchange's records."""
        deposit = self._plan.deposit
        if deposit is not None and deposit.is_due(day_ms):
            self._system.exchange.deposit(CoreAccount.MASTER, "USDT", deposit.amount_usdt)
            self._paid_in += deposit.amount_usdt
            self._unmarked += deposit.amount_usdt

    def record(self) -> RunRecord:
        """The tables of what was run so far."""
        plan, store, venue = self._plan, self._store, self._system.exchange.venue
        ended_ms = self._system.exchange.market_time
        facts = RunFacts(
            command=plan.command,
            market=plan.market.label,
            is_synthetic=plan.is_synthetic,
            from_ms=plan.market.start_ms,
            to_ms=plan.market.end_ms,
            ended_ms=ended_ms,
            capital_usdt=float(plan.capital_usdt),
            deposit=str(plan.deposit or ""),
            paid_in_usdt=float(self._paid_in),
            engines=tuple(ACCOUNT_OF[engine].value for engine in plan.engines),
            settings=_differences(plan.config),
            version=version_of_the_code(),
            commit=plan.commit,
            data_hash=plan.data_hash,
            configuration=_configuration(plan),
            active_from_ms=plan.active_from_ms(),
            costs=_costs(plan),
            missing_inputs=plan.missing_inputs,
            is_complete=self._is_complete,
            wall_s=self._wall_s,
            hours=(ended_ms - plan.market.start_ms) // HOUR_MS,
            ledger_faults=tuple(store.faults),
            open_orders=sum(len(account.open) for account in venue.accounts.values()),
        )
        return RunRecord(
            facts,
            equity=_table(self._equity, records.EQUITY),
            prices=_table(self._prices, records.PRICES),
            fills=store.frame("fills", records.FILLS),
            funding=store.frame("funding", records.FUNDING_PAYMENTS),
            transfers=store.frame("transfers", records.TRANSFERS),
            transitions=store.frame("transitions", records.TRANSITIONS),
            refusals=store.frame("refusals", records.REFUSALS),
        )

    def _mark(self) -> None:
        """The day's row of every account, valued by the exchange itself: its figures, not ours, are the judge."""
        venue = self._system.exchange.venue
        now_ms = self._system.exchange.market_time
        whole = [Decimal(0), Decimal(0), Decimal(0)]
        paid_in, self._unmarked = self._unmarked, Decimal(0)
        for account in venue.accounts.values():
            equity = margin(venue, account).equity + value_usdt(venue, account)
            figures = (equity, account.balance("USDT"), _exposure(venue, account))
            whole = [total + figure for total, figure in zip(whole, figures, strict=True)]
            came, went = (flows.pop(account.name, Decimal(0)) for flows in (self._store.inflows, self._store.outflows))
            came += paid_in if account.name == CoreAccount.MASTER else 0
            self._equity.append((now_ms, account.name, *map(float, figures), float(came - went), float(went)))
        self._equity.append((now_ms, records.TOTAL, *map(float, whole), float(paid_in), 0.0))
        for spec in venue.prices.listed(now_ms):
            if spec.category == SPOT:
                self._prices.append((now_ms, spec.symbol, float(venue.prices.last(SPOT, spec.symbol))))


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Nearly everything a run makes lives to its end or dies at once, without circles: looking for circles as often
    as usual costs a fifteenth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _exposure(venue: Venue, account: Account) -> Decimal:
    """Coins, those in Earn included, and positions at market, without sign, USDT."""
    coins = (
        amount * usd
        for coin, amount in account.wallet.items()
        if coin != "USDT" and amount and (usd := venue.prices.usd(coin)) is not None
    )
    positions = (abs(p.size) * venue.prices.mark(p.symbol) for p in account.positions.values() if p.size)
    return sum(coins, value_usdt(venue, account)) + sum(positions, Decimal(0))


def _differences(config: EternalConfig) -> dict[str, str]:
    """Every value that is not the specification's, by its dotted name. The weights and the cycle of a run with fewer
    engines follow from the engines and are no setting."""
    ours, defaults = _flat(config.public()), _flat(EternalConfig().public())
    names = [name for name in (*ours, *(one for one in defaults if one not in ours))]
    return {name: _shown(ours.get(name)) for name in names if ours.get(name) != defaults.get(name)}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _shown(value: Any) -> str:
    return "none" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _configuration(plan: BacktestPlan) -> dict[str, Any]:
    """All settings of the run but those of messages to people: a backtest sends none."""
    return {name: one for name, one in plan.configured().public().items() if name != "notifications"}


def _costs(plan: BacktestPlan) -> dict[str, str]:
    fees = plan.fees
    return {
        "fees": f"spot taker {fees.spot_taker}, spot maker {fees.spot_maker}, "
        f"perpetual taker {fees.linear_taker}, perpetual maker {fees.linear_maker}",
        "slippage": f"takers pay {plan.slippage} of the price, times the root of their volume of 60 minutes in parts "
        "of 0.1 % of the market's mean hourly volume where that is above 1 (X4), rounded outward to the tick, at least "
        "half the spread of two ticks",
    }


def _table(rows: list[tuple[Any, ...]], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(schema), orient="row")
