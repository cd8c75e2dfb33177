"""What happened to one engine between two daily closes, in USDT (P4). Pure sums of what was reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Self

ZERO = Decimal(0)


@dataclass(slots=True)
class Tally:
    """Sums since the last close, USDT.

    `slippage_usdt` is what the fills cost against the price at which their order was decided (positive: paid), and
    `decided_usdt` the turnover of the fills whose decision's price is known; `fees_usdt` positive: paid; `funding_usdt`
    positive: received; `harvest_usdt` what the engine gave to others because it had grown beyond its weight (OR-4;
    negative: received).
    """

    turnover_usdt: Decimal = ZERO
    decided_usdt: Decimal = ZERO
    slippage_usdt: Decimal = ZERO
    fees_usdt: Decimal = ZERO
    funding_usdt: Decimal = ZERO
    harvest_usdt: Decimal = ZERO

    def add(self, other: Tally) -> None:
        """Add another one's sums."""
        for name, amount in asdict(other).items():
            setattr(self, name, getattr(self, name) + amount)

    def to_data(self) -> dict[str, Any]:
        """The durable state; sums of zero are left out."""
        return {name: str(amount) for name, amount in asdict(self).items() if amount}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """From the result of `to_data`."""
        return cls(**{name: Decimal(text) for name, text in data.items()})
