"""Limits of the risk manager (RM-1 to RM-5), versioned configuration (RM-6). Fractions are of 1, not of 100."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, Field, model_validator

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.funding.parameters import FundingParameters
from statemachines.limits.insurance_fund import MOST_READINGS, InsuranceLimits
from statemachines.limits.leverage import MAX_LEVERAGE, ExposureLimits
from statemachines.limits.parameter_checks import Distinct, OneOf, Order
from statemachines.limits.shared_defaults import CAUTION_SIZE_FACTOR, MAX_SLIPPAGE
from statemachines.parameters import (
    Allowed,
    EngineName,
    EngineNames,
    ParameterModel,
    PositiveUsdt,
    SeriesName,
    SetBy,
    Unit,
    section_of,
    with_shared,
)
from statemachines.risk.machine import Level
from statemachines.trend.parameters import TREND_1, TREND_2
from statemachines.values import DAY_MS, HOUR_MS, IDENTITY_OF, MINUTE_MS, ActorName

Fraction = Annotated[Decimal, Field(gt=0, le=1), Unit("fraction of 1")]
Part = Annotated[Decimal, Field(gt=0, lt=1), Unit("fraction of 1")]
"""A threshold that can be passed: at 1 its rule would be off."""
Multiple = Annotated[Decimal, Field(gt=0, le=MAX_LEVERAGE), Unit("multiples of the engine's equity")]
"""TR-9 bounds them all."""
Readings = Unit("consecutive readings")
Milliseconds = Annotated[int, Field(gt=0, le=3_660 * DAY_MS), Unit("milliseconds")]
Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$"), Allowed("a name of letters, digits, _ and -")]
TrippedLevel = Annotated[Level, OneOf(tuple(one for one in Level if one is not Level.NORMAL))]


class Switch(StrEnum):
    """The automatic switches of RM-4; the dead-man switch is a process of its own."""

    RECONCILIATION_MISMATCH = "reconciliation_mismatch"
    ORDERS_REJECTED = "orders_rejected"
    EXCHANGE_UNREACHABLE = "exchange_unreachable"
    MARKET_DATA_STALE = "market_data_stale"
    CLOCK_OFF = "clock_off"
    WITHDRAWALS_SUSPENDED = "withdrawals_suspended"
    INSURANCE_FUND = "insurance_fund"


class EngineLimits(ParameterModel):
    """Limits of one engine."""

    universe: Annotated[frozenset[SeriesName], Field(min_length=1), Distinct()]
    """What the engine may trade (RM-1)."""

    max_order_of_equity: Multiple = Decimal(1)
    """Largest notional of one order (RM-1, size)."""

    max_asset_of_equity: Annotated[Multiple | None, SetBy("engines.{engine}.max_share_per_asset", "max_leg_share")] = (
        None
    )
    """Largest resulting position in one symbol; None where another rule limits it (RM-1 position, FU-7)."""

    max_asset_leverage: Annotated[Multiple, SetBy("engines.{engine}.max_asset_exposure")] = ExposureLimits().max_asset
    """Largest notional of one asset in linear products (TR-9, T8)."""

    max_total_leverage: Annotated[Multiple, SetBy("engines.{engine}.max_total_exposure")] = ExposureLimits().max_total
    """Largest notional of all assets in linear products (TR-9, T8)."""

    min_liquidation_buffer: Annotated[Fraction, SetBy("engines.{engine}.min_liquidation_buffer")] = (
        ExposureLimits().min_liquidation_buffer
    )
    """Distance from mark to liquidation price, as a part of the mark price, that an entry must leave (TR-9, T8)."""

    min_cash_of_equity: Annotated[
        Decimal, Field(ge=0, lt=1), Unit("fraction of the engine's equity"), SetBy("engines.{engine}.cash_buffer")
    ] = Decimal(0)
    """Cash that a spot purchase must leave: CORE's buffer; 0 means no borrowing (CH-7)."""

    max_asset_of_portfolio: Annotated[Fraction | None, SetBy("engines.{engine}.max_share")] = None
    """Largest part of the portfolio in one asset that a purchase may lead to; not set, purchases are not limited by it
    (CH-7, C7)."""

    @property
    def exposure_limits(self) -> ExposureLimits:
        """TR-9 as one value."""
        return ExposureLimits(self.max_asset_leverage, self.max_total_leverage, self.min_liquidation_buffer)


class DrawdownGroup(ParameterModel):
    """RM-3 for the engines whose equity is measured together (RULINGS F11). A limit that is not set is not applied."""

    engines: EngineNames
    """The engines that are measured together (RM-3, F11)."""

    caution: Part | None = Field(default=None, examples=[Decimal("0.15")])
    """Fall from the peak at which the engines go to CAUTION (RM-3)."""

    reduce_only: Part | None = Field(default=None, examples=[Decimal("0.25")])
    """Fall from the peak at which the engines go to REDUCE_ONLY (RM-3)."""

    alert: Part | None = Field(default=None, examples=[Decimal("0.30")])
    """Fall from the peak that raises an alert and changes nothing else (RM-3)."""

    RELATIONS: ClassVar[tuple[Order, ...]] = (Order("caution", "below", "reduce_only", "RM-3"),)

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.caution is None and self.reduce_only is None and self.alert is None:
            raise ValueError("at least one of caution, reduce_only and alert is required (RM-3)")
        return self


class SwitchPolicy(ParameterModel):
    """What one automatic switch trips."""

    level: TrippedLevel = Level.REDUCE_ONLY
    """The risk state that it trips (RM-4, R2)."""


class StreakPolicy(SwitchPolicy):
    """A switch that trips only after several bad readings running."""

    consecutive: Annotated[int, Field(ge=2, le=100), Readings] = 2
    """Bad readings running after which it trips, never one (RM-4)."""


class WithdrawalPolicy(StreakPolicy):
    """Withdrawals of BTC, ETH or USDT are suspended at the exchange on all chains: CORE-HODL stops (CH-9, R2)."""

    level: TrippedLevel = Level.HALTED
    """The risk state of CORE-HODL that it trips (CH-9, R2)."""

    global_level: TrippedLevel = Level.CAUTION
    """The risk state of GLOBAL that it trips (R2)."""

    apart_ms: Annotated[int, Field(ge=0, le=HOUR_MS)] = MINUTE_MS
    """Bad readings that follow each other sooner count as one (R2)."""


class InsurancePolicy(SwitchPolicy):
    """The exchange's insurance fund is depleted: FUNDING takes no new risk; that it closes its pairs is the engine's
    own rule, with the same limits (FU-9, R2)."""

    fall: Annotated[Part, SetBy("engines.funding.insurance_fall")] = FundingParameters().insurance_fall
    """A fall by more than this trips it (FU-9)."""

    window_h: Annotated[int, Field(ge=1, le=168), SetBy("engines.funding.insurance_window_h")] = (
        FundingParameters().insurance_window_h
    )
    """Hours within which the fall is measured (FU-9)."""

    consecutive: Annotated[
        int, Field(ge=1, le=MOST_READINGS), Readings, SetBy("engines.funding.insurance_readings")
    ] = FundingParameters().insurance_readings
    """Readings that must all show the fall (FU-9, RM-4)."""

    @property
    def limits(self) -> InsuranceLimits:
        """FU-9 as one value."""
        return InsuranceLimits(self.fall, self.window_h, self.consecutive)


class ReadingPolicies(ParameterModel):
    """Readings of the exchange: GLOBAL is REDUCE_ONLY while one of them is bad. All durations are wall time."""

    unreachable_s: Annotated[int, Field(ge=5, le=3_600)] = 30
    """The exchange counts as unreachable when nothing was received for longer, by REST or on a private stream
    (RM-4)."""

    stale_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    """Market data are stale when a public stream has brought none for longer (RM-4)."""

    clock_off_ms: Annotated[int, Field(ge=100, le=5_000)] = 1_000
    """The clock is off when it differs from the exchange's by more (RM-4)."""

    consecutive: Annotated[int, Field(ge=2, le=100), Readings] = 2
    """Bad readings running after which a switch trips, never one (RM-4)."""

    good_s: Annotated[int, Field(ge=1, le=86_400)] = 300
    """Good readings for so long end it (R2)."""


class SwitchPolicies(ParameterModel):
    """The automatic switches (RM-4, R2)."""

    reconciliation_mismatch: StreakPolicy = StreakPolicy(level=Level.HALTED)
    """Reconciliation finds more differences of an account than `mismatch_tolerance`; it trips the account's engine
    (RM-4, R2)."""

    withdrawals_suspended: WithdrawalPolicy = WithdrawalPolicy()
    """Withdrawals are suspended at the exchange (CH-9, R2)."""

    insurance_fund: InsurancePolicy = InsurancePolicy()
    """The exchange's insurance fund is depleted (FU-9, R2)."""

    orders_rejected: SwitchPolicy = SwitchPolicy()
    """More than `reject_share` of the last `reject_window` orders are rejected; that many readings are its streak
    (RM-4, R2)."""

    readings: ReadingPolicies = ReadingPolicies()
    """The exchange cannot be reached, its data are stale, the clock is off; not in profile paper (RM-4, R2)."""


def with_engine(limits: EngineLimits, engine: BaseModel | None, name: str) -> EngineLimits:
    """The limits that the risk manager enforces on the engine of this name, with those of the engine's own parameters.

    Raises:
        ValueError: the engine's parameters allow what the risk manager does not.
    """

    def look_up(shared: SetBy) -> object | None:
        own = shared.setting.rpartition(".")[2]
        return getattr(engine, shared.read or own) if hasattr(engine, own) else None

    return with_shared(limits, look_up, section_of(name))


def _engine_limits() -> dict[ActorName, EngineLimits]:
    own = {name: EngineLimits(universe=engine.universe) for name, engine in IDENTITY_OF.items()}
    defaults: dict[str, ParameterModel] = {
        ActorName.CORE_HODL: CoreHodlParameters(),
        ActorName.TREND_1: TREND_1,
        ActorName.TREND_2: TREND_2,
        ActorName.FUNDING: FundingParameters(),
    }
    return {engine: with_engine(one, defaults.get(engine), engine) for engine, one in own.items()}


def _drawdown_groups() -> dict[str, DrawdownGroup]:
    return {
        "TREND": DrawdownGroup(
            engines=(ActorName.TREND_1, ActorName.TREND_2), caution=Decimal("0.15"), reduce_only=Decimal("0.25")
        ),
        "FUNDING": DrawdownGroup(engines=(ActorName.FUNDING,), caution=Decimal("0.03"), reduce_only=Decimal("0.05")),
        "CORE-HODL": DrawdownGroup(engines=(ActorName.CORE_HODL,), alert=Decimal("0.30")),
        "TACTICAL": DrawdownGroup(engines=(ActorName.TACTICAL,), alert=Decimal("0.30")),
    }


class RiskParameters(ParameterModel):
    """All limits of the risk manager; durations are market time unless they are in seconds, which are wall time."""

    engines: dict[EngineName, EngineLimits] = Field(default_factory=_engine_limits)
    """Limits per engine (RM-1)."""

    drawdown: dict[Group, DrawdownGroup] = Field(default_factory=_drawdown_groups)
    """Limits of the fall from the peak, per group of engines (RM-3, F11)."""

    switches: SwitchPolicies = SwitchPolicies()
    """The automatic switches (RM-4, R2)."""

    concentration_accounts: EngineNames = (ActorName.CORE_HODL, ActorName.TACTICAL)
    """Engines whose coins count together for the largest part of the portfolio in one asset (CH-7, C7)."""

    capital_limit_usdt: PositiveUsdt | None = Field(default=None, examples=[Decimal(10_000)])
    """Most that all engines together may hold in coins and positions; in profile live the smaller of it and
    live.canary_limit_usdt counts (RM-1)."""

    max_exposure_of_portfolio: Annotated[
        Decimal, Field(gt=0, le=MAX_LEVERAGE), Unit("multiples of the portfolio's equity")
    ] = Decimal("1.25")
    """Most that all accounts together may be exposed to one side, coins and perpetuals of all engines added with their
    signs; an entry that would pass it is refused (RM-1, R4)."""

    exposure_limited: EngineNames = (ActorName.TREND_1, ActorName.TREND_2)
    """Engines whose entries that limit refuses (R4)."""

    price_collar: Part = Decimal("0.10")
    """Furthest that the reference price of an order may be from the last closed price, and the worst price that an
    approval lets through (RM-1)."""

    slippage_limit: Annotated[Fraction, SetBy("orders.max_slippage")] = MAX_SLIPPAGE
    """Largest slippage that a market order may allow (EX-3)."""

    limit_tolerance: Annotated[Decimal, Field(ge=0, le=Decimal("0.01")), Unit("fraction of the limit")] = Decimal(
        "0.001"
    )
    """Limits that contain a price deny an order only beyond so much more than the limit (X2)."""

    max_bar_age_ms: Annotated[int, Field(ge=MINUTE_MS, le=7 * DAY_MS), Unit("milliseconds")] = 2 * HOUR_MS
    """Oldest closed bar that an entry may rest on (RM-1)."""

    max_orders_per_minute: Annotated[
        int, Field(gt=0, le=10_000), Unit("intents per engine and minute of market time")
    ] = 120
    """Most intents that add risk (RM-1)."""

    caution_size_factor: Part = CAUTION_SIZE_FACTOR
    """What sizes are multiplied by in CAUTION (RM-3, R2)."""

    calm_ms: Milliseconds = DAY_MS
    """Calm after which a tripped state may return (RM-2, R1)."""

    one_day_fall: Part = Decimal("0.15")
    """A fall of the portfolio between two daily closes beyond this blocks entries of `fall_blocks` (RM-3, F11)."""

    fall_block_ms: Milliseconds = DAY_MS
    """How long those entries are blocked (RM-3, F11)."""

    standstill_ms: Milliseconds = 30 * DAY_MS
    """An engine that stands REDUCE_ONLY and flat for this long returns to CAUTION with its high set anew (R1)."""

    standstill_again_ms: Milliseconds = 365 * DAY_MS
    """A second standstill within this time is ended by the operator only (R1)."""

    fall_blocks: EngineNames = (ActorName.TREND_1, ActorName.TREND_2, ActorName.FUNDING)
    """Engines whose entries the fall of one day blocks (RM-3)."""

    reject_window: Annotated[int, Field(gt=0, le=10_000), Unit("orders")] = 50
    """Number of last orders among which rejected ones are counted (RM-4, R2)."""

    reject_share: Part = Decimal("0.20")
    """Part of these that may be rejected; more trips the switch `orders_rejected` (RM-4, R2)."""

    reject_age_ms: Milliseconds = HOUR_MS
    """How long a rejection counts (R2)."""

    mismatch_tolerance: Annotated[int, Field(ge=0, le=1_000), Unit("discrepancies")] = 0
    """Tolerated discrepancies of a reconciliation; more are a bad reading of `reconciliation_mismatch` (RM-4)."""

    RELATIONS: ClassVar[tuple[Order, ...]] = (
        Order("slippage_limit", "at most", "price_collar", "EX-3, RM-1"),
        Order("standstill_ms", "at most", "standstill_again_ms", "R1"),
    )

    @model_validator(mode="after")
    def _measures_each_engine_once(self) -> Self:
        for engine in IDENTITY_OF:
            groups = [name for name, group in self.drawdown.items() if engine in group.engines]
            if len(groups) > 1:
                raise ValueError(
                    f"drawdown.{groups[0]} and drawdown.{groups[1]} both measure {engine}; one group may (RM-3, F11)"
                )
        return self

    @model_validator(mode="after")
    def _never_trips_on_one_rejection(self) -> Self:
        most = self.reject_share * self.reject_window
        if most < 1:
            raise ValueError(
                f"reject_share {self.reject_share} of reject_window {self.reject_window} is {most}; at least 1 is "
                "required, so that a single rejection trips nothing (RM-4, R2)"
            )
        return self
