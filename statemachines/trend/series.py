"""What TREND's rules read of one asset, day by day: averages, ADX, ATR (TR-2, TR-3, TR-12)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from statemachines.facts import BarFact
from statemachines.indicators import vector
from statemachines.outlook.series import Level, Pane, line, starts_ms
from statemachines.trend.parameters import TrendParameters


def panes(bars: Sequence[BarFact], parameters: TrendParameters) -> list[Pane]:
    """The asset's daily bars, oldest first, as the rules see them."""
    p, times = parameters, starts_ms(bars)
    high, low, close = (np.array([float(getattr(bar, name)) for bar in bars]) for name in ("high", "low", "close"))
    fast, slow = vector.sma(close, p.fast_sma_bars), vector.sma(close, p.slow_sma_bars)
    strength, reach = vector.adx(high, low, close, p.adx_bars), vector.atr(high, low, close, p.atr_bars)
    limits = (Level("entry above (TR-3)", float(p.adx_threshold)), Level("quiet below (TR-12)", float(p.quiet_adx)))
    return [
        Pane(
            "averages",
            "USDT",
            (line(f"SMA{p.fast_sma_bars}", times, fast), line(f"SMA{p.slow_sma_bars}", times, slow)),
            is_price=True,
        ),
        Pane("trend strength", "points", (line(f"ADX({p.adx_bars})", times, strength),), limits),
        Pane("true range", "USDT", (line(f"ATR({p.atr_bars})", times, reach),)),
    ]
