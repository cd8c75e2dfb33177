"""Configuration of CORE-HODL with the specification's numbers as defaults."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from statemachines.values import Frozen

Fraction = Annotated[Decimal, Field(gt=0, lt=1)]
Days = Annotated[int, Field(ge=1, le=365)]


class StakingParameters(Frozen):
    """CH-10 as ruled in C9. Yields and volatility are fractions a year, shares are of the ETH held.

    `replay_yield` is what is assumed in replay without data of Bybit Earn, paid daily and redeemed at once.
    """

    asset: str = "ETH"
    min_yield: Fraction = Decimal("0.02")
    max_volatility: Annotated[Decimal, Field(gt=0)] = Decimal("0.60")
    volatility_returns: Annotated[int, Field(ge=2, le=365)] = 30
    calm_days: Days = 14
    max_share: Fraction = Decimal("0.80")
    share_tolerance: Fraction = Decimal("0.01")
    min_stake_share: Fraction = Decimal("0.01")
    replay_yield: Fraction = Decimal("0.03")


class CoreHodlParameters(Frozen):
    """All thresholds of CH-1 .. CH-11. Shares are fractions of 1.

    `weights` are parts: 2 and 1 mean 2/3 and 1/3 of what is invested (C1). `max_share` and `trim_share` are shares of
    the whole portfolio, counting CORE's and TACTICAL's coins (C7); `cash_buffer`, `cash_alert`, `min_leg_share` and
    `min_plan_share` are shares of the engine. `suspend_fall` and `resume_fall` are falls from the highest daily close
    (C8); that high starts from `high_seeds_usdt` or the supplied history, whichever is higher. `rebalance_days` is how
    long a rebalance whose orders do not fill is carried on before it is given up with an alert.
    """

    weights: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=lambda: {"BTC": 2, "ETH": 1})
    max_drift: Fraction = Decimal("0.10")
    drift_spacing_days: Days = 3
    tranches: Annotated[int, Field(ge=1, le=365)] = 30
    built_tolerance: Fraction = Decimal("0.01")
    min_plan_share: Fraction = Decimal("0.01")
    max_share: Fraction = Decimal("0.45")
    trim_share: Fraction = Decimal("0.50")
    cash_buffer: Fraction = Decimal("0.05")
    cash_alert: Fraction = Decimal("0.025")
    suspend_fall: Fraction = Decimal("0.70")
    resume_fall: Fraction = Decimal("0.65")
    min_leg_share: Fraction = Decimal("0.001")
    maker_life_h: Annotated[int, Field(ge=1, le=168)] = 24
    rebalance_days: Days = 7
    history_days: Annotated[int, Field(ge=0, le=10_000)] = 3000
    high_seeds_usdt: dict[str, Decimal] = Field(default_factory=dict)
    staking: StakingParameters = StakingParameters()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """Thresholds that belong together must stand in their order."""
        pairs = (
            ("resume_fall", self.resume_fall, "suspend_fall", self.suspend_fall),
            ("cash_alert", self.cash_alert, "cash_buffer", self.cash_buffer),
            ("max_share", self.max_share, "trim_share", self.trim_share),
        )
        for low_name, low, high_name, high in pairs:
            if low >= high:
                raise ValueError(f"{low_name} {low} must be below {high_name} {high}")
        unknown = sorted(set(self.high_seeds_usdt) - set(self.weights))
        if not self.weights or unknown:
            raise ValueError(f"weights {self.weights} must name every asset; high_seeds_usdt names also {unknown}")
        return self

    @property
    def assets(self) -> tuple[str, ...]:
        """The coins of the engine, in the order of `weights`."""
        return tuple(self.weights)
