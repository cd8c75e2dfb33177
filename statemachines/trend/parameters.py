"""Configuration of TREND: the specification's numbers as defaults (SPEC chapter 3, RULINGS T1-T12)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from statemachines.values import Frozen

PositiveInt = Annotated[int, Field(gt=0)]
PositiveDecimal = Annotated[Decimal, Field(gt=0)]
Fraction = Annotated[Decimal, Field(gt=0, le=1)]


class TrendAsset(Frozen):
    """One asset: `asset` is the machine's key in the journal, `symbol` the linear perpetual."""

    asset: str
    symbol: str


class TrendParameters(Frozen):
    """One parameter set of TREND. Ratios are fractions (0.01 = 1 %), averages count daily bars."""

    assets: tuple[TrendAsset, ...] = (
        TrendAsset(asset="BTC", symbol="BTCUSDT"),
        TrendAsset(asset="ETH", symbol="ETHUSDT"),
    )
    """TR-1. TR-13 correlates the first two; with one asset it is inactive."""

    fast_sma_bars: PositiveInt = 50
    slow_sma_bars: PositiveInt = 200
    adx_bars: PositiveInt = 14
    atr_bars: PositiveInt = 14
    adx_threshold: PositiveDecimal = Decimal(25)
    """TR-2, TR-3; the ADX must be above it."""

    hard_stop_atr: PositiveDecimal = Decimal(2)
    trailing_stop_atr: PositiveDecimal = Decimal(3)
    max_hold_closes: PositiveInt = 30
    """TR-5, TR-6, TR-7."""

    risk_per_trade: Fraction = Decimal("0.01")
    max_asset_exposure: PositiveDecimal = Decimal(1)
    max_total_exposure: PositiveDecimal = Decimal("1.9")
    min_liquidation_buffer: Fraction = Decimal("0.5")
    max_positions: PositiveInt = 2
    """TR-8, TR-9 (notional over equity; T8), TR-10."""

    quiet_adx: PositiveDecimal = Decimal(20)
    quiet_closes: PositiveInt = 14
    """TR-12."""

    correlation_returns: PositiveInt = 30
    correlation_begin: Fraction = Decimal("0.9")
    correlation_end: Fraction = Decimal("0.85")
    correlation_size_factor: Fraction = Decimal("0.5")
    """TR-13."""

    funding_limit_8h: PositiveDecimal = Decimal("0.001")
    """TR-14: 0.1 % per 8 hours."""

    warm_up_bars: PositiveInt = 450
    """Daily bars kept; 400 already give what the full history gives, fewer let Wilder's seed show."""

    stop_confirm_s: PositiveInt = 120
    """A position whose stop the exchange has not confirmed for this long raises an alert (DESIGN 6)."""

    portfolio_wait_s: PositiveInt = 60
    """How long entries wait for a portfolio that shows this instant's exits (T7) before the day is left out."""

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
