"""The one price path of an hour: four points that every account, every symbol and every bar is made of.

Open at offset 0, second point at 20 min, third at 40 min, close at 59 min 59 s; between points prices stand still.
A bar that closes at or above its open goes open -> low -> high -> close, else open -> high -> low -> close.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from infra.simulator.market.port import Bar

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS

OFFSETS_MS: tuple[int, int, int, int] = (0, 1_200_000, 2_400_000, 3_599_000)
"""Milliseconds from the start of the hour to each point of the path."""

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PathPoints:
    """How an hour is divided into path points: one every ``tick_ms``, or the four of lockstep (None)."""

    tick_ms: int | None = None

    @property
    def count(self) -> int:
        """Points of an hour."""
        return len(OFFSETS_MS) if self.tick_ms is None else HOUR_MS // self.tick_ms

    def offset_ms(self, index: int) -> int:
        """Milliseconds from the start of the hour to the point."""
        return OFFSETS_MS[index] if self.tick_ms is None else index * self.tick_ms

    def index_at(self, elapsed_ms: int) -> int:
        """The newest point that has passed so long after the start of the hour."""
        if self.tick_ms is not None:
            return min(elapsed_ms // self.tick_ms, self.count - 1)
        return sum(1 for offset_ms in OFFSETS_MS if offset_ms <= elapsed_ms) - 1


def hour_of(instant_ms: int) -> int:
    """Start of the hour that contains the instant."""
    return instant_ms - instant_ms % HOUR_MS


def points(bar: Bar) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """The four prices of the bar in the order in which they are reached."""
    if bar.close >= bar.open:
        return bar.open, bar.low, bar.high, bar.close
    return bar.open, bar.high, bar.low, bar.close


def passed(hour_start_ms: int, now_ms: int) -> int:
    """How many points of the hour lie at or before ``now_ms`` (0..4); the open point counts at the hour's start."""
    return PathPoints().index_at(now_ms - hour_start_ms) + 1


def running_bar(bar: Bar, now_ms: int) -> Bar | None:
    """What of the hour ``bar`` can be seen at ``now_ms`` before its end; None when not even its open.

    Its volume and turnover are 0: the file has them for the whole hour only, so any share would reveal the future.
    """
    seen = points(bar)[: passed(bar.start_ms, now_ms)]
    if not seen:
        return None
    return Bar(bar.start_ms, seen[0], max(seen), min(seen), seen[-1], ZERO, ZERO)


def merged(start_ms: int, parts: Sequence[Bar]) -> Bar | None:
    """One bar that starts at ``start_ms`` out of consecutive smaller ones; None without any."""
    if not parts:
        return None
    return Bar(
        start_ms,
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        sum((part.volume for part in parts), ZERO),
        sum((part.turnover for part in parts), ZERO),
    )
