"""Configuration of CORE-HODL with the specification's numbers as defaults. Shares are fractions of 1."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from statemachines.limits.parameter_checks import Order
from statemachines.limits.shared_defaults import CAUTION_SIZE_FACTOR, MAKER_LIFE_H
from statemachines.parameters import Coin, ParameterModel, PositiveUsdt, SetBy, Unit
from statemachines.values import HOUR_MS, SPOT

HOURS_PER_DAY = 24

Fraction = Annotated[Decimal, Field(gt=0, lt=1), Unit("fraction of 1")]
YearlyFraction = Annotated[Decimal, Field(gt=0, lt=1), Unit("fraction of 1 per year")]
Days = Annotated[int, Field(ge=1, le=365), Unit("days")]


class StakingParameters(ParameterModel):
    """When ETH is staked, and how much of it (CH-10 as ruled in C9)."""

    enabled: bool = True
    """Whether coins are staked; if not, what is staked already stays until a sale needs it (CH-10)."""

    asset: Coin = "ETH"
    """The coin that is staked (CH-10)."""

    max_volatility: Annotated[Decimal, Field(gt=0, le=10), Unit("annualised standard deviation, fraction of 1")] = (
        Decimal("0.60")
    )
    """It is staked while its volatility is below this (CH-10, C9, D4)."""

    volatility_returns: Annotated[int, Field(ge=2, le=365), Unit("daily log returns")] = 30
    """Window of the volatility (CH-10, D4)."""

    calm_days: Annotated[int, Field(ge=1, le=89), Unit("days")] = 14
    """It is staked only when the next calendar rebalance is more than this far away (CH-10, C9); a quarter has at least
    90 days, so that with more it would never be staked."""

    max_share: Fraction = Decimal("0.80")
    """Largest part of the coins held that is staked (CH-10)."""

    excess_share: Fraction = Decimal("0.01")
    """What is staked is redeemed down to `max_share` once it exceeds it by more than this part of the holdings (C9)."""

    min_stake_share: Fraction = Decimal("0.01")
    """A stake below this part of the coins held waits (C9)."""

    min_yield: YearlyFraction = Decimal("0.02")
    """It is staked when Earn offers at least this (CH-10)."""

    replay_yield: YearlyFraction = Decimal("0.03")
    """What Earn pays in replay and backtest, where its rates are not known (C9); also the rate of the forgone yield in
    the daily metrics while no offer is known (CH-11)."""


class CoreHodlParameters(ParameterModel):
    """All thresholds of CH-1 to CH-11."""

    weights: dict[Coin, Annotated[int, Field(ge=1, le=1_000), Unit("parts")]] = Field(
        default_factory=lambda: {"BTC": 2, "ETH": 1}
    )
    """Target weights per coin, in parts: 2 and 1 are 2/3 and 1/3 of what is invested (CH-1, C1)."""

    max_drift: Fraction = Decimal("0.10")
    """A weight further than this from its target, in parts of the invested value, triggers a rebalance (CH-2, C2)."""

    drift_spacing_days: Days = 3
    """Least time between two rebalances because of drift (CH-2, C2)."""

    tranches: Annotated[int, Field(ge=1, le=365), Unit("daily tranches")] = 30
    """Number of tranches in which new capital is invested (CH-6, C5)."""

    built_tolerance: Fraction = Decimal("0.01")
    """The first build ends when every asset lacks less than this part of its target (CH-6, C5)."""

    min_plan_share: Fraction = Decimal("0.01")
    """Smallest inflow, as a part of the engine, that opens a plan of its own; a smaller one is bought at once (C5)."""

    max_share: Fraction = Decimal("0.45")
    """No purchase brings an asset above this part of the whole portfolio, TACTICAL's coins included (CH-7, C7)."""

    trim_share: Fraction = Decimal("0.50")
    """A close at which an asset is above this part of the whole portfolio sells it down to `max_share` (CH-7, C7)."""

    cash_buffer: Fraction = Decimal("0.05")
    """Part of the engine that stays in cash (CH-7, C7)."""

    cash_alert: Fraction = Decimal("0.025")
    """Cash below this part of the engine raises an alert (CH-7, C7)."""

    caution_size_factor: Annotated[Fraction, SetBy("risk.caution_size_factor")] = CAUTION_SIZE_FACTOR
    """What a tranche is multiplied by in CAUTION; what is not bought stays with its plan (R2)."""

    suspend_fall: Fraction = Decimal("0.70")
    """A close further than this below the highest daily close suspends rebalancing (CH-8, C8)."""

    resume_fall: Fraction = Decimal("0.65")
    """While rebalancing is suspended, an asset counts as fallen beyond this; it resumes when none is (CH-8, C8)."""

    min_leg_share: Fraction = Decimal("0.001")
    """Smallest leg of a rebalance, as a part of the engine; a smaller one is left out (CH-2, C4)."""

    maker_life_h: Annotated[int, Field(ge=1, le=168)] = MAKER_LIFE_H
    """How long a maker order is quoted before it is given up with an alert, market time (CH-3)."""

    rebalance_days: Days = 7
    """How long a rebalance whose orders do not fill is carried on before it is given up with an alert (CH-2)."""

    history_days: Annotated[int, Field(ge=0, le=10_000)] = 3000
    """Daily closes that are read to find the highest one (CH-8, C8)."""

    high_seeds_usdt: dict[Coin, PositiveUsdt] = Field(default_factory=dict)
    """Highest daily close per coin from before the supplied history; the higher of the two counts (CH-8, C8)."""

    staking: StakingParameters = StakingParameters()
    """When ETH is staked, and how much of it (CH-10, C9)."""

    RELATIONS: ClassVar[tuple[Order, ...]] = (
        Order("resume_fall", "below", "suspend_fall", "CH-8, C8"),
        Order("cash_alert", "below", "cash_buffer", "CH-7, C7"),
        Order("max_share", "below", "trim_share", "CH-7, C7"),
        Order("min_leg_share", "below", "max_drift", "CH-2, C4"),
    )

    @model_validator(mode="after")
    def _names_its_coins(self) -> Self:
        """What is said about a coin is about one that it holds."""
        if not self.weights:
            raise ValueError("weights must name at least one coin (CH-1)")
        held = ", ".join(self.weights)
        unknown = [coin for coin in self.high_seeds_usdt if coin not in self.weights]
        if unknown:
            raise ValueError(f"high_seeds_usdt names {unknown[0]}; weights name only {held} (CH-8)")
        if self.staking.asset not in self.weights:
            raise ValueError(f"staking.asset is {self.staking.asset}; weights name only {held} (CH-10)")
        if self.maker_life_h > self.rebalance_days * HOURS_PER_DAY:
            raise ValueError(
                f"maker_life_h {self.maker_life_h} must be at most rebalance_days {self.rebalance_days}, which is "
                f"{self.rebalance_days * HOURS_PER_DAY} h (CH-2, CH-3)"
            )
        return self

    @property
    def traded(self) -> Mapping[str, frozenset[str]]:
        return {"weights": frozenset(f"{SPOT}:{coin}USDT" for coin in self.weights)}

    @property
    def maker_life_ms(self) -> int:
        """`maker_life_h` in milliseconds."""
        return self.maker_life_h * HOUR_MS

    @property
    def assets(self) -> tuple[str, ...]:
        """The coins of the engine, in the order of `weights`."""
        return tuple(self.weights)
