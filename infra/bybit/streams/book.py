"""Our own order book from raw stream messages: sorted, and checked for gaps in the sequence (DA-1, DA-3).

pybit's own book is unsorted after inserts and relabels deltas, so it is not used.
"""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from typing import Any

from infra.bybit.parsing.fields import Row
from infra.bybit.parsing.rows import parse_level


class BookGapError(Exception):
    """A delta does not follow the last message: the book is unusable until the next snapshot."""


class OrderBook:
    """One symbol's book. `is_ready` is False before the first snapshot and after a gap."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.is_ready = False
        self.update_id = 0
        self.sequence = 0
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._bid_prices: list[Decimal] = []
        self._ask_prices: list[Decimal] = []

    def take(self, frame: Any) -> bool:
        """Apply one message; False when it is a repeat and was dropped.

        Raises:
            BookGapError: a message was lost (or came before any snapshot), or a delta crossed the book, which shows the
                same; subscribe anew.
            UnparsableError: the message cannot be read; the book is not ready any more.
        """
        was_ready, self.is_ready = self.is_ready, False
        row = Row(frame, f"book message {self.topic}")
        kind, data = row.text("type"), row.row("data")
        if kind not in ("snapshot", "delta"):
            raise row.error("type", kind, "snapshot or delta")
        update_id, sequence = data.integer("u"), data.integer("seq")
        if kind == "snapshot" or update_id == 1:
            self._clear()
        elif not was_ready:
            raise BookGapError(f"{self.topic}: delta {update_id} came without a snapshot before it.")
        elif update_id <= self.update_id:
            self.is_ready = True
            return False
        elif update_id != self.update_id + 1 or sequence < self.sequence:
            raise BookGapError(
                f"{self.topic}: update {update_id} (sequence {sequence}) follows update {self.update_id} "
                f"(sequence {self.sequence}); {self.update_id + 1} was expected."
            )
        for level in data.items("b"):
            _apply(self._bids, self._bid_prices, *parse_level(level, row.what))
        for level in data.items("a"):
            _apply(self._asks, self._ask_prices, *parse_level(level, row.what))
        self.update_id, self.sequence = update_id, sequence
        if kind != "snapshot" and self._is_crossed():
            raise BookGapError(f"{self.topic}: update {update_id} leaves the book crossed.")
        self.is_ready = True
        return True

    def _is_crossed(self) -> bool:
        return bool(self._bid_prices and self._ask_prices) and self._bid_prices[-1] >= self._ask_prices[0]

    def touch(self) -> tuple[Decimal, Decimal] | None:
        """Best bid and best ask; None when a side is empty, the book is crossed or not ready."""
        if not self.is_ready or not self._bid_prices or not self._ask_prices:
            return None
        return None if self._is_crossed() else (self._bid_prices[-1], self._ask_prices[0])

    def bids(self) -> list[tuple[Decimal, Decimal]]:
        """Levels (price, size), best first."""
        return [(price, self._bids[price]) for price in reversed(self._bid_prices)]

    def asks(self) -> list[tuple[Decimal, Decimal]]:
        """Levels (price, size), best first."""
        return [(price, self._asks[price]) for price in self._ask_prices]

    def _clear(self) -> None:
        self._bids.clear()
        self._asks.clear()
        self._bid_prices.clear()
        self._ask_prices.clear()


def _apply(sizes: dict[Decimal, Decimal], prices: list[Decimal], price: Decimal, size: Decimal) -> None:
    """Insert, replace or delete one level; deleting an absent level changes nothing (it is beyond the depth)."""
    if size == 0:
        if sizes.pop(price, None) is not None:
            del prices[bisect_left(prices, price)]
        return
    if price not in sizes:
        prices.insert(bisect_left(prices, price), price)
    sizes[price] = size
