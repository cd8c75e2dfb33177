"""What is left of an account that should be flat (R3): positions and coins above dust, and open orders. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from statemachines.messages.control import FlatnessRead
from statemachines.portfolio.equity import USDT
from statemachines.portfolio.remaining import holdings_left
from statemachines.values import IDENTITY_OF, SPOT, ActorName, Instrument


def paired_coins(engine: ActorName) -> frozenset[str]:
    """The coins that an engine holds against its derivatives (R3: they are closed with them)."""
    spot = (key.removeprefix(f"{SPOT}:") for key in IDENTITY_OF[engine].universe if key.startswith(f"{SPOT}:"))
    return frozenset(symbol.removesuffix(USDT) for symbol in spot)


def what_is_left(
    read: FlatnessRead,
    coins: Collection[str],
    instruments: Mapping[str, Instrument],
    prices: Mapping[str, Decimal],
) -> list[str]:
    """R3: what a reading of the exchange shows beside dust: positions, the `coins` of hedged pairs, open orders."""
    held = {coin: amount for coin, amount in read.coins.items() if coin in coins}
    left = holdings_left(read.positions, held, instruments, prices)
    if read.order_count:
        shown = ", ".join(read.orders[:3])
        more = f" and {read.order_count - 3} more" if read.order_count > 3 else ""
        left.append(f"{read.order_count} open orders ({shown}{more})")
    return left
