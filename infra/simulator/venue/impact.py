"""The one rule of what size costs (`depth.liquidity`), applied to this venue: its volumes, its orders."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.market.path import HOUR_MS, hour_of
from infra.simulator.venue.depth.liquidity import FREE_SHARE, Liquidity
from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.model import Order
from infra.simulator.venue.money import ZERO
from infra.simulator.venue.state import Venue

__all__ = ["FREE_SHARE", "displayed", "liquidity_of", "mean_volume", "own_volume", "slippage_of"]
HOURS = 24


def slippage_of(venue: Venue, order: Order) -> Decimal:
    """The slippage of a market order that is about to be matched, as a fraction of the last price; kept in
    `venue.slippages`, which explains the fill."""
    slippage = venue.config.slippage
    found = liquidity_of(venue, order.category, order.symbol)
    if found is not None:
        price = venue.prices.last(order.category, order.symbol)
        slippage = found.slippage_at(order.leaves / price if order.quote_qty else order.leaves)
    venue.slippages[order.link_id] = slippage
    return slippage


def liquidity_of(venue: Venue, category: str, symbol: str) -> Liquidity | None:
    """A market now; None without slippage, and without any volume in the last 24 closed hours."""
    if not venue.config.slippage:
        return None
    volume = mean_volume(venue, category, symbol)
    if volume is None:
        return None
    seed = f"{category}|{symbol}|{hour_of(venue.now_ms)}"
    return Liquidity(venue.config.slippage, volume, own_volume(venue, category, symbol), seed)


def displayed(venue: Venue, spec: Instrument) -> Liquidity | None:
    """What the visible book is made of; None where it is the flat one of the configuration."""
    return liquidity_of(venue, spec.category, spec.symbol) if venue.config.deep_book else None


def mean_volume(venue: Venue, category: str, symbol: str) -> Decimal | None:
    """V in base coin: the mean volume of the last 24 closed hours; None without any."""
    hour_ms = hour_of(venue.now_ms)
    known = venue.volumes.get((category, symbol))
    if known is not None and known[0] == hour_ms:
        return known[1]
    bars = (venue.market.hour(category, symbol, hour_ms - back * HOUR_MS) for back in range(1, HOURS + 1))
    volumes = [bar.volume for bar in bars if bar is not None]
    total = sum(volumes, ZERO)
    mean = total / len(volumes) if total > ZERO else None
    venue.volumes[category, symbol] = (hour_ms, mean)
    return mean


def own_volume(venue: Venue, category: str, symbol: str) -> Decimal:
    """What all accounts traded in this market in the last 60 minutes, in base coin."""
    return venue.own_volume.of(category, symbol, venue.now_ms)
