"""The one synthetic order book: what is displayed around the last price is what takers get and makers may not cross."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from infra.simulator.config import SimConfig
from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.money import ZERO, ceil_to, floor_to

Level = tuple[Decimal, Decimal]


def best_bid(config: SimConfig, instrument: Instrument, last: Decimal) -> Decimal:
    """Best bid: the configured ticks below the last price, on the tick."""
    return max(floor_to(last - instrument.tick * config.spread_ticks, instrument.tick), instrument.tick)


def best_ask(config: SimConfig, instrument: Instrument, last: Decimal) -> Decimal:
    """Best ask: the configured ticks above the last price, on the tick."""
    return ceil_to(last + instrument.tick * config.spread_ticks, instrument.tick)


def touch(config: SimConfig, instrument: Instrument, last: Decimal, sign: int) -> Decimal:
    """The best price for a taker: ``sign`` +1 buys at the ask, -1 sells at the bid."""
    return best_ask(config, instrument, last) if sign > 0 else best_bid(config, instrument, last)


def level_size(config: SimConfig, instrument: Instrument, price: Decimal) -> Decimal:
    """Quantity of one level, in base coin."""
    return max(floor_to(config.level_notional_usdt / price, instrument.qty_step), instrument.qty_step)


def levels(config: SimConfig, instrument: Instrument, last: Decimal, sign: int) -> Iterator[Level]:
    """The levels that a taker meets (+1: asks, -1: bids), best first, a tick apart, all of one size."""
    best, size = touch(config, instrument, last, sign), level_size(config, instrument, last)
    for level in range(config.book_levels):
        price = best + sign * instrument.tick * level
        if price <= ZERO:
            return
        yield price, size


def displayed(config: SimConfig, instrument: Instrument, last: Decimal, depth: int) -> tuple[list[Level], list[Level]]:
    """(bids, asks), best first, at most ``depth`` levels of each side."""
    bids, asks = (levels(config, instrument, last, sign) for sign in (-1, 1))
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
) -> list[Level]:
    """The fills of a taker: ``sign`` +1 buys, -1 sells; nothing worse than ``limit``.

    ``want`` is base quantity, or USDT when ``quote`` (then whole quantity steps that this money buys). ``slippage`` is
    what the market moves against the taker between decision and book, as a fraction of the last price: no level is
    better for the taker than the last price moved by it and rounded outward to the tick.
    """
    slipped = last * (1 + sign * slippage)
    moved = ceil_to(slipped, instrument.tick) if sign > 0 else floor_to(slipped, instrument.tick)
    fills: list[Level] = []
    for shown, size in levels(config, instrument, last, sign):
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
