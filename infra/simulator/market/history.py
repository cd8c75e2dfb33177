"""The market of a folder of history files: hourly bars, optional daily bars, marks, funding and feeds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from infra.simulator.market.findings import Bounds, period
from infra.simulator.market.judge import REQUIRED_COINS, Coverage, Judgement, judge
from infra.simulator.market.tape import Tape, TapeMarket


class HistoryMarket(TapeMarket):
    """The market of a history folder, tradable in ``[start_ms, end_ms)``; everything before is warm-up.

    Without ``start_ms`` it starts at the first whole UTC day for which all required series exist; without ``end_ms``
    it ends with the first required series that ends. Raises ``HistoryError`` for a folder in which the judge finds an
    error, and for a period that cannot be used.
    """

    def __init__(self, folder: Path, start_ms: int | None = None, end_ms: int | None = None) -> None:
        found = judge(folder)
        found.demand()
        self._coverage = found.files
        start_ms, end_ms = period(bounds_of(found), start_ms, end_ms)
        super().__init__(
            Tape(
                label=f"history, folder {folder.resolve().name}",
                start_ms=start_ms,
                end_ms=end_ms,
                hours=found.hours,
                days=found.days,
                marks=found.marks,
                funding=found.funding,
                fear_greed=found.fear_greed,
                dvol=found.dvol,
            )
        )

    def coverage(self) -> list[Coverage]:
        """One line per file the market looked for, the missing ones included."""
        return list(self._coverage)

    def data_hash(self) -> str:
        """SHA-256 over the names and contents of the files that were read: two runs on the same data share it."""
        lines = sorted(f"{one.stem} {one.sha256}" for one in self._coverage if one.sha256)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def bounds_of(found: Judgement) -> Bounds:
    """The periods that a folder without errors allows."""
    earliest_ms = max(found.hours["spot", f"{coin}USDT"].first_ms for coin in REQUIRED_COINS)
    return Bounds(earliest_ms, found.first_common_ms, found.end_ms)
