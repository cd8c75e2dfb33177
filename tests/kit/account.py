"""One account at an exchange that fills at given prices: cash in USDT, coins and perpetual positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from statemachines.values import LINEAR, SPOT, Side

ZERO = Decimal(0)

Prices = Mapping[tuple[str, str], Decimal]
"""By category and symbol."""


class Traded(NamedTuple):
    """What one execution did: its fee, the profit it realised, and what is held after it."""

    fee: Decimal
    fee_coin: str
    realized_pnl: Decimal
    quantity: Decimal
    average_price: Decimal


@dataclass(eq=False)
class PaperAccount:
    """A purchase on the spot market pays its fee in the coin, all else in USDT. Positions are (signed quantity,
    average price); one that is closed leaves."""

    cash: Decimal
    spot_fee: Decimal = Decimal("0.001")
    perp_fee: Decimal = Decimal("0.00055")
    coins: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    def short_or_long(self, symbol: str) -> Decimal:
        """The signed quantity of a perpetual position; 0 when there is none."""
        return self.positions.get(symbol, (ZERO, ZERO))[0]

    def book_trade(self, category: str, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> Traded:
        """Book one execution."""
        if category == SPOT:
            return self._book_spot(symbol.removesuffix("USDT"), side, quantity, price)
        fee, signed = quantity * price * self.perp_fee, side.sign * quantity
        held, average = self.positions.get(symbol, (ZERO, ZERO))
        after, pnl = held + signed, ZERO
        if held * signed >= 0:
            average = (held * average + signed * price) / after
        else:
            closed = min(abs(held), quantity) * (1 if held > 0 else -1)
            pnl = closed * (price - average)
            average = price if after * held < 0 else average
        self.cash += pnl - fee
        if after:
            self.positions[symbol] = (after, average)
        else:
            del self.positions[symbol]
        return Traded(fee, "USDT", pnl, after, average if after else ZERO)

    def _book_spot(self, coin: str, side: Side, quantity: Decimal, price: Decimal) -> Traded:
        is_buy = side is Side.BUY
        fee = quantity * self.spot_fee * (1 if is_buy else price)
        self.coins[coin] = self.coins.get(coin, ZERO) + side.sign * quantity - (fee if is_buy else ZERO)
        self.cash -= side.sign * quantity * price + (ZERO if is_buy else fee)
        return Traded(fee, coin if is_buy else "USDT", ZERO, self.coins[coin], ZERO)

    def valued_at(self, closes: Prices) -> Decimal:
        """Cash, coins at these prices and open results; a position without a price counts as it was opened."""
        total = self.cash
        for coin, quantity in self.coins.items():
            total += quantity * closes.get((SPOT, f"{coin}USDT"), ZERO)
        for symbol, (quantity, average) in self.positions.items():
            total += quantity * (closes.get((LINEAR, symbol), average) - average)
        return total
