"""Configuration of the market-data actor."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from pydantic import Field, PositiveInt

from statemachines.values import LINEAR, MINUTE_MS, SECOND_MS, SPOT, Account, Category, Frozen

HOURLY = "60"
DAILY = "D"
INTERVALS = (HOURLY, DAILY)

Series = tuple[Category, str]
"""What has bars: (category, symbol)."""


def series_name(series: Series) -> str:
    """`spot:BTCUSDT`, as in `BarsClosed.missing`."""
    return f"{series[0]}:{series[1]}"


class MarketDataParameters(Frozen):
    """What is read and how it is judged; the defaults are the specification's symbols.

    Backfills are in bars. `daily_backfill` names series by `category:symbol`; CORE, TACTICAL and the regimes look
    back over years of spot, the other engines over about a year. `missing_after_ms` is market time after a bar's
    close. An outlier is a close that differs from the one before it by more than the given fraction: it is flagged,
    never dropped, because real markets do that. A series without bars for `inactive_after_hours` is no longer waited
    for (not yet listed, delisted) until a bar of it comes. Retries wait wall seconds. `stale_quote_ms` None: the age of
    quotes is not judged, as in lockstep, where quotes come when something can happen (DESIGN 3).
    """

    symbols: tuple[Series, ...] = (
        (SPOT, "BTCUSDT"),
        (SPOT, "ETHUSDT"),
        (SPOT, "SOLUSDT"),
        (LINEAR, "BTCUSDT"),
        (LINEAR, "ETHUSDT"),
        (LINEAR, "SOLUSDT"),
    )
    account: Account = Account.MASTER
    daily_backfill: Mapping[str, int] = Field(default={"spot:BTCUSDT": 3000, "spot:ETHUSDT": 3000})
    daily_backfill_default: PositiveInt = 450
    hourly_backfill: PositiveInt = 48
    funding_backfill_days: PositiveInt = 30
    missing_after_ms: PositiveInt = 5 * SECOND_MS
    stale_quote_ms: PositiveInt | None = 10 * MINUTE_MS
    outlier_hourly: Decimal = Field(default=Decimal("0.25"), gt=0)
    outlier_daily: Decimal = Field(default=Decimal("0.5"), gt=0)
    inactive_after_hours: PositiveInt = 72
    retry_delays_s: tuple[float, ...] = (1.0, 5.0, 15.0)
    longest_retry_s: float = Field(default=60.0, gt=0)
    longest_refresh_retry_s: float = Field(default=600.0, gt=0)
    backfill_attempts: PositiveInt = 100

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
