"""R1: an engine group kept in REDUCE_ONLY by its drawdown while it is flat cannot recover by itself.

After 30 days of that it returns to CAUTION and its high is reset; a second time within 365 days only the operator can
return it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from statemachines.messages.accounts import AccountView
from statemachines.portfolio.remaining import holdings_left
from statemachines.risk.parameters import RiskParameters
from statemachines.values import Instrument


class Standstill(NamedTuple):
    """One group: the daily close since which it is REDUCE_ONLY and flat, and its last return from there (ms)."""

    since_ms: int | None = None
    returned_ms: int | None = None


class Outcome(NamedTuple):
    """The standstill after one more close; whether it ends now, or only the operator can end it."""

    standstill: Standstill
    ends: bool = False
    waits_for_operator: bool = False


def next_standstill(before: Standstill, is_standing: bool, close_ms: int, parameters: RiskParameters) -> Outcome:
    """The outcome of one more daily close; `is_standing`: the group is flat and kept in REDUCE_ONLY by its drawdown."""
    if not is_standing:
        return Outcome(before._replace(since_ms=None))
    since_ms = close_ms if before.since_ms is None else before.since_ms
    standstill = before._replace(since_ms=since_ms)
    if close_ms - since_ms < parameters.standstill_ms:
        return Outcome(standstill)
    if before.returned_ms is not None and close_ms - before.returned_ms < parameters.standstill_again_ms:
        return Outcome(standstill, waits_for_operator=True)
    return Outcome(Standstill(None, close_ms), ends=True)


def is_flat(view: AccountView, instruments: Mapping[str, Instrument], prices: Mapping[str, Decimal]) -> bool:
    """Whether the account holds nothing that could be traded: no position and no coins except dust (X1).

    `instruments` and `prices` are keyed "category:symbol". A holding that cannot be assessed counts as held.
    """
    positions = {symbol: size for symbol, (size, _) in view.positions.items()}
    return not holdings_left(positions, view.coins, instruments, prices)
