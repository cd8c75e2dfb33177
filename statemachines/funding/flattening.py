"""FUNDING becomes flat at the operator's command: both legs of every pair are closed at once, by market (RM-5, R3)."""

from __future__ import annotations

from statemachines.funding.machine import FundingState
from statemachines.funding.pair import Action, closing_orders
from statemachines.funding.pair_orders import PairOrders
from statemachines.funding.rules import ExitReason


def flatten(pair_orders: PairOrders, reason: str, now_ms: int) -> None:
    """Close every pair, whatever it is doing: orders under way are withdrawn, no further slice follows, an exit that
    waits for fresh prices or for its next attempt is sent now. A repeat repeats only what still waits."""
    for asset in pair_orders.parameters.assets:
        row, market = pair_orders.assets[asset], pair_orders.market(asset)
        operation = row.pair.operation
        if row.state is FundingState.EXIT:
            pair_orders.set(asset, exit_reason=ExitReason.FLATTEN, exit_sentence=reason)
            if operation is not None and operation.ended and operation.action is Action.EXIT:
                # It pauses between two attempts.
                pair_orders.set(asset, pair=row.pair.model_copy(update={"operation": None}))
            pair_orders.close_if_fresh(asset, now_ms)
            continue
        is_open = row.state in (FundingState.ENTRY, FundingState.FUNDING_COLLECTION)
        if not is_open and (market is None or not closing_orders(row.pair, market)):
            continue
        if operation is not None and not operation.ended:
            pair_orders.withdraw(asset, operation, reason)
        pair_orders.leave(asset, ExitReason.FLATTEN, reason, now_ms)
