"""The one synthetic order book: what is displayed around the last price is what takers get and makers may not cross.

It is flat (levels of one size, a tick apart), or made of a market's liquidity, by which size costs more.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from infra.simulator.config import SimConfig
from infra.simulator.venue.depth.liquidity import Liquidity
from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.money import ZERO, ceil_to, floor_to

Level = tuple[Decimal, Decimal]


def best_bid(config: SimConfig, instrument: Instrument, last: Decimal) -> Decimal:
    """Best bid: the configured ticks below the last price, on the tick."""
    return max(floor_to(last - instrument.tick * config.spread_ticks, instrument.tick), instrument.tick)


def best_ask(config: SimConfig, instrument: Instrument, last: Decimal) -> Decimal:
    """Best ask: the configured ticks above the last price, on the tick."""
    return ceil_to(last + instrument.tick * config.spread_ticks, instrument.tick)


def touch(
    config: SimConfig, instrument: Instrument, last: Decimal, sign: int, liquidity: Liquidity | None = None
) -> Decimal:
    """The best price for a taker: ``sign`` +1 buys at the ask, -1 sells at the bid."""
    if liquidity is not None:
        return next(_rungs(config, instrument, last, sign, liquidity))[0]
    return best_ask(config, instrument, last) if sign > 0 else best_bid(config, instrument, last)


def level_size(config: SimConfig, instrument: Instrument, price: Decimal) -> Decimal:
    """Quantity of one level, in base coin."""
    return max(floor_to(config.level_notional_usdt / price, instrument.qty_step), instrument.qty_step)


def levels(
    config: SimConfig, instrument: Instrument, last: Decimal, sign: int, liquidity: Liquidity | None = None
) -> Iterator[Level]:
    """The levels that a taker meets (+1: asks, -1: bids), best first: those of the market's ``liquidity``, or without
    it a tick apart and all of one size."""
    if liquidity is not None:
        yield from islice(_rungs(config, instrument, last, sign, liquidity), config.book_levels)
        return
    best, size = touch(config, instrument, last, sign), level_size(config, instrument, last)
    for level in range(config.book_levels):
        price = best + sign * instrument.tick * level
        if price <= ZERO:
            return
        yield price, size


def _rungs(
    config: SimConfig, instrument: Instrument, last: Decimal, sign: int, liquidity: Liquidity
) -> Iterator[Level]:
    """Rungs at their prices, rounded outward to the tick and no nearer than the spread; those of one price are one."""
    nearest = best_ask(config, instrument, last) if sign > 0 else best_bid(config, instrument, last)
    level: Level | None = None
    for distance, size in liquidity.rungs(sign, instrument.qty_step):
        exact = last * (1 + sign * distance)
        price = max(ceil_to(exact, instrument.tick), nearest) if sign > 0 else min(_down(exact, instrument), nearest)
        if price <= ZERO:
            if level is not None:
                break
            price = instrument.tick  # below a price of less than two ticks there is one bid, at the least price
        if level is not None and level[0] != price:
            yield level
            level = None
        level = (price, size if level is None else level[1] + size)
    if level is not None:
        yield level


def _down(price: Decimal, instrument: Instrument) -> Decimal:
    return floor_to(max(price, ZERO), instrument.tick)


def displayed(
    config: SimConfig, instrument: Instrument, last: Decimal, depth: int, liquidity: Liquidity | None = None
) -> tuple[list[Level], list[Level]]:
    """(bids, asks), best first, at most ``depth`` levels of each side."""
    bids, asks = (levels(config, instrument, last, sign, liquidity) for sign in (-1, 1))
    return [level for level, _ in zip(bids, range(depth), strict=False)], [
        level for level, _ in zip(asks, range(depth), strict=False)
    ]


def take(
    config: SimConfig,
    instrument: Instrument,
    last: Decimal,
    sign: int,
    want: Decimal,
    limit: Decimal | None,
    *,
    quote: bool,
    slippage: Decimal = ZERO,
    liquidity: Liquidity | None = None,
) -> list[Level]:
    """The fills of a taker: ``sign`` +1 buys, -1 sells; nothing worse than ``limit``.

    ``want`` is base quantity, or USDT when ``quote`` (then whole quantity steps that this money buys). ``slippage`` is
    what the market moves against the taker between decision and book, as a fraction of the last price: no level is
    better for the taker than the last price moved by it and rounded outward to the tick. The levels of ``liquidity``
    cost that already.
    """
    slipped = last * (1 + sign * slippage)
    moved = ceil_to(slipped, instrument.tick) if sign > 0 else floor_to(slipped, instrument.tick)
    fills: list[Level] = []
    for shown, size in levels(config, instrument, last, sign, liquidity):
        price = max(shown, moved) if sign > 0 else min(shown, moved)
        if limit is not None and (price - limit) * sign > 0:
            break
        qty = min(size, floor_to(want / price, instrument.qty_step) if quote else want)
        if qty <= ZERO:
            break
        fills.append((price, qty))
        want -= price * qty if quote else qty
        if want <= ZERO:
            break
    return fills
