"""What is held as coins and cash, by account: from the newest portfolio, valued at its prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

QUOTE = "USDT"


class Holding(NamedTuple):
    """One coin, or the cash, of an account; `price` and `value_usdt` are None where no price is known."""

    account: str
    coin: str
    amount: Decimal
    price: Decimal | None
    value_usdt: Decimal | None


def holdings_of(portfolio: Mapping[str, Any]) -> list[Holding]:
    """The coins and the cash of every account of the portfolio (a row of the API); nothing before the first one. Coins
    first, the most valuable first; none that is empty."""
    prices = {key: Decimal(price) for key, price in portfolio["prices"].items()}
    found: list[Holding] = []
    for view in portfolio["accounts"]:
        coins = []
        for coin, amount in view["coins"].items():
            quantity, price = Decimal(amount), prices.get(f"spot:{coin}{QUOTE}")
            if quantity and coin != QUOTE:
                value = None if price is None else quantity * price
                coins.append(Holding(view["account"], coin, quantity, price, value))
        coins.sort(key=lambda one: one.value_usdt or Decimal(0), reverse=True)
        cash = Decimal(view["cash_usdt"])
        found += [*coins, Holding(view["account"], QUOTE, cash, None, cash)]
    return found
