"""R4: the signed exposure of all accounts together, per coin and in total. Hedged pairs net out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from statemachines.messages.accounts import AccountView
from statemachines.portfolio.equity import USDT, MissingPriceError, Prices, price_key, spot_key
from statemachines.values import LINEAR, Account

ZERO = Decimal(0)


def exposure_usdt_by_coin(accounts: Mapping[Account, AccountView], prices: Prices) -> dict[str, Decimal]:
    """Per coin the signed notional in USDT of what all accounts hold of it, in coins and in perpetuals, at the last
    closed prices: two engines long BTC count together, a coin hedged by a short counts as nothing but the difference of
    both prices (R4). Raises MissingPriceError."""
    found: dict[str, Decimal] = {}
    for view in accounts.values():
        for coin, amount in view.coins.items():
            if coin != USDT and amount:
                found[coin] = found.get(coin, ZERO) + amount * _price(spot_key(coin), prices)
        for symbol, (quantity, _) in view.positions.items():
            if quantity:
                coin = symbol.removesuffix(USDT)
                found[coin] = found.get(coin, ZERO) + quantity * _price(price_key(LINEAR, symbol), prices)
    return found


class Totals(NamedTuple):
    """What accounts hold in coins and perpetuals, in USDT: gross (both legs of a pair count) and signed (R4)."""

    gross_usdt: Decimal
    signed_usdt: Decimal


def account_totals(view: AccountView, prices: Prices) -> Totals:
    """The totals of one account at the last closed prices; a debt in a coin is no holding, but it is exposure. Raises
    MissingPriceError."""
    gross = signed = ZERO
    for coin, amount in view.coins.items():
        if coin != USDT and amount:
            value = amount * _price(spot_key(coin), prices)
            signed += value
            if value > ZERO:
                gross += value
    for symbol, (quantity, _) in view.positions.items():
        if quantity:
            value = quantity * _price(price_key(LINEAR, symbol), prices)
            signed += value
            gross += abs(value)
    return Totals(gross, signed)


def totals_of(parts: Iterable[Totals]) -> Totals:
    """The totals of several accounts."""
    gross = signed = ZERO
    for part in parts:
        gross += part.gross_usdt
        signed += part.signed_usdt
    return Totals(gross, signed)


def total_exposure_usdt(accounts: Mapping[Account, AccountView], prices: Prices) -> Decimal:
    """The signed sum over all coins (R4). Raises MissingPriceError."""
    return sum(exposure_usdt_by_coin(accounts, prices).values(), ZERO)


def _price(key: str, prices: Prices) -> Decimal:
    price = prices.get(key)
    if price is None:
        raise MissingPriceError(key)
    return price
