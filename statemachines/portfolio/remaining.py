"""What an account holds beside dust (X1): the one meaning of "flat" (R1, R3). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from statemachines.portfolio.equity import USDT, price_key
from statemachines.values import LINEAR, SPOT, Instrument


def holdings_left(
    positions: Mapping[str, Decimal],
    coins: Mapping[str, Decimal],
    instruments: Mapping[str, Instrument],
    prices: Mapping[str, Decimal],
) -> list[str]:
    """Every position and every coin but USDT that is more than dust (X1), as clauses; empty when there is none.

    `positions` (signed, base coin) by symbol, `coins` by coin; `instruments` and `prices` are keyed "category:symbol".
    A holding that cannot be assessed counts as held.
    """
    left = []
    for symbol, size in sorted(positions.items()):
        contract = instruments.get(price_key(LINEAR, symbol))
        if size and (contract is None or abs(size) >= max(contract.min_qty, contract.qty_step)):
            left.append(f"position {size:f} {symbol}")
    for coin, amount in sorted(coins.items()):
        if coin == USDT or amount <= 0:
            continue
        key = price_key(SPOT, f"{coin}{USDT}")
        pair, price = instruments.get(key), prices.get(key)
        if pair is None or price is None or pair.tradable(pair.floor_qty(amount), price):
            left.append(f"{amount:f} {coin}")
    return left
