"""Configuration of the allocation: regimes and their weights, dwell and pace, trims and contributions (OR-2, OR-4,
OR-5). Shares are fractions of 1."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from statemachines.limits.parameter_checks import Distinct, Growing, Order, in_words
from statemachines.parameters import ParameterModel, Unit
from statemachines.values import Sleeve

Fraction = Annotated[Decimal, Field(gt=0, lt=1), Unit("fraction of 1")]
SleeveWeight = Annotated[Decimal, Field(ge=0, le=1), Unit("fraction of the portfolio")]
SleeveWeights = dict[Sleeve, SleeveWeight]
"""By sleeve; a sleeve that is not named keeps its default weight (OR-1)."""
Bars = Annotated[int, Field(ge=2, le=1_000), Unit("daily bars")]

_C, _T, _F, _A = Sleeve.CORE_HODL, Sleeve.TREND, Sleeve.FUNDING, Sleeve.TACTICAL


def _weights(core: str, trend: str, funding: str, tactical: str) -> SleeveWeights:
    return {_C: Decimal(core), _T: Decimal(trend), _F: Decimal(funding), _A: Decimal(tactical)}


class RegimeWeights(ParameterModel):
    """The weights of each regime other than the default, whose weights are `orchestrator.weights` (OR-1, OR-2)."""

    bear: SleeveWeights = Field(default_factory=lambda: _weights("0.70", "0.05", "0.15", "0.10"))
    """Weights while a bear market rules; they add up to 1 (OR-2)."""

    high_volatility: SleeveWeights = Field(default_factory=lambda: _weights("0.55", "0.15", "0.25", "0.05"))
    """Weights while high volatility rules; they add up to 1 (OR-2)."""

    strong_bull: SleeveWeights = Field(default_factory=lambda: _weights("0.50", "0.35", "0.10", "0.05"))
    """Weights while a strong bull market rules; they add up to 1 (OR-2)."""

    pre_halving: SleeveWeights = Field(default_factory=lambda: _weights("0.50", "0.30", "0.15", "0.05"))
    """Weights before a halving of BTC; they add up to 1 (OR-2)."""

    @model_validator(mode="after")
    def _add_up_to_one(self) -> Self:
        for name in type(self).model_fields:
            weights: SleeveWeights = getattr(self, name)
            total = sum(weights.values(), Decimal(0))
            if total != 1:
                raise ValueError(f"{name} {in_words(weights)} adds up to {total}; it must add up to exactly 1 (OR-2)")
        return self


class RegimeParameters(ParameterModel):
    """What the regime is read from: BTC's daily closes of spot (OR-2, D3, O1, O3)."""

    weights: RegimeWeights = RegimeWeights()
    """The weights of each regime (OR-2)."""

    fast_sma_bars: Bars = 50
    """Length of the fast moving average (OR-2)."""

    slow_sma_bars: Bars = 200
    """Length of the slow moving average; with fewer closes there is neither bear nor bull market (OR-2, O3)."""

    adx_bars: Bars = 14
    """Length of the ADX (OR-2, D3)."""

    strong_adx: Annotated[Decimal, Field(gt=0, lt=100), Unit("points of the ADX")] = Decimal(40)
    """A strong bull market has an ADX above it (OR-2)."""

    volatility_returns: Annotated[int, Field(ge=2, le=365), Unit("daily log returns")] = 30
    """Window of the volatility (OR-2, D4)."""

    high_volatility: Annotated[Decimal, Field(gt=0, le=10), Unit("annualised standard deviation, fraction of 1")] = (
        Decimal("0.80")
    )
    """Volatility is high above it (OR-2, D4)."""

    halvings: Annotated[tuple[date, ...], Distinct(), Growing()] = (
        date(2020, 5, 11),
        date(2024, 4, 20),
        date(2028, 4, 17),
    )
    """Days of BTC's halvings, UTC; that of 2028 is an estimate and is corrected when it is near (OR-2, O3)."""

    halving_days: Annotated[int, Field(ge=0, le=1_000)] = 180
    """From how many days before a halving, its day included, the pre-halving weights apply (OR-2, O3)."""

    dwell_closes: Annotated[int, Field(ge=1, le=365), Unit("daily closes")] = 14
    """Closes running at which a regime must win before it rules; the first counts (O1)."""

    history_days: Annotated[int, Field(ge=0, le=10_000)] = 3_000
    """Daily closes of BTC on which the dwell is counted at the first start (O3)."""

    kept_bars: Annotated[int, Field(ge=100, le=10_000), Unit("daily bars")] = 450
    """Daily bars that the indicators are computed over; 400 give what the full history gives (O3)."""

    RELATIONS = (
        Order("fast_sma_bars", "below", "slow_sma_bars", "OR-2"),
        Order("slow_sma_bars", "at most", "kept_bars", "OR-2"),
        Order("volatility_returns", "below", "kept_bars", "OR-2, D4"),
    )

    @property
    def look_back_bars(self) -> int:
        """The longest look-back of a condition, in daily bars."""
        return max(self.slow_sma_bars, 2 * self.adx_bars, self.volatility_returns + 1)

    @model_validator(mode="after")
    def _keeps_enough_for_the_adx(self) -> Self:
        if self.kept_bars < 20 * self.adx_bars:
            raise ValueError(
                f"kept_bars {self.kept_bars} must be at least 20 times adx_bars {self.adx_bars}, or the first value of "
                "Wilder's average shows (OR-2, D2)"
            )
        return self


class AllocationParameters(ParameterModel):
    """How capital is allocated to the engines (OR-2, OR-4, OR-5)."""

    regime: RegimeParameters = RegimeParameters()
    """What the regime is read from, and its weights (OR-2)."""

    max_shift: Fraction = Decimal("0.05")
    """Largest change of one weight in a day, while all of them move along the straight line to their goal (O2)."""

    trim_excess: Fraction = Decimal("0.10")
    """An engine so far above its weight, or further, is trimmed back to it (OR-4, O5)."""

    min_trim: Annotated[Decimal, Field(ge=0, lt=1), Unit("fraction of the portfolio")] = Decimal("0.01")
    """A trim below this part of the portfolio waits (O7)."""

    trend_harvest: SleeveWeights = Field(
        default_factory=lambda: {_C: Decimal("0.50"), _F: Decimal("0.30"), _A: Decimal("0.20")}
    )
    """How TREND's excess is shared by the others, each up to its weight; the shares add up to 1 (OR-4, O5)."""

    kept_in_master_usdt: Annotated[Decimal, Field(ge=0, le=10**12)] = Decimal(0)
    """USDT in the master account that are not distributed to the engines, for a withdrawal (OR-5)."""

    min_contribution_usdt: Annotated[Decimal, Field(ge=0, le=10**12)] = Decimal(1)
    """Less in the master account is not distributed yet (OR-5)."""

    transfer_step_usdt: Annotated[Decimal, Field(gt=0, le=1), Unit("USDT")] = Decimal("0.0001")
    """Amounts that move are rounded down to multiples of it (OR-6)."""

    RELATIONS = (Order("min_trim", "at most", "trim_excess", "OR-4, O7"),)

    @model_validator(mode="after")
    def _harvest_is_whole(self) -> Self:
        total = sum(self.trend_harvest.values(), Decimal(0))
        if total != 1:
            raise ValueError(
                f"trend_harvest {in_words(self.trend_harvest)} adds up to {total}; it must add up to exactly 1 (OR-4)"
            )
        if self.trend_harvest.get(_T):
            raise ValueError(f"trend_harvest gives {self.trend_harvest[_T]} to TREND, whose excess it shares (OR-4)")
        return self
