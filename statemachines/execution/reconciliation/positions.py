"""Linear positions: the exchange's is authoritative; ours is corrected to it and the difference is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from statemachines.execution.reconciliation.findings import Finding, Kind
from statemachines.ledger.positions import Position, adopted
from statemachines.requests import PositionReport
from statemachines.values import Account

AVERAGE_TOLERANCE = Decimal("0.0001")
"""Fraction by which average prices may differ: the exchange rounds its figure for display."""


class PositionCorrection(NamedTuple):
    """The position that we adopt."""

    symbol: str
    position: Position
    finding: Finding


def compare_positions(
    account: Account, ours: Mapping[str, Position], theirs: Sequence[PositionReport]
) -> tuple[PositionCorrection, ...]:
    """Corrections by symbol, in alphabetical order. `theirs` lists every position held; a symbol that is not
    listed is flat there."""
    shown = {report.symbol: report for report in theirs if report.quantity}
    corrections = []
    for symbol in sorted({*ours, *shown}):
        held = ours.get(symbol, Position())
        report = shown.get(symbol)
        quantity = report.quantity if report else Decimal(0)
        average = report.average_price if report else Decimal(0)
        kind: Kind
        if held.quantity != quantity:
            kind = "position" if held.quantity else "external_position"
            resolution = "the exchange's position adopted as EXTERNAL"
        elif quantity and abs(held.average_price - average) > average * AVERAGE_TOLERANCE:
            kind, resolution = "average_price", "the exchange's average price adopted"
        else:
            continue
        finding = Finding(
            account,
            kind,
            symbol,
            f"{held.quantity} at {held.average_price:.8f}",
            f"{quantity} at {average}",
            resolution,
        )
        corrections.append(PositionCorrection(symbol, adopted(quantity, average), finding))
    return tuple(corrections)
