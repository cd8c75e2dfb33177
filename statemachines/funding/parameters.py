"""Configuration of FUNDING with the specification's numbers as defaults."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from statemachines.values import Frozen

Fraction = Annotated[Decimal, Field(ge=0, le=1)]
Seconds = Annotated[int, Field(gt=0, le=86_400)]


class FundingParameters(Frozen):
    """All thresholds of FU-1 .. FU-10. Rates and shares are fractions; funding rates are per 8 hours.

    `assets` stand in the order of their priority when capital is short (FU-1). `basis_check` says how often the basis
    is read (F3): "hour" on closed hourly bars (replay, paper), "minute" on live quotes. `margin_fraction` is the cash
    that must stand behind each USDT of the short when a pair is opened.
    """

    assets: tuple[str, ...] = ("BTC", "ETH", "SOL")
    min_rate: Decimal = Decimal("0.0001")
    positive_periods: Annotated[int, Field(ge=1, le=10)] = 2
    max_basis: Fraction = Decimal("0.02")
    basis_readings: Annotated[int, Field(ge=1, le=10)] = 2
    basis_check: Literal["hour", "minute"] = "hour"
    quote_max_age_s: Seconds = 60
    max_hold_days: Annotated[int, Field(ge=1, le=365)] = 14
    on_max_hold: Literal["exit", "roll"] = "exit"
    max_share_per_asset: Fraction = Decimal("0.05")
    compound_share: Fraction = Decimal("0.5")
    negative_periods_all_out: Annotated[int, Field(ge=1, le=100)] = 3
    insurance_fall: Fraction = Decimal("0.30")
    insurance_window_h: Annotated[int, Field(ge=1, le=168)] = 24
    insurance_readings: Annotated[int, Field(ge=1, le=10)] = 2
    spot_fee_rate: Annotated[Decimal, Field(ge=0, lt=Decimal("0.1"))] = Decimal("0.001")
    margin_fraction: Fraction = Decimal(1)
    delta_tolerance: Fraction = Decimal("0.01")
    leg_timeout_s: Seconds = 10
    leg_attempts: Annotated[int, Field(ge=1, le=10)] = 2
    naked_alert_s: Seconds = 60
    close_attempts: Annotated[int, Field(ge=1, le=100)] = 6
    close_retry_slow_s: Seconds = 300
    entry_window_s: Seconds = 600
    transfer_step_usdt: Annotated[Decimal, Field(gt=0)] = Decimal("0.0001")
