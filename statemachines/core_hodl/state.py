"""CORE-HODL's durable rows for the engine, the market and the portfolio, immutable and JSON-ready."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from statemachines.actor_logic import StateRow
from statemachines.core_hodl.machine import CoreState, DayStage
from statemachines.core_hodl.tranche_plans import Plan
from statemachines.earn.terms import EarnPosition, EarnProduct, StakingAction
from statemachines.engine_rows import ENGINE_KEY
from statemachines.state_store import RowKind, StateDialect
from statemachines.values import Frozen, Instrument, Side

ZERO = Decimal(0)

Purpose = Literal["trim", "rebalance", "build", "plan", "small", "outflow"]
"""The purpose of an order: CH-7, CH-4, the first build, an inflow's plan, an inflow below 1 %, capital given (C10)."""


class Order(Frozen):
    """An intent that has not ended. `filled` in coins and `paid_usdt` (spent or received) as reported so far."""

    intent_id: str
    asset: str
    side: Side
    quantity: Decimal
    price: Decimal
    purpose: Purpose
    plan: int = 0
    filled: Decimal = ZERO
    paid_usdt: Decimal = ZERO
    withdrawn: bool = False


class HeldSale(Frozen):
    """A sale that waits for the redemption of the coins it lacks (C9)."""

    asset: str
    quantity: Decimal
    purpose: Purpose
    reason: str


class StakingUnderWay(Frozen):
    """The staking order under way; there is at most one. `is_pending`: the exchange works on it, which takes time."""

    staking_id: str
    action: StakingAction
    coin: str
    product_id: str
    amount: Decimal
    is_pending: bool = False


class Rebalance(Frozen):
    """The rebalance in progress: sales first, then purchases with the proceeds (CH-4).

    `sells` are the assets it sells; `unfilled` is set when an order of the phase ended with a remainder, which the next
    cycle carries over; `done_usdt` is the turnover so far, per side and asset. `due_ms` is the quarter's end for which
    a calendar rebalance is made (C3). `is_ahead`: a sale waits for a redemption that takes time, and the cash that was
    there has been spent on the other leg meanwhile (C9).
    """

    cause: Literal["drift", "calendar"]
    reason: str
    day_ms: int
    due_ms: int | None = None
    phase: Literal["SELL", "BUY"] = "SELL"
    sells: tuple[str, ...] = ()
    is_sent: bool = False
    unfilled: bool = False
    is_ahead: bool = False
    done_usdt: dict[str, Decimal] = Field(default_factory=dict)


class Cycle(Frozen):
    """The current daily cycle. `trigger` is the decision of CH-2 at its close."""

    day_ms: int
    close_ms: int
    entries_allowed: bool
    stage: DayStage = DayStage.START
    trigger: Literal["", "drift", "calendar"] = ""
    trigger_reason: str = ""


class EngineRow(Frozen):
    """The engine's own row.

    `build_tranches_left` is None before and after the first build; `inflow_usdt` and `outflow_usdt` are the flows since
    the last cycle; `calendar_due_ms` is the quarter's end whose rebalance is pending (C3); `trimming` are assets whose
    sale down to 45 % was not completely filled; `stopped` is the reason why all activity is stopped (CH-9).
    `held_sales` wait for a redemption; `staking_forgone` is the yield of coins that could have been staked and were
    not, in coins since the first cycle (CH-11).
    """

    state: CoreState = CoreState.INITIALIZATION
    counter: int = 0
    cycle_day_ms: int | None = None
    cycle: Cycle | None = None
    due_ms: int | None = None
    orders: tuple[Order, ...] = ()
    rebalance: Rebalance | None = None
    is_built: bool = False
    build_tranches_left: int | None = None
    build_unfilled: bool = False
    plans: tuple[Plan, ...] = ()
    plans_unfilled: tuple[int, ...] = ()
    plan_counter: int = 0
    small_usdt: Decimal = ZERO
    trimming: tuple[str, ...] = ()
    inflow_usdt: Decimal = ZERO
    outflow_usdt: Decimal = ZERO
    last_drift_day_ms: int | None = None
    calendar_day_ms: int | None = None
    calendar_due_ms: int | None = None
    rebalance_days_ms: tuple[int, ...] = ()
    is_calm: bool = False
    buffer_alerted: bool = False
    risk: dict[str, str] = Field(default_factory=dict)
    stopped: str = ""
    held_sales: tuple[HeldSale, ...] = ()
    staking: StakingUnderWay | None = None
    staking_forgone: Decimal = ZERO

    @property
    def awaits_redemption(self) -> bool:
        """Whether a sale waits for a redemption that may be done at once: what follows waits with it."""
        return bool(self.held_sales) and (self.staking is None or not self.staking.is_pending)

    @property
    def is_begun(self) -> bool:
        """Whether the first build has begun: money that arrives from then on is a later inflow (C5)."""
        return self.is_built or self.build_tranches_left is not None


class MarketRow(Frozen):
    """Daily closes of spot: highest, newest and, for volatility, the last ones of each asset, oldest first."""

    started: bool = False
    highs: dict[str, Decimal] = Field(default_factory=dict)
    day_ms: dict[str, int] = Field(default_factory=dict)
    closes: dict[str, tuple[Decimal, ...]] = Field(default_factory=dict)
    suspended: bool = False
    instruments: dict[str, Instrument] = Field(default_factory=dict)


class HoldingsRow(Frozen):
    """The engine's own balances, the newest of portfolio, fills and booked balances, and the rest of the portfolio.

    `coins` includes what is `staked`; `earned` is the Earn income so far, by coin."""

    known: bool = False
    as_of_ms: int = -1
    cash_usdt: Decimal = ZERO
    coins: dict[str, Decimal] = Field(default_factory=dict)
    version_no: int = 0
    market_ms: int = -1
    portfolio_usdt: Decimal = ZERO
    tactical_coins: dict[str, Decimal] = Field(default_factory=dict)
    prices: dict[str, Decimal] = Field(default_factory=dict)
    staked: dict[str, Decimal] = Field(default_factory=dict)
    earned: dict[str, Decimal] = Field(default_factory=dict)


class EarnRow(Frozen):
    """What Earn offers, as last read at `read_ms`; None before the first reading."""

    read_ms: int | None = None
    has_access: bool = False
    problem: str = ""
    products: tuple[EarnProduct, ...] = ()
    positions: tuple[EarnPosition, ...] = ()


SCHEMA = 3
HOLDINGS_KEY = "HOLDINGS"


def _with_due_date(row: StateRow) -> StateRow:
    """Schema 1 lacked the quarter's end of an open rebalance (C3); the rebalance's day is used instead."""
    data = dict(row.data)
    if data.get("rebalance"):
        data["rebalance"] = {**data["rebalance"], "due_ms": None}
    return row._replace(schema=2, data=data)


def _without_staking(row: StateRow) -> StateRow:
    """Schema 2 was written by versions that could not stake."""
    data = dict(row.data)
    if row.key == ENGINE_KEY:
        data |= {"held_sales": [], "staking": None, "staking_forgone": "0"}
        if data.get("rebalance"):
            data["rebalance"] = {**data["rebalance"], "is_ahead": False}
    elif row.key == HOLDINGS_KEY:
        data |= {"staked": {}, "earned": {}}
    return row._replace(schema=3, data=data)


DIALECT = StateDialect(RowKind("", SCHEMA, {1: _with_due_date, 2: _without_staking}))
