"""Executions: those the exchange lists and the books have not, to be applied as if they had been streamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from statemachines.reconciliation.findings import Finding
from statemachines.requests import ExecutionReport


def missing_executions(
    is_booked: Callable[[ExecutionReport], bool], listed: Sequence[ExecutionReport]
) -> tuple[ExecutionReport, ...]:
    """Rows not booked yet, each once, oldest first; funding settlements are among them."""
    missing = {row.execution_id: row for row in listed if not is_booked(row)}
    return tuple(sorted(missing.values(), key=lambda row: (row.executed_ms, row.execution_id)))


def execution_finding(row: ExecutionReport) -> Finding:
    """A row that was booked late."""
    theirs = f"{row.execution_type} {row.side} {row.quantity} {row.symbol} at {row.price}"
    return Finding(row.account, "execution", row.execution_id, "none", theirs, "booked from the exchange's list")
