"""The single definition of equity (DESIGN 7), used by risk, allocation, reports and dashboard.

Equity of an account in USDT = USDT balance
    + every coin at the last closed spot price of its USDT pair
    + unrealised P&L of every linear position at the last closed price of its perpetual.
A missing price is never taken as zero: it raises an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from statemachines.messages.accounts import AccountView, Portfolio
from statemachines.values import LINEAR, SPOT, Account, Category

USDT = "USDT"
ZERO = Decimal(0)

Prices = Mapping[str, Decimal]
"""Last closed prices by `price_key`."""

Positions = Mapping[str, tuple[Decimal, Decimal]]
"""Linear positions by symbol: signed quantity and average entry price."""


class MissingPriceError(Exception):
    """An asset is held whose last closed price is not known; its equity is unknown, not zero."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no closed price of {key} is known, so what is held of it cannot be valued")
        self.key = key


class Holdings(NamedTuple):
    """The holdings of one account: wallet balances per coin (including USDT) and linear positions."""

    balances: Mapping[str, Decimal]
    positions: Positions


def price_key(category: Category, symbol: str) -> str:
    """The key of a price, e.g. "spot:BTCUSDT"."""
    return f"{category}:{symbol}"


def spot_key(coin: str) -> str:
    """The key of the price that values a coin, e.g. "spot:BTCUSDT" for BTC."""
    return price_key(SPOT, f"{coin}{USDT}")


def coin_value_usdt(coin: str, amount: Decimal, prices: Prices) -> Decimal:
    """Value of an amount of a coin in USDT. Raises MissingPriceError unless the amount is zero."""
    if coin == USDT or amount == ZERO:
        return amount
    return amount * _price(spot_key(coin), prices)


def unrealised_pnl_usdt(positions: Positions, prices: Prices) -> Decimal:
    """Unrealised P&L of linear positions at the last closed prices. Raises MissingPriceError."""
    total = ZERO
    for symbol, (quantity, average_price) in positions.items():
        if quantity != ZERO:
            total += quantity * (_price(price_key(LINEAR, symbol), prices) - average_price)
    return total


def equity_usdt(holdings: Holdings, prices: Prices) -> Decimal:
    """Equity of one account in USDT. Raises MissingPriceError."""
    coins = sum((coin_value_usdt(c, amount, prices) for c, amount in holdings.balances.items()), ZERO)
    return coins + unrealised_pnl_usdt(holdings.positions, prices)


def account_view(account: Account, holdings: Holdings, prices: Prices) -> AccountView:
    """One account for a portfolio; `coins` leaves out USDT and zero balances. Raises MissingPriceError."""
    return AccountView(
        account=account,
        equity_usdt=equity_usdt(holdings, prices),
        cash_usdt=holdings.balances.get(USDT, ZERO),
        coins={c: amount for c, amount in sorted(holdings.balances.items()) if c != USDT and amount != ZERO},
        positions={s: p for s, p in sorted(holdings.positions.items()) if p[0] != ZERO},
    )


def portfolio_of(version_no: int, market_ms: int, views: Mapping[Account, AccountView], prices: Prices) -> Portfolio:
    """All accounts as one view; its equity is the exact sum of theirs."""
    return Portfolio(
        version_no=version_no,
        market_ms=market_ms,
        equity_usdt=sum((view.equity_usdt for view in views.values()), ZERO),
        accounts={account: views[account] for account in sorted(views)},
        prices=dict(sorted(prices.items())),
    )


def _price(key: str, prices: Prices) -> Decimal:
    price = prices.get(key)
    if price is None:
        raise MissingPriceError(key)
    return price
