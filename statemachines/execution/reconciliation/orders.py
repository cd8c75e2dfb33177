"""Orders: which of ours the exchange still lists, which must be looked up, which are external."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from statemachines.execution.reconciliation.findings import Finding
from statemachines.requests import OrderReport
from statemachines.values import Account


class OrderComparison(NamedTuple):
    """`shown` are reports of our live orders, `absent` client ids that need a look-up (absence from the open orders
    proves nothing), `external` orders that are neither held here nor adopted before; one of them may still carry our
    id, which the caller checks."""

    shown: tuple[OrderReport, ...]
    absent: tuple[str, ...]
    external: tuple[OrderReport, ...]


def compare_orders(
    live: Sequence[str], known_external: Collection[str], open_orders: Sequence[OrderReport]
) -> OrderComparison:
    """`live` are the client ids of our orders that may still be open at the exchange, in a fixed order.

    `known_external` are exchange ids adopted earlier. An open order is external whenever it is not among `live`.
    """
    held = set(live)
    shown = tuple(report for report in open_orders if report.client_order_id in held)
    found = {report.client_order_id for report in shown}
    external = tuple(
        report
        for report in open_orders
        if report.client_order_id not in held and report.venue_order_id not in known_external
    )
    return OrderComparison(shown, tuple(link for link in live if link not in found), external)


def external_order_finding(account: Account, report: OrderReport) -> Finding:
    """An open order that is not ours: adopted and reported, never traded against."""
    theirs = f"{report.side} {report.quantity} {report.category} {report.symbol} {report.status} price {report.price}"
    name = report.client_order_id or report.venue_order_id
    return Finding(account, "order", name, "none", theirs, "adopted as EXTERNAL, left unchanged")


def own_order_finding(account: Account, report: OrderReport) -> Finding:
    """An order with our id that is open after its end here: it is cancelled."""
    theirs = f"{report.side} {report.quantity} {report.category} {report.symbol} {report.status} price {report.price}"
    return Finding(account, "own_order", report.client_order_id, "ended", theirs, "is being cancelled")
