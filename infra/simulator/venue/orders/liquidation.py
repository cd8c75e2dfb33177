"""Liquidation of an account whose margin balance no longer covers its maintenance margin (cross margin).

All its orders are cancelled and all its perpetuals closed at the mark prices where margin balance met maintenance
margin: on the way from the previous path point (every symbol moves in the same proportion), or at the present
point when the price jumped there. Losses beyond the account's equity are the insurance fund's.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.margin import margin
from infra.simulator.venue.model import Account, Liquidation, Position
from infra.simulator.venue.money import USDT_UNIT, ZERO
from infra.simulator.venue.orders.incidents import take_over
from infra.simulator.venue.orders.working import cancel
from infra.simulator.venue.state import Venue


def liquidate(venue: Venue, account: Account) -> None:
    """Close everything; the wallet cannot end below what its coins cover."""
    for order in list(account.open.values()):
        cancel(venue, account, order, "CancelAllBeforeLiq")
    share = _share_of_way(venue, account)
    held = [position for position in account.positions.values() if position.size]
    # Winners first, so that their profit counts before the last loss is compared with what is left.
    held.sort(key=lambda one: _pnl_at(one, _price(venue, one, share)), reverse=True)
    for index, position in enumerate(held):
        price = _price(venue, position, share)
        is_last = index == len(held) - 1
        fee = abs(position.size) * price * venue.config.fees.linear_taker
        left = _assets(venue, account) + _pnl_at(position, price) - fee
        covered = is_last and left < ZERO
        if covered:
            bankrupt = _bankruptcy_price(venue, account, position)
            # The market's price is worse than the one that uses up the account: the pool pays the difference.
            venue.registry.pay_insurance(abs(position.size) * abs(price - bankrupt), venue.now_ms)
            price = bankrupt
        side, size = position.side, abs(position.size)
        venue.liquidations.append(Liquidation(position.symbol, side, size, price, venue.now_ms))
        take_over(venue, account, position.symbol, size, price, "BustTrade", fee_free=covered)


def _share_of_way(venue: Venue, account: Account) -> Decimal:
    """How far between the previous point (0) and this one (1) margin balance met maintenance margin."""
    if venue.prices.index == 0:
        return Decimal(1)
    figures = margin(venue, account)
    spare_now = figures.balance - figures.mm
    moved = ZERO
    for position in account.positions.values():
        if position.size:
            step = venue.prices.mark(position.symbol) - venue.prices.previous_mark(position.symbol)
            rate = instrument("linear", position.symbol).mm_rate
            moved += position.size * step - abs(position.size) * step * rate
    spare_before = spare_now - moved
    if spare_before <= ZERO or spare_before == spare_now:
        return Decimal(1)
    return min(spare_before / (spare_before - spare_now), Decimal(1))


def _price(venue: Venue, position: Position, share: Decimal) -> Decimal:
    before, now = venue.prices.previous_mark(position.symbol), venue.prices.mark(position.symbol)
    return (before + (now - before) * share).quantize(USDT_UNIT)


def _pnl_at(position: Position, price: Decimal) -> Decimal:
    value = position.size * price
    return value - position.cost if position.size > 0 else value + position.cost


def _assets(venue: Venue, account: Account) -> Decimal:
    """What covers losses: USDT, and the coins at their collateral value."""
    total = ZERO
    for coin, amount in account.wallet.items():
        usd = venue.prices.usd(coin)
        if usd is not None:
            ratio = Decimal(1) if coin == "USDT" else venue.config.collateral_ratio.get(coin, ZERO)
            total += amount * usd * ratio
    return total


def _bankruptcy_price(venue: Venue, account: Account, position: Position) -> Decimal:
    """The price at which the position's loss takes exactly what is left, rounded in the account's favour."""
    assets = _assets(venue, account)
    size = abs(position.size)
    if position.size > 0:
        return max((position.cost - assets) / size, ZERO).quantize(USDT_UNIT, rounding=ROUND_CEILING)
    return ((position.cost + assets) / size).quantize(USDT_UNIT, rounding=ROUND_FLOOR)
