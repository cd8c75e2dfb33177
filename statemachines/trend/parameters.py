"""Configuration of TREND: the specification's numbers as defaults (SPEC chapter 3, RULINGS T1-T12)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from statemachines.limits.leverage import ExposureLimits
from statemachines.parameters import Coin, ParameterModel, Symbol, Unit

DailyBars = Annotated[int, Field(gt=0), Unit("daily bars")]
Closes = Annotated[int, Field(gt=0), Unit("daily closes")]
Adx = Annotated[Decimal, Field(gt=0), Unit("points of the ADX")]
AtrMultiple = Annotated[Decimal, Field(gt=0), Unit("multiples of the ATR")]
EquityMultiple = Annotated[Decimal, Field(gt=0), Unit("multiples of the sub-account's equity")]
Correlation = Annotated[Decimal, Field(gt=0, le=1), Unit("coefficient of correlation")]
Fraction = Annotated[Decimal, Field(gt=0, le=1), Unit("fraction of 1")]


class TrendAsset(ParameterModel):
    """One asset of TREND."""

    asset: Coin
    """the coin, which is the key of its machine in the journal"""

    symbol: Symbol
    """its linear perpetual"""


class TrendParameters(ParameterModel):
    """One parameter set of TREND. Ratios are fractions (0.01 = 1 %), averages count daily bars."""

    assets: tuple[TrendAsset, ...] = (
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

    risk_per_trade: Fraction = Decimal("0.01")
    """Loss at the hard stop, as a part of the sub-account's equity; it gives the size of an entry (TR-8)."""

    max_asset_exposure: EquityMultiple = ExposureLimits().max_asset
    """Largest notional of one asset; an entry beyond it is refused (TR-9, T8)."""

    max_total_exposure: EquityMultiple = ExposureLimits().max_total
    """Largest notional of all assets; an entry beyond it is refused (TR-9, T8)."""

    min_liquidation_buffer: Fraction = ExposureLimits().min_liquidation_buffer
    """Distance from mark to liquidation price, as a part of the mark price, that an entry must leave (TR-9, T8)."""

    max_positions: Annotated[int, Field(gt=0), Unit("positions")] = 2
    """Most positions at once in the sub-account (TR-10)."""

    quiet_adx: Adx = Decimal(20)
    """An ADX below it counts as quiet; entries pause until it is above it again (TR-12)."""

    quiet_closes: Closes = 14
    """Quiet closes running after which entries pause (TR-12)."""

    correlation_returns: Annotated[int, Field(gt=0), Unit("daily log returns")] = 30
    """Window of the correlation between the first two assets (TR-13, D4)."""

    correlation_begin: Correlation = Decimal("0.9")
    """A correlation above it begins an episode in which sizes are halved (TR-13, T10)."""

    correlation_end: Correlation = Decimal("0.85")
    """A correlation below it ends the episode (TR-13, T10)."""

    correlation_size_factor: Fraction = Decimal("0.5")
    """What sizes are multiplied by during the episode (TR-13, T10)."""

    funding_limit_8h: Annotated[Decimal, Field(gt=0), Unit("fraction of the notional per 8 hours")] = Decimal("0.001")
    """The paying side of a settled funding rate above it is closed and not entered (TR-14, T11)."""

    warm_up_bars: DailyBars = 450
    """Daily bars that are kept; 400 give what the full history gives, fewer let Wilder's seed show (TR-2, D2)."""

    stop_confirm_s: Annotated[int, Field(gt=0)] = 120
    """A position whose stop the exchange has not confirmed for this long raises an alert, market time (TR-5)."""

    portfolio_wait_s: Annotated[int, Field(gt=0)] = 60
    """How long entries wait, in market time, for a portfolio that shows the exits of this instant before the day is
    left out (TR-8, T7)."""

    @property
    def exposure_limits(self) -> ExposureLimits:
        """TR-9 as one value."""
        return ExposureLimits(self.max_asset_exposure, self.max_total_exposure, self.min_liquidation_buffer)

    @model_validator(mode="after")
    def _consistent(self) -> TrendParameters:
        if self.fast_sma_bars >= self.slow_sma_bars:
            raise ValueError(
                f"fast_sma_bars {self.fast_sma_bars} must be below slow_sma_bars {self.slow_sma_bars} (TR-3)"
            )
        if self.correlation_end >= self.correlation_begin:
            raise ValueError(
                f"correlation_end {self.correlation_end} must be below correlation_begin {self.correlation_begin} "
                "(TR-13)"
            )
        needed = max(self.slow_sma_bars, 2 * self.adx_bars, self.correlation_returns + 1)
        if self.warm_up_bars < needed:
            raise ValueError(f"warm_up_bars {self.warm_up_bars} must be at least {needed}, the longest look-back")
        symbols = [asset.symbol for asset in self.assets]
        if not symbols or len(set(symbols)) != len(symbols):
            raise ValueError(f"assets {symbols} must name at least one symbol and none twice (TR-1)")
        return self


TREND_1 = TrendParameters()
"""TR-11: the main parameters."""

TREND_2 = TrendParameters(fast_sma_bars=20, slow_sma_bars=100)
"""TR-11, T9: the alternative parameters."""
