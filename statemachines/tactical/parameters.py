"""Configuration of TACTICAL with the specification's numbers as defaults."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from statemachines.values import Frozen

Fraction = Annotated[Decimal, Field(ge=0, le=1)]
Fall = Annotated[Decimal, Field(gt=-1, lt=0)]


class TacticalParameters(Frozen):
    """All thresholds of TA-1 .. TA-10. Shares, falls and gains are fractions; funding rates are per 8 hours.

    `ath_seed_usdt` is a BTC high from before the supplied history (TA-10); None leaves it to the history.
    `max_slippage` is EX-3's: a purchase must be payable at the worst price it may be filled at; `spot_fee_rate` is
    the venue's for takers (A2: what both may take stays in cash).
    """

    ath_seed_usdt: Annotated[Decimal, Field(gt=0)] | None = None
    history_days: Annotated[int, Field(ge=31, le=10_000)] = 3_000
    level_1_fall: Fall = Decimal("-0.50")
    level_1_share: Fraction = Decimal("0.50")
    level_2_fall: Fall = Decimal("-0.70")
    level_2_share_of_other_cash: Fraction = Decimal("0.50")
    fear_greed_below: Annotated[int, Field(ge=0, le=100)] = 20
    fear_greed_max_age_h: Annotated[int, Field(gt=0)] = 48
    funding_below: Decimal = Decimal("-0.0005")
    funding_settlements: Annotated[int, Field(ge=1, le=100)] = 9
    volatility_above_pct: Annotated[Decimal, Field(gt=0)] = Decimal(80)
    dvol_max_age_h: Annotated[int, Field(gt=0)] = 48
    panic_fall: Fall = Decimal("-0.20")
    panic_share: Fraction = Decimal("0.25")
    shares: dict[str, Fraction] = Field(default_factory=lambda: {"BTC": Decimal("0.80"), "ETH": Decimal("0.20")})
    max_share_per_event: Fraction = Decimal("0.50")
    days_between: Annotated[int, Field(ge=0)] = 30
    max_slippage: Fraction = Decimal("0.005")
    spot_fee_rate: Annotated[Decimal, Field(ge=0, lt=Decimal("0.1"))] = Decimal("0.001")
    min_deployment_usdt: Annotated[Decimal, Field(ge=0)] = Decimal(100)
    min_deployment_share_of_target: Fraction = Decimal("0.01")
    profit_target: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    fast_profit: Annotated[Decimal, Field(gt=0)] = Decimal("0.50")
    fast_profit_days: Annotated[int, Field(ge=0)] = 90
    fast_profit_sells: Fraction = Decimal("0.50")
    hold_months: Annotated[int, Field(ge=1, le=120)] = 12
    hold_fall: Fall = Decimal("-0.30")
    retry_s: Annotated[int, Field(gt=0, le=3_600)] = 60
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    coin_transfer_step: Annotated[Decimal, Field(gt=0)] = Decimal("0.00000001")
    usdt_transfer_step: Annotated[Decimal, Field(gt=0)] = Decimal("0.0001")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(self.shares.values()) != 1:
            raise ValueError(f"shares {self.shares} add up to {sum(self.shares.values())}; they must add up to 1")
        if "BTC" not in self.shares:
            raise ValueError(f"shares {sorted(self.shares)} lack BTC, whose high the levels are measured from (TA-1)")
        if self.level_2_fall >= self.level_1_fall:
            raise ValueError(f"level_2_fall {self.level_2_fall} must lie below level_1_fall {self.level_1_fall}")
        return self
