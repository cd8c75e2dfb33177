"""The cleaning rules (DA-3) as pure functions: what is refused and what is flagged; and the counters of defects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from statemachines.facts import BarFact
from statemachines.values import DAY_MS, HOUR_MS, HOURLY

INTERVAL_MS: dict[str, int] = {HOURLY: HOUR_MS, "D": DAY_MS}


class Defect(StrEnum):
    """Kinds of defects of market data; the keys of the counters."""

    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    OUT_OF_ORDER = "out_of_order"
    INCONSISTENT = "inconsistent"
    OUTLIER = "outlier"
    GAP = "gap"
    REPAIRED = "repaired"
    STALE_QUOTE = "stale_quote"
    LATE_QUOTE = "late_quote"
    FAILED_READ = "failed_read"
    UNREADABLE = "unreadable"


class Counters:
    """How often each defect has occurred since the database was created (DA-3: counted)."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, defect: Defect, number: int = 1) -> None:
        if number:
            self._counts[defect.value] += number

    @property
    def total(self) -> int:
        """All defects together; comparing two values shows whether anything was counted in between."""
        return self._counts.total()

    def load(self, counts: Mapping[str, int]) -> None:
        """Continue from the counts of a previous incarnation."""
        self._counts = Counter(counts)

    def as_dict(self) -> dict[str, int]:
        return dict(sorted(self._counts.items()))


def close_ms(bar: BarFact) -> int:
    """The instant at which a bar closes."""
    return bar.start_ms + INTERVAL_MS[bar.interval]


def inconsistency(bar: BarFact, now_ms: int) -> str:
    """Why a bar is invalid, as a sentence; "" when it is valid (DA-3). An invalid bar is refused."""
    step = INTERVAL_MS.get(bar.interval)
    if step is None:
        wrong = f"field 'interval' is {bar.interval!r}; one of {sorted(INTERVAL_MS)} is required."
    elif bar.start_ms % step:
        wrong = f"field 'start_ms' is {bar.start_ms}; a multiple of {step} is required."
    elif bar.start_ms + step > now_ms:
        wrong = f"it closes at {bar.start_ms + step}, after the current market time {now_ms}."
    elif not 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        wrong = f"low {bar.low}, open {bar.open}, close {bar.close}, high {bar.high} contradict each other."
    elif bar.volume < 0:
        wrong = f"field 'volume' is {bar.volume}; 0 or more is required."
    else:
        return ""
    return f"bar {bar.category}:{bar.symbol} {bar.interval} {bar.start_ms}: {wrong}"


def jump(bar: BarFact, previous_close: Decimal | None) -> Decimal:
    """Relative change from the previous close; 0 when there is none."""
    return abs(bar.close / previous_close - 1) if previous_close else Decimal(0)
