"""X4, the one rule of what size costs: how far a market moves against a quantity, and the order book by it.

Slippage of a quantity q is s x max(1, sqrt((own + q) / (0.1 % of V))): s the configured slippage, V the mean volume
of an hour, own what was traded in the last 60 minutes before. The rungs of the book are such that walking them to a
quantity costs what the rule says for it: each is priced at the further cost of its own quantity.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from infra.simulator.venue.money import ZERO, floor_to

FREE_SHARE = Decimal("0.001")
"""The part of the hourly volume that is traded without further slippage."""

FIRST_RUNG = Decimal("0.1")
"""Mean quantity of the first rung, as a part of what is free."""

GROWTH = Decimal("1.03")
"""How much more the next rung holds: books are thin at the best price and deep behind it."""

SPREAD = 1_000


@dataclass(frozen=True, slots=True)
class Liquidity:
    """A market now: ``slippage`` as a fraction, ``volume`` (V) and ``own`` in base coin. ``seed`` shapes its book."""

    slippage: Decimal
    volume: Decimal
    own: Decimal
    seed: str = ""

    @property
    def free(self) -> Decimal:
        """What is traded without further slippage."""
        return self.volume * FREE_SHARE

    def slippage_at(self, quantity: Decimal) -> Decimal:
        """The fraction of the price by which the market moves against this quantity."""
        ratio = (self.own + quantity) / self.free
        return self.slippage * (ratio.sqrt() if ratio > 1 else Decimal(1))

    def rungs(self, sign: int, qty_step: Decimal) -> Iterator[tuple[Decimal, Decimal]]:
        """(distance from the last price as a fraction, quantity), nearest first, until an hour's volume is offered.

        Quantities differ at random, by ``seed``; distances follow from them by the rule.
        """
        offered = paid = ZERO
        mean = self.free * FIRST_RUNG
        number = 0
        while offered < self.volume:
            drawn = Decimal(zlib.crc32(f"{self.seed}|{sign}|{number}".encode()) % SPREAD) / SPREAD
            quantity = max(floor_to(mean * (drawn + Decimal("0.5")), qty_step), qty_step)
            paid_then = (offered + quantity) * self.slippage_at(offered + quantity)
            yield (paid_then - paid) / quantity, quantity
            offered, paid = offered + quantity, paid_then
            mean *= GROWTH
            number += 1
