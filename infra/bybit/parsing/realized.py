"""The realised profit of listed executions. REST's list does not contain it; the transaction log does, by trade id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from statemachines.execution.orders.report_checks import lacks_realized
from statemachines.ledger.transaction_types import is_booked_by_execution
from statemachines.requests import ExecutionReport
from statemachines.transaction_log.row import TransactionRow


def with_realized(
    executions: Iterable[ExecutionReport], transactions: Sequence[TransactionRow]
) -> list[ExecutionReport]:
    """The executions, those that lack it with the profit of their row in the log. One without a row, with several or
    with one that cannot be read stays as it is: the log may lag."""
    found: dict[str, list[TransactionRow]] = {}
    for row in transactions:
        if row.trade_id and is_booked_by_execution(row.transaction_type):
            found.setdefault(row.trade_id, []).append(row)
    return [
        one.model_copy(update={"realized_pnl": profit})
        if lacks_realized(one) and (profit := _profit(one, found.get(one.execution_id, []))) is not None
        else one
        for one in executions
    ]


def _profit(execution: ExecutionReport, rows: Sequence[TransactionRow]) -> Decimal | None:
    if len(rows) != 1 or rows[0].problem or rows[0].symbol != execution.symbol:
        return None
    return rows[0].cash_flow
