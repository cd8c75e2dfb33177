"""Configuration of TREND: the specification's numbers as defaults (SPEC chapter 3, RULINGS T1-T12)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from statemachines.limits.leverage import MAX_LEVERAGE, ExposureLimits
from statemachines.limits.parameter_checks import Distinct, Order
from statemachines.parameters import Coin, ParameterModel, Symbol, Unit
from statemachines.values import LINEAR

DailyBars = Annotated[int, Field(ge=2, le=10_000), Unit("daily bars")]
"""No average is of one bar, and TA-Lib gives none."""
Closes = Annotated[int, Field(gt=0, le=10_000), Unit("daily closes")]
Adx = Annotated[Decimal, Field(gt=0, lt=100), Unit("points of the ADX")]
AtrMultiple = Annotated[Decimal, Field(gt=0, le=100), Unit("multiples of the ATR")]
EquityMultiple = Annotated[Decimal, Field(gt=0, le=MAX_LEVERAGE), Unit("multiples of the sub-account's equity")]
Correlation = Annotated[Decimal, Field(gt=0, le=1), Unit("coefficient of correlation")]
Fraction = Annotated[Decimal, Field(gt=0, le=1), Unit("fraction of 1")]


class TrendAsset(ParameterModel):
    """One asset of TREND."""

    asset: Coin
    """the coin, which is the key of its machine in the journal"""

    symbol: Symbol
    """its linear perpetual"""

    @model_validator(mode="after")
    def _belong_together(self) -> TrendAsset:
        if self.symbol != f"{self.asset}USDT":
            raise ValueError(
                f"symbol {self.symbol} is not the perpetual of asset {self.asset}: {self.asset}USDT is (TR-1)"
            )
        return self


class TrendParameters(ParameterModel):
    """One parameter set of TREND. Ratios are fractions (0.01 = 1 %), averages count daily bars."""

    assets: Annotated[tuple[TrendAsset, ...], Field(min_length=1), Distinct(by=("asset",))] = (
        TrendAsset(asset="BTC", symbol="BTCUSDT"),
        TrendAsset(asset="ETH", symbol="ETHUSDT"),
    )
    """The perpetuals that are traded. The correlation is measured between the first two; with one it is inactive
    (TR-1, TR-13)."""

    fast_sma_bars: DailyBars = 50
    """Length of the fast moving average (TR-2, TR-3, TR-11)."""

    slow_sma_bars: DailyBars = 200
    """Length of the slow moving average, which also decides the exit (TR-2, TR-3, TR-4, TR-11)."""

    adx_bars: DailyBars = 14
    """Length of the ADX (TR-2)."""

    atr_bars: DailyBars = 14
    """Length of the ATR (TR-2)."""

    adx_threshold: Adx = Decimal(25)
    """An entry requires an ADX above it (TR-3)."""

    hard_stop_atr: AtrMultiple = Decimal(2)
    """Distance of the hard stop from the entry, in ATR of the signal's bar (TR-5, TR-8)."""

    trailing_stop_atr: AtrMultiple = Decimal(3)
    """Distance of the trailing stop from the best close since entry, in ATR of the newest bar (TR-6)."""

    max_hold_closes: Closes = 30
    """A position is closed at this daily close after its entry (TR-7, T4)."""

    risk_per_trade: Annotated[Decimal, Field(gt=0, le=Decimal("0.1")), Unit("fraction of 1")] = Decimal("0.01")
    """Loss at the hard stop, as a part of the sub-account's equity; it gives the size of an entry. At a tenth,
    three losses running already exceed RM-3's limit for REDUCE_ONLY (TR-8)."""

    max_asset_exposure: EquityMultiple = ExposureLimits().max_asset
    """Largest notional of one asset; an entry beyond it is refused (TR-9, T8)."""

    max_total_exposure: EquityMultiple = ExposureLimits().max_total
    """Largest notional of all assets; an entry beyond it is refused (TR-9, T8)."""

    min_liquidation_buffer: Fraction = ExposureLimits().min_liquidation_buffer
    """Distance from mark to liquidation price, as a part of the mark price, that an entry must leave (TR-9, T8)."""

    max_positions: Annotated[int, Field(gt=0, le=100), Unit("positions")] = 2
    """Most positions at once in the sub-account (TR-10)."""

    quiet_adx: Adx = Decimal(20)
    """An ADX below it counts as quiet; entries pause until it is above it again (TR-12)."""

    quiet_closes: Closes = 14
    """Quiet closes running after which entries pause (TR-12)."""

    correlation_returns: Annotated[int, Field(ge=3, le=10_000), Unit("daily log returns")] = 30
    """Window of the correlation between the first two assets; of two returns it is always 1 or -1 (TR-13, D4)."""

    correlation_begin: Correlation = Decimal("0.9")
    """A correlation above it begins an episode in which sizes are halved (TR-13, T10)."""

    correlation_end: Correlation = Decimal("0.85")
    """A correlation below it ends the episode (TR-13, T10)."""

    correlation_size_factor: Fraction = Decimal("0.5")
    """What sizes are multiplied by during the episode (TR-13, T10)."""

    funding_limit_8h: Annotated[Decimal, Field(gt=0, le=1), Unit("fraction of the notional per 8 hours")] = Decimal(
        "0.001"
    )
    """The paying side of a settled funding rate above it is closed and not entered (TR-14, T11)."""

    warm_up_bars: DailyBars = 450
    """Daily bars that are kept; 400 give what the full history gives, fewer let Wilder's seed show (TR-2, D2)."""

    stop_confirm_s: Annotated[int, Field(gt=0, le=86_400)] = 120
    """A position whose stop the exchange has not confirmed for this long raises an alert, market time (TR-5)."""

    portfolio_wait_s: Annotated[int, Field(gt=0, le=86_400)] = 60
    """How long entries wait, in market time, for a portfolio that shows the exits of this instant before the day is
    left out (TR-8, T7)."""

    @property
    def exposure_limits(self) -> ExposureLimits:
        """TR-9 as one value."""
        return ExposureLimits(self.max_asset_exposure, self.max_total_exposure, self.min_liquidation_buffer)

    RELATIONS: ClassVar[tuple[Order, ...]] = (
        Order("fast_sma_bars", "below", "slow_sma_bars", "TR-3"),
        Order("quiet_adx", "at most", "adx_threshold", "TR-3, TR-12"),
        Order("max_asset_exposure", "at most", "max_total_exposure", "TR-9, T8"),
        Order("correlation_end", "below", "correlation_begin", "TR-13"),
    )

    @property
    def look_back_bars(self) -> int:
        """The longest look-back of a rule, in daily bars."""
        return max(
            self.slow_sma_bars, 2 * self.adx_bars + self.quiet_closes, self.atr_bars + 1, self.correlation_returns + 1
        )

    @property
    def traded(self) -> Mapping[str, frozenset[str]]:
        return {"assets": frozenset(f"{LINEAR}:{one.symbol}" for one in self.assets)}

    @model_validator(mode="after")
    def _keeps_enough_bars(self) -> TrendParameters:
        if self.warm_up_bars < self.look_back_bars:
            raise ValueError(
                f"warm_up_bars {self.warm_up_bars} must be at least {self.look_back_bars}, the longest look-back of "
                f"slow_sma_bars {self.slow_sma_bars}, adx_bars {self.adx_bars} (twice, with quiet_closes "
                f"{self.quiet_closes}), atr_bars {self.atr_bars} and correlation_returns {self.correlation_returns}"
            )
        return self


TREND_1 = TrendParameters()
"""TR-11: the main parameters."""

TREND_2 = TrendParameters(fast_sma_bars=20, slow_sma_bars=100)
"""TR-11, T9: the alternative parameters."""
