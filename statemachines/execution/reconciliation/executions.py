"""Executions that the exchange lists and that are not booked, to be applied as if they had been streamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from statemachines.execution.reconciliation.findings import Finding
from statemachines.requests import ExecutionReport


def missing_executions(
    is_booked: Callable[[ExecutionReport], bool], listed: Sequence[ExecutionReport]
) -> tuple[ExecutionReport, ...]:
    """Rows not booked yet, each once, oldest first; including funding settlements."""
    missing = {row.execution_id: row for row in listed if not is_booked(row)}
    return tuple(sorted(missing.values(), key=lambda row: (row.executed_ms, row.execution_id)))


def execution_finding(row: ExecutionReport, *, contradicts: bool) -> Finding:
    """A row that was booked late. `contradicts`: it contradicts the order, and the exchange has confirmed it."""
    theirs = f"{row.execution_type} {row.side} {row.quantity} {row.symbol} at {row.price}, fee {row.fee} {row.fee_coin}"
    if contradicts:
        resolution = "it contradicts the order, but the exchange's list confirms it: booked as listed"
        return Finding(row.account, "contradiction", row.execution_id, "refused", theirs, resolution)
    return Finding(row.account, "execution", row.execution_id, "none", theirs, "booked from the exchange's list")
