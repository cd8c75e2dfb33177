"""Regular deposits of a backtest: money from outside that comes into the master account (OR-5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum


class Period(StrEnum):
    """How often money comes in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class RegularDeposit:
    """`amount_usdt` on the first instant, UTC, of each period: a day, a week (Monday), a month."""

    amount_usdt: Decimal
    period: Period

    def is_due(self, day_ms: int) -> bool:
        """Whether money comes in at `day_ms`, the first instant of a day, UTC, in milliseconds since the epoch."""
        day = datetime.fromtimestamp(day_ms / 1_000, UTC)
        match self.period:
            case Period.DAY:
                return True
            case Period.WEEK:
                return day.weekday() == 0
            case Period.MONTH:
                return day.day == 1

    def __str__(self) -> str:
        return f"{self.amount_usdt:,f} USDT each {self.period}"
