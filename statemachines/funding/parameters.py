"""Configuration of FUNDING with the specification's numbers as defaults. Shares are fractions of 1."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from statemachines.limits.insurance_fund import MOST_READINGS, InsuranceLimits
from statemachines.limits.leverage import MAX_LEVERAGE, ExposureLimits
from statemachines.limits.parameter_checks import Distinct, Order
from statemachines.limits.shared_defaults import SPOT_TAKER_FEE
from statemachines.parameters import Coin, FeeRate, ParameterModel, Unit
from statemachines.values import LINEAR, SPOT

Fraction = Annotated[Decimal, Field(ge=0, le=1), Unit("fraction of 1")]
RatePer8h = Annotated[Decimal, Field(ge=0, le=1), Unit("fraction of the notional per 8 hours")]
Part = Annotated[Decimal, Field(gt=0, lt=1), Unit("fraction of 1")]
"""A threshold that can be passed: at 1 its rule would be off."""
Seconds = Annotated[int, Field(gt=0, le=86_400), Unit("seconds")]
Periods = Unit("settled funding periods")
Readings = Annotated[int, Field(ge=1, le=MOST_READINGS), Unit("readings running")]


class FundingParameters(ParameterModel):
    """All thresholds of FU-1 to FU-10."""

    assets: Annotated[tuple[Coin, ...], Field(min_length=1), Distinct()] = ("BTC", "ETH", "SOL")
    """The coins, in the order of their priority when capital is short (FU-1)."""

    min_rate: RatePer8h = Decimal("0.0001")
    """A pair is opened only when the predicted funding rate is above this (FU-2, F1, F2)."""

    positive_periods: Annotated[int, Field(ge=1, le=10), Periods] = 2
    """How many of the last settled rates must all be positive for an entry (FU-2)."""

    max_basis: Part = Decimal("0.02")
    """No entry when (perpetual - spot) / spot is above this or below its negative; above it the pair is closed
    (FU-2, FU-3, F5)."""

    basis_readings: Readings = 2
    """Readings of the basis above its limit that close a pair (FU-3, F5)."""

    basis_check: Literal["hour", "minute"] = "hour"
    """How often the basis is read: `hour` on closed hourly bars (replay, paper), `minute` on live quotes (F3)."""

    quote_max_age_s: Seconds = 60
    """Oldest last price of a leg that counts for the basis (F5)."""

    max_hold_days: Annotated[int, Field(ge=1, le=365)] = 14
    """Longest time a pair is held (FU-3, F6)."""

    on_max_hold: Literal["exit", "roll"] = "exit"
    """What happens then: `exit` closes the pair, `roll` begins the time anew (FU-3, F6)."""

    max_share_per_asset: Fraction = Decimal("0.05")
    """Largest spot leg of one coin at order time, as a part of the engine's equity (FU-7, F7)."""

    compound_share: Fraction = Decimal("0.5")
    """Part of each funding payment received that is invested again; the rest goes to TACTICAL (FU-5, F8)."""

    negative_periods_all_out: Annotated[int, Field(ge=1, le=100), Periods] = 3
    """Negative periods running of any held coin that close all pairs (FU-8, F10)."""

    insurance_fall: Part = Decimal("0.30")
    """A fall of the exchange's insurance fund by more than this closes all pairs (FU-9)."""

    insurance_window_h: Annotated[int, Field(ge=1, le=168)] = 24
    """Time within which that fall is measured (FU-9)."""

    insurance_readings: Readings = 2
    """Readings of the insurance fund that must all show the fall (FU-9, RM-4)."""

    spot_fee_rate: FeeRate = SPOT_TAKER_FEE
    """The venue's taker fee on spot, which is taken in the coin: so much more is bought (FU-4, F9)."""

    margin_fraction: Annotated[Decimal, Field(ge=1 / MAX_LEVERAGE, le=1), Unit("fraction of 1")] = Decimal(1)
    """Cash that must stand behind each USDT of the short when a pair is opened; with less than half of it the short
    would need more than the leverage of TR-9 (FU-2)."""

    delta_tolerance: Part = Decimal("0.01")
    """A difference of the legs beyond this part of the position is trimmed (FU-4, F9)."""

    leg_timeout_s: Seconds = 10
    """A leg that is not filled within this market time is sent again (FU-4)."""

    leg_attempts: Annotated[int, Field(ge=1, le=10), Unit("attempts")] = 2
    """How often a leg is sent before the other one is unwound (FU-4)."""

    naked_alert_s: Seconds = 60
    """A pair with unequal legs for longer than this market time raises an alert (FU-4)."""

    close_attempts: Annotated[int, Field(ge=1, le=100), Unit("attempts")] = 6
    """How often a close is tried every `leg_timeout_s`; after that it is tried slowly (FU-4)."""

    close_retry_slow_s: Seconds = 300
    """First pause of the slow attempts to close (FU-4)."""

    entry_window_s: Seconds = 600
    """No entry rests on a settlement that is older than this market time (F3)."""

    transfer_step_usdt: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.0001")
    """Transfers to TACTICAL are rounded down to multiples of it (FU-5)."""

    max_total_exposure: Annotated[Decimal, Field(gt=0, le=MAX_LEVERAGE), Unit("multiples of the engine's equity")] = (
        Decimal(1)
    )
    """Largest notional of all shorts together, which the risk manager enforces (RM-1, leverage)."""

    min_liquidation_buffer: Annotated[Decimal, Field(gt=0, le=1), Unit("fraction of 1")] = (
        ExposureLimits().min_liquidation_buffer
    )
    """Distance from mark to liquidation price, as a part of the mark price, that an entry must leave (RM-1)."""

    RELATIONS: ClassVar[tuple[Order, ...]] = (
        Order("max_share_per_asset", "at most", "max_total_exposure", "FU-7, RM-1"),
        Order("leg_timeout_s", "at most", "naked_alert_s", "FU-4"),
        Order("leg_timeout_s", "at most", "close_retry_slow_s", "FU-4"),
    )

    @property
    def traded(self) -> Mapping[str, frozenset[str]]:
        return {"assets": frozenset(f"{one}:{coin}USDT" for coin in self.assets for one in (SPOT, LINEAR))}

    @property
    def max_leg_share(self) -> Decimal:
        """FU-7, F7 limit the spot leg; the short may be worth more by the basis at which an entry is still made."""
        return self.max_share_per_asset * (1 + self.max_basis)

    @property
    def insurance_limits(self) -> InsuranceLimits:
        """FU-9 as one value."""
        return InsuranceLimits(self.insurance_fall, self.insurance_window_h, self.insurance_readings)
