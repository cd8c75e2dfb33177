"""The volume traded in the last hours, by market: V of X4. Not durable: a start reads it from the recorded bars."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from statemachines.facts import BarFact
from statemachines.portfolio.equity import price_key
from statemachines.values import HOUR_MS, HOURLY, Category

HOURS = 24


class HourlyVolumes:
    """The volumes of each market's last `HOURS` closed hours, in base coin, by the hour's start. Mutable."""

    def __init__(self) -> None:
        self._volumes: dict[str, dict[int, Decimal]] = {}
        self._means: dict[str, Decimal | None] = {}

    def take(self, bars: Iterable[BarFact]) -> None:
        """Closed bars, in any order and as often as they come; only hourly ones count."""
        for bar in bars:
            if bar.interval == HOURLY:
                key = price_key(bar.category, bar.symbol)
                self._means.pop(key, None)
                known = self._volumes.setdefault(key, {})
                known[bar.start_ms] = bar.volume
                oldest = max(known) - (HOURS - 1) * HOUR_MS
                for start_ms in [one for one in known if one < oldest]:
                    del known[start_ms]

    def mean(self, category: Category, symbol: str) -> Decimal | None:
        """Mean volume per hour in base coin over the hours known; None without any volume, which is unknown."""
        key = price_key(category, symbol)
        if key not in self._means:
            known = self._volumes.get(key, {})
            total = sum(known.values(), Decimal(0))
            self._means[key] = total / len(known) if total > 0 else None
        return self._means[key]
