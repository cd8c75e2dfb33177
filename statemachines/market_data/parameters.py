"""Configuration of the market-data actor."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from statemachines.limits.parameter_checks import Distinct, Growing, Order
from statemachines.parameters import ParameterModel, SeriesName, Symbol, Unit
from statemachines.values import DAILY, DAY_MS, HOUR_MS, HOURLY, LINEAR, MINUTE_MS, SECOND_MS, SPOT, Account, Category

INTERVALS = (HOURLY, DAILY)

Bars = Annotated[int, Field(gt=0, le=10_000), Unit("closed bars")]
Change = Annotated[Decimal, Field(gt=0, le=100), Unit("fraction of the close before")]
Wait = Annotated[float, Field(gt=0, le=86_400), Unit("seconds")]

Series = tuple[Category, Symbol]
"""What has bars: (category, symbol)."""


def series_name(series: Series) -> str:
    """`spot:BTCUSDT`, as in `BarsClosed.missing`."""
    return f"{series[0]}:{series[1]}"


class MarketDataParameters(ParameterModel):
    """What is read and how it is judged; the defaults are the specification's symbols."""

    symbols: Annotated[tuple[Series, ...], Field(min_length=1), Distinct()] = (
        (SPOT, "BTCUSDT"),
        (SPOT, "ETHUSDT"),
        (SPOT, "SOLUSDT"),
        (LINEAR, "BTCUSDT"),
        (LINEAR, "ETHUSDT"),
        (LINEAR, "SOLUSDT"),
    )
    """What is read: pairs of category and symbol (DA-1)."""

    account: Account = Account.MASTER
    """The account over which the exchange is read."""

    daily_backfill: Mapping[SeriesName, Bars] = Field(default={"spot:BTCUSDT": 3000, "spot:ETHUSDT": 3000})
    """Daily bars that the first start reads, per series: CORE, TACTICAL and the regimes look back over years of spot
    (DA-1, TA-10, CH-8)."""

    daily_backfill_default: Bars = 450
    """Daily bars that the first start reads of every other series (DA-1, TR-2)."""

    hourly_backfill: Bars = 48
    """Hourly bars that the first start reads of every series (DA-1)."""

    funding_backfill_days: Annotated[int, Field(gt=0, le=10_000)] = 30
    """How far back the first start reads settled funding rates (DA-1)."""

    missing_after_ms: Annotated[int, Field(gt=0, lt=HOUR_MS)] = 5 * SECOND_MS
    """A bar that is not there this long after its close counts as missing, market time (DA-3)."""

    stale_quote_ms: Annotated[int, Field(gt=0, le=DAY_MS)] | None = Field(default=10 * MINUTE_MS)
    """Greatest age of a quote; not judged in lockstep, where quotes come when something can happen (DA-3)."""

    solvency_every_ms: Annotated[int, Field(ge=MINUTE_MS, le=DAY_MS)] | None = Field(default=MINUTE_MS)
    """How often the exchange's insurance fund and withdrawal status are read; in lockstep every eight hours of market
    time, and a minute after a change (FU-9, CH-9)."""

    outlier_hourly: Change = Decimal("0.25")
    """An hourly close that differs by more is flagged; it is never dropped, since real markets do that (DA-3)."""

    outlier_daily: Change = Decimal("0.5")
    """A daily close that differs by more is flagged, never dropped (DA-3)."""

    inactive_after_hours: Annotated[int, Field(gt=0, le=8_760)] = 72
    """A series without bars for this long (not yet listed, delisted) is not waited for until its next bar (DA-3)."""

    retry_delays_s: Annotated[tuple[Wait, ...], Field(min_length=1, max_length=20), Growing()] = (1.0, 5.0, 15.0)
    """Pauses before the first, second, ... repetition of a reading that failed, wall time (EX-4)."""

    longest_retry_s: Wait = 60.0
    """Pause before each further repetition of a backfill, wall time."""

    longest_refresh_retry_s: Wait = 600.0
    """Longest pause before a further repetition of reading the instruments' rules, wall time."""

    backfill_attempts: Annotated[int, Field(gt=0, le=10_000), Unit("attempts")] = 100
    """How often a backfill is tried before it is given up with an alert; nothing starts without it."""

    RELATIONS: ClassVar[tuple[Order, ...]] = (
        Order("outlier_hourly", "at most", "outlier_daily", "DA-3"),
        Order("retry_delays_s", "at most", "longest_retry_s", "EX-4"),
        Order("longest_retry_s", "at most", "longest_refresh_retry_s", "EX-4"),
    )

    @model_validator(mode="after")
    def _fills_what_it_reads(self) -> Self:
        unknown = [name for name in self.daily_backfill if name not in self.series_names]
        if unknown:
            raise ValueError(f"daily_backfill names {unknown[0]}, which is not among symbols (DA-1)")
        return self

    @property
    def series_names(self) -> tuple[str, ...]:
        """All series that are read, as `category:SYMBOL`."""
        return tuple(series_name(one) for one in self.symbols)

    @property
    def linear_symbols(self) -> tuple[str, ...]:
        """The perpetuals among the symbols."""
        return tuple(symbol for category, symbol in self.symbols if category == LINEAR)

    def backfill_bars(self, series: Series, interval: str) -> int:
        """How many closed bars the first start reads."""
        if interval == HOURLY:
            return self.hourly_backfill
        return self.daily_backfill.get(series_name(series), self.daily_backfill_default)

    def outlier_at(self, interval: str) -> Decimal:
        return self.outlier_hourly if interval == HOURLY else self.outlier_daily
