"""CORE-HODL's durable rows for the engine, the market and the portfolio, immutable and JSON-ready."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from statemachines.actor_logic import StateRow
from statemachines.core_hodl.machine import CoreState, DayStage
from statemachines.core_hodl.tranche_plans import Plan
from statemachines.state_store import RowKind, StateDialect
from statemachines.values import Frozen, Instrument, Side

ZERO = Decimal(0)

Purpose = Literal["trim", "rebalance", "build", "plan", "small"]
"""The purpose of an order: CH-7, CH-4, the first build, an inflow's plan, an inflow below 1 %."""


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


class Rebalance(Frozen):
    """The rebalance in progress: sales first, then purchases with the proceeds (CH-4).

    `sells` are the assets it sells; `unfilled` is set when an order of the phase ended with a remainder, which the next
    cycle carries over; `done_usdt` is the turnover so far, per side and asset. `due_ms` is the quarter's end for which
    a calendar rebalance is made (C3).
    """

    cause: Literal["drift", "calendar"]
    reason: str
    day_ms: int
    due_ms: int | None = None
    phase: Literal["SELL", "BUY"] = "SELL"
    sells: tuple[str, ...] = ()
    is_sent: bool = False
    unfilled: bool = False
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
    """The engine's own balances, the newest of portfolio, fills and booked balances, and the rest of the portfolio."""

    known: bool = False
    as_of_ms: int = -1
    cash_usdt: Decimal = ZERO
    coins: dict[str, Decimal] = Field(default_factory=dict)
    version_no: int = 0
    market_ms: int = -1
    portfolio_usdt: Decimal = ZERO
    tactical_coins: dict[str, Decimal] = Field(default_factory=dict)
    prices: dict[str, Decimal] = Field(default_factory=dict)


SCHEMA = 2


def _with_due_date(row: StateRow) -> StateRow:
    """Schema 1 lacked the quarter's end of an open rebalance (C3); the rebalance's day is used instead."""
    data = dict(row.data)
    if data.get("rebalance"):
        data["rebalance"] = {**data["rebalance"], "due_ms": None}
    return row._replace(schema=SCHEMA, data=data)


DIALECT = StateDialect(RowKind("", SCHEMA, {1: _with_due_date}))
