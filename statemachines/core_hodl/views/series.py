"""What CORE-HODL's rules read at each cycle: how far it has drifted, and what its plans still hold (CH-2, CH-5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.outlook.series import Level, Line, Pane, line


def panes(cycles: Sequence[tuple[int, Mapping[str, Any]]], parameters: CoreHodlParameters) -> list[Pane]:
    """The figures that each cycle journalled (CH-11, `metrics`) with its market time, oldest first."""
    times = [time_ms for time_ms, _ in cycles]

    def of(name: str, figure: str, scale: int = 1) -> Line:
        values = (data.get(figure) for _, data in cycles)
        return line(name, times, [None if value is None else Decimal(value) / scale for value in values])

    return [
        Pane(
            "drift",
            "share",
            (of("largest drift", "drift_points", 100),),
            (Level("rebalance above (CH-2)", float(parameters.max_drift)),),
        ),
        Pane("plans of deposits (C5)", "USDT", (of("not invested yet", "planned_usdt"),)),
    ]
