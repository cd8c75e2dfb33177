"""FUNDING's durable rows: one per asset and one for the engine, immutable and JSON-ready."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from statemachines.actor_logic import StateRow
from statemachines.funding.machine import EvaluationStage, FundingState
from statemachines.funding.pair import Pair
from statemachines.funding.rules import ExitReason
from statemachines.limits.funding_rates import EIGHT_HOURS_MIN
from statemachines.limits.insurance_fund import InsuranceReading
from statemachines.state_store import RowKind, StateDialect
from statemachines.values import Frozen, Instrument

ZERO = Decimal(0)


class AssetRow(Frozen):
    """One asset: its machine's state, its pair and its market data.

    Rates are per 8 h, oldest first. `exit_reason` is set from the decision to close until the pair is flat;
    `outside_coins` and `outside_position` are external holdings (EXTERNAL) and are never traded.
    """

    state: FundingState = FundingState.MONITORING
    pair: Pair = Pair()
    carry_usdt: Decimal = ZERO
    settled: tuple[Decimal, ...] = ()
    settle_ms: int = 0
    predicted: Decimal | None = None
    interval_min: int = EIGHT_HOURS_MIN
    negative_run: int = 0
    turned_negative: bool = False
    entered_ms: int = 0
    closed_ms: int = 0
    exit_reason: ExitReason | None = None
    exit_sentence: str = ""
    spot_price: Decimal = ZERO
    perp_price: Decimal = ZERO
    fresh: bool = False
    basis: Decimal | None = None
    basis_run: int = 0
    spot_fee: Decimal = ZERO
    outside_coins: Decimal = ZERO
    outside_position: Decimal = ZERO


def is_idle_row(row: StateRow) -> bool:
    """Whether the row of an asset that is no longer configured has no holding and no order under way."""
    pair = row.data.get("pair", {})
    return row.state == FundingState.MONITORING.name and (pair.get("coins"), pair.get("short")) == ("0", "0")


class Evaluation(Frozen):
    """The evaluation of one settlement, in stages: exits, compounding, entries (F3, F8)."""

    settle_ms: int
    stage: EvaluationStage = EvaluationStage.EXITS
    since_ms: int = 0
    entries_barred: str = ""


class RiskView(Frozen):
    """The newest RiskState of one scope."""

    state: str
    size_factor: Decimal
    blocked_until_ms: int | None = None


class EngineRow(Frozen):
    """The engine's own row. `owed_usdt` includes amounts `requested` but not yet transferred (FU-5)."""

    counter: int = 0
    instruments: tuple[Instrument, ...] = ()
    equity_usdt: Decimal = ZERO
    cash_usdt: Decimal = ZERO
    portfolio_version: int = 0
    risk: dict[str, RiskView] = Field(default_factory=dict)
    owed_usdt: Decimal = ZERO
    requested: dict[str, Decimal] = Field(default_factory=dict)
    paid_usdt: Decimal = ZERO
    received_usdt: Decimal = ZERO
    bars_ms: int = 0
    due_ms: int | None = None
    evaluation: Evaluation | None = None
    transfer_day_ms: int | None = None
    insurance: tuple[InsuranceReading, ...] = ()
    insurance_alarm: bool = False
    minute_ms: int | None = None


SCHEMA = 2


def _with_slices(row: StateRow) -> StateRow:
    """Schema 1 knew no slices (X4)."""
    data = dict(row.data)
    if "pair" in data:
        data["pair"] = {**data["pair"], "goal_short": "0", "next_slice_ms": None}
    return row._replace(schema=SCHEMA, data=data)


DIALECT = StateDialect(RowKind("", SCHEMA, {1: _with_slices}), is_idle=is_idle_row)
