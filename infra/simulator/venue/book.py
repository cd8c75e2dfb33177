"""The synthetic order book: what is displayed around the last price, and what a taker gets."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.config import SimConfig
from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.money import ZERO, ceil_to, floor_to

Level = tuple[Decimal, Decimal]


def best_bid(instrument: Instrument, last: Decimal) -> Decimal:
    """Displayed bid: one tick below the last price, on the tick."""
    return max(floor_to(last - instrument.tick, instrument.tick), instrument.tick)


def best_ask(instrument: Instrument, last: Decimal) -> Decimal:
    """Displayed ask: one tick above the last price, on the tick."""
    return ceil_to(last + instrument.tick, instrument.tick)


def level_size(config: SimConfig, instrument: Instrument, price: Decimal) -> Decimal:
    """Quantity of one level, in base coin."""
    return max(floor_to(config.level_notional_usdt / price, instrument.qty_step), instrument.qty_step)


def displayed(config: SimConfig, instrument: Instrument, last: Decimal, depth: int) -> tuple[list[Level], list[Level]]:
    """(bids, asks), best first, at most ``depth`` levels of each side."""
    count = min(depth, config.book_levels)
    size = level_size(config, instrument, last)
    bid, ask, tick = best_bid(instrument, last), best_ask(instrument, last), instrument.tick
    bids = [(bid - tick * level, size) for level in range(count) if bid > tick * level]
    return bids, [(ask + tick * level, size) for level in range(count)]


def _levels(config: SimConfig, instrument: Instrument, last: Decimal, sign: int) -> list[Level]:
    first = last + sign * instrument.tick * config.fill_spread_ticks
    prices = (first + sign * instrument.tick * level for level in range(config.book_levels))
    return [(price, level_size(config, instrument, price)) for price in prices if price > 0]


def take(
    config: SimConfig,
    instrument: Instrument,
    last: Decimal,
    sign: int,
    want: Decimal,
    limit: Decimal | None,
    *,
    quote: bool,
) -> list[Level]:
    """The fills of a taker: ``sign`` +1 buys, -1 sells; nothing worse than ``limit``.

    ``want`` is base quantity, or USDT when ``quote`` (then whole quantity steps that this money buys).
    """
    if config.slippage:
        slipped = last * (1 + sign * config.slippage)
        last = ceil_to(slipped, instrument.tick) if sign > 0 else floor_to(slipped, instrument.tick)
    unlimited = config.fill_spread_ticks == 0
    levels = [(last, Decimal("Infinity"))] if unlimited else _levels(config, instrument, last, sign)
    fills: list[Level] = []
    for price, size in levels:
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
