"""X4: what the market moves against a taker: the configured slippage, more for orders large against the market.

slippage x max(1, sqrt(own volume of the last 60 minutes / 0.1 % of V)), V being the mean volume of the instrument's
last 24 closed hours. Own volume is that of all accounts in this market, the order itself included.
"""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.market.path import HOUR_MS
from infra.simulator.venue.model import Order
from infra.simulator.venue.money import ZERO
from infra.simulator.venue.state import Venue

HOURS = 24
FREE_SHARE = Decimal("0.001")
"""The part of the hourly volume that is traded without further slippage."""


def slippage_of(venue: Venue, order: Order) -> Decimal:
    """The slippage of a market order that is about to be matched, as a fraction of the last price; kept in
    `venue.slippages`, which explains the fill."""
    slippage = venue.config.slippage
    volume = mean_volume(venue, order.category, order.symbol) if slippage else None
    if volume is not None:
        ratio = (own_volume(venue, order.category, order.symbol) + order.leaves) / (volume * FREE_SHARE)
        slippage *= ratio.sqrt() if ratio > 1 else Decimal(1)
    venue.slippages[order.link_id] = slippage
    return slippage


def mean_volume(venue: Venue, category: str, symbol: str) -> Decimal | None:
    """V in base coin; None without any volume in the last 24 closed hours."""
    hour_ms = venue.now_ms - venue.now_ms % HOUR_MS
    bars = (venue.market.hour(category, symbol, hour_ms - back * HOUR_MS) for back in range(1, HOURS + 1))
    volumes = [bar.volume for bar in bars if bar is not None]
    total = sum(volumes, ZERO)
    return total / len(volumes) if total > ZERO else None


def own_volume(venue: Venue, category: str, symbol: str) -> Decimal:
    """What all accounts traded in this market in the last 60 minutes, in base coin."""
    since_ms, total = venue.now_ms - HOUR_MS, ZERO
    for account in venue.accounts.values():
        for row in reversed(account.executions):
            if row.time_ms <= since_ms:
                break
            data = row.data
            if (data["category"], data["symbol"], data["execType"]) == (category, symbol, "Trade"):
                total += Decimal(data["execQty"])
    return total
