"""Earn as plain data: what an account holds in flexible products, and the records of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from infra.simulator.venue.money import ZERO
from infra.simulator.venue.record import Row


@dataclass(slots=True)
class EarnPosition:
    """Coins in one product. ``claimable`` is the yield accrued up to ``accrued_ms`` and not paid yet."""

    amount: Decimal = ZERO
    claimable: Decimal = ZERO
    accrued_ms: int = 0
    total_pnl: Decimal = ZERO


@dataclass(slots=True)
class EarnBook:
    """The Earn side of one account: positions by product, redemptions on their way as (due, order id), records."""

    positions: dict[str, EarnPosition] = field(default_factory=dict)
    redeeming: list[tuple[int, str]] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    yields: list[Row] = field(default_factory=list)
    hourly: list[Row] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        """JSON-ready; ``load`` is its inverse."""
        return {
            "positions": {
                key: [str(one.amount), str(one.claimable), one.accrued_ms, str(one.total_pnl)]
                for key, one in self.positions.items()
            },
            "redeeming": [list(one) for one in self.redeeming],
            "orders": [list(one) for one in self.orders],
            "yields": [list(one) for one in self.yields],
            "hourly": [list(one) for one in self.hourly],
        }

    @classmethod
    def load(cls, data: dict[str, Any]) -> EarnBook:
        """The book that ``dump`` was made of."""
        return cls(
            positions={
                key: EarnPosition(Decimal(amount), Decimal(claimable), accrued_ms, Decimal(pnl))
                for key, (amount, claimable, accrued_ms, pnl) in data["positions"].items()
            },
            redeeming=[(due_ms, order_id) for due_ms, order_id in data["redeeming"]],
            orders=[Row(*one) for one in data["orders"]],
            yields=[Row(*one) for one in data["yields"]],
            hourly=[Row(*one) for one in data["hourly"]],
        )
