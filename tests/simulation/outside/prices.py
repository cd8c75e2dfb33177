"""Big moves of the market: prices of one coin, or of all, jump and stay where the jump puts them."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.api import Exchange
from infra.simulator.faults.catalogue import PriceGap
from infra.simulator.venue.conditions.shocks import ALL
from tests.simulation.faults.points import Fault

SIZES = (Decimal("0.04"), Decimal("0.1"), Decimal("0.2"), Decimal("0.35"))
SYMBOLS = (ALL, "BTCUSDT", "ETHUSDT", "SOLUSDT")
KINDS = len(SIZES) * len(SYMBOLS)


class Prices:
    """Moves them with the next full hour, in which each hour of the market has four prices."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.moves = 0

    def act(self, fault: Fault, extent: int) -> None:
        """One event; `extent` is 1 to `KINDS`."""
        number, size = divmod((extent - 1) % KINDS, len(SIZES))
        change = SIZES[size] if fault is Fault.RISE else -SIZES[size]
        self.moves += 1
        gap = PriceGap(symbol=SYMBOLS[number], change=change).model_dump(mode="json")
        self._exchange.intervene({"what": "begin", "id": f"move-{self.moves}", "fault": gap})
