"""What the judge of history says: findings with a severity, in sentences that name file, row and value; and which
periods a folder allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from infra.faults import OperatorError
from infra.simulator.market.path import DAY_MS, HOUR_MS

MAX_EXAMPLES = 5


class Severity(StrEnum):
    """What follows from a finding. Only an error makes a folder unusable."""

    ERROR = "error"
    WARNING = "warning"
    KNOWN = "known event"


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of defect of one file (or of the folder): how often, and the first of them in full."""

    file: str
    kind: str
    severity: Severity
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        more = "; ..." if self.count > len(self.examples) else ""
        often = f" ({self.count:,})" if self.count > 1 else ""
        return f"{self.file}: {self.severity}: {self.kind}{often}: {'; '.join(self.examples)}{more}"


class HistoryError(OperatorError, ValueError):
    """The history cannot be used; the text says what is wrong and what is allowed. Nothing is started."""


def found(
    file: str,
    kind: str,
    rows: NDArray[np.int64],
    text: Callable[[int], str],
    severity: Severity = Severity.ERROR,
) -> list[Finding]:
    """A finding for the rows (counted from 0), `text` describing one of them; none without rows."""
    if not len(rows):
        return []
    return [Finding(file, kind, severity, len(rows), tuple(text(int(row)) for row in rows[:MAX_EXAMPLES]))]


def where(holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The places at which it holds."""
    return np.flatnonzero(holds).astype(np.int64)


def whole(file: str, kind: str, text: str, severity: Severity = Severity.ERROR) -> Finding:
    """A finding about a whole file."""
    return Finding(file, kind, severity, 1, (text,))


def utc(instant_ms: Any) -> str:
    """As "2024-03-01 08:00"; the bare number of milliseconds where no calendar reaches."""
    try:
        return datetime.fromtimestamp(int(instant_ms) / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return f"{int(instant_ms)} ms"


class Bounds(NamedTuple):
    """Which periods a folder allows, milliseconds UTC. `earliest_ms`: from here on the hourly spot bars of BTC and ETH
    exist; `first_common_ms`: the first day for which all required series exist; `end_ms`: where the first of them ends.
    """

    earliest_ms: int
    first_common_ms: int
    end_ms: int


def period(bounds: Bounds, start_ms: int | None, end_ms: int | None) -> tuple[int, int]:
    """The period to be run, its end excluded; None: as the folder has it. Raises HistoryError."""
    start_ms = bounds.first_common_ms if start_ms is None else start_ms
    end_ms = bounds.end_ms if end_ms is None else end_ms
    if start_ms % DAY_MS or start_ms < bounds.earliest_ms:
        raise HistoryError(
            f"The period cannot start at {utc(start_ms)} UTC; it must start at 00:00 UTC of a day from "
            f"{utc(bounds.earliest_ms)} on, where the hourly spot bars of BTC and ETH exist."
        )
    if end_ms % HOUR_MS or not start_ms < end_ms <= bounds.end_ms:
        raise HistoryError(
            f"The period cannot end at {utc(end_ms)} UTC; it must end on a full hour after its start "
            f"{utc(start_ms)} and no later than {utc(bounds.end_ms)}, where the hourly bars end."
        )
    return start_ms, end_ms
