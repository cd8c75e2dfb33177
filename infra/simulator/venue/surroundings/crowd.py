"""The other participants, who exist only as what the market's path makes of them: open interest and liquidations.

Synthetic, and the same whenever the market is the same: nothing here is drawn at random.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from infra.simulator.market.path import HOUR_MS, hour_of
from infra.simulator.venue.impact import mean_volume
from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.model import Liquidation
from infra.simulator.venue.money import ZERO, floor_to
from infra.simulator.venue.state import Venue

HOURS = 24
HELD_SHARE = Decimal("0.8")
"""Open interest as a share of what was traded in the last 24 closed hours."""

LIQUIDATION_STEP = Decimal("0.005")
"""Each time the price has moved by another such step from the hour's open, positions on the losing side go."""

LIQUIDATED_SHARE = Decimal("0.002")
"""How much goes at the first step, as a share of the mean volume of an hour; at the n-th step n times as much."""


def open_interest(venue: Venue, symbol: str, at_ms: int) -> Decimal:
    """What the others hold of a perpetual at an instant, in base coin: longs and shorts together."""
    hour_ms = hour_of(at_ms)
    bars = (venue.market.hour("linear", symbol, hour_ms - back * HOUR_MS) for back in range(1, HOURS + 1))
    return held_of(sum((bar.volume for bar in bars if bar is not None), ZERO), symbol)


def held_of(traded: Decimal, symbol: str) -> Decimal:
    """Open interest when this much was traded in 24 hours, in whole lots."""
    step = instrument("linear", symbol).qty_step
    return (traded * HELD_SHARE / step).to_integral_value(rounding=ROUND_DOWN) * step


def own_interest(venue: Venue, symbol: str) -> Decimal:
    """What the accounts of this exchange hold of it now, in base coin."""
    found = (account.positions.get(symbol) for account in venue.accounts.values())
    return sum((abs(position.size) for position in found if position is not None), ZERO)


class Pressure(NamedTuple):
    """How many steps beyond its open the price of an hour has gone so far, downward and upward."""

    hour_ms: int
    down: int = 0
    up: int = 0


def liquidations(
    venue: Venue, symbol: str, opened: Decimal, low: Decimal, high: Decimal, done: Pressure
) -> tuple[list[Liquidation], Pressure]:
    """The others' positions that go because an hour that opened there has now reached ``low`` and ``high``, beyond
    those that went before, and how far it has gone."""
    volume = mean_volume(venue, "linear", symbol)
    if volume is None:
        return [], done
    spec = instrument("linear", symbol)
    reached = Pressure(done.hour_ms, max(done.down, _steps(opened, low, -1)), max(done.up, _steps(opened, high, 1)))
    found: list[Liquidation] = []
    for sign, side, before, now in ((-1, "Buy", done.down, reached.down), (1, "Sell", done.up, reached.up)):
        for number in range(before + 1, now + 1):
            size = max(floor_to(volume * LIQUIDATED_SHARE * number, spec.qty_step), spec.min_qty)
            price = floor_to(opened * (1 + sign * LIQUIDATION_STEP * number), spec.tick)
            found.append(Liquidation(symbol, side, size, price, venue.now_ms))
    return found, reached


def _steps(opened: Decimal, price: Decimal, sign: int) -> int:
    """How many whole steps the price lies beyond the hour's open, downward (-1) or upward (+1)."""
    moved = (price / opened - 1) * sign
    return int(moved / LIQUIDATION_STEP) if moved > 0 else 0
