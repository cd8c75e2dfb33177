"""Dislocations that really happened: findings within them are reported as known and stop no run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from infra.simulator.market.series import Times


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """`coins` without their quote; instants in ms, `[from_ms, to_ms)`."""

    coins: tuple[str, ...]
    from_ms: int
    to_ms: int
    what: str


def _event(coins: str, first: str, end: str, what: str) -> KnownEvent:
    ends = [int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000 for text in (first, end)]
    return KnownEvent(tuple(coins.split()), ends[0], ends[1], what)


KNOWN_EVENTS = (
    _event("ETH", "2017-08-22", "2017-08-23", "thin book of a young venue: sold down to a quarter within the day"),
    _event("BTC", "2019-09-08", "2019-09-25", "first weeks of the perpetual"),
    _event("ETH", "2019-11-27", "2019-11-29", "first days of the perpetual"),
    _event("BTC ETH", "2020-03-12", "2020-03-14", "Black Thursday: cascades of liquidations"),
    _event("ETH", "2020-08-02", "2020-08-03", "flash crash"),
    _event("BTC ETH SOL", "2021-02-08", "2021-02-12", "outages of a venue: the basis spikes"),
    _event("BTC ETH SOL", "2021-05-19", "2021-05-20", "cascades of liquidations"),
    _event("BTC ETH SOL", "2021-07-26", "2021-07-27", "short squeeze in the perpetuals"),
    _event("SOL", "2022-11-08", "2022-11-14", "fall of FTX: the perpetual far below spot"),
    _event("BTC ETH SOL", "2023-03-24", "2023-03-25", "spot trading halted at a venue: the basis spikes"),
)


def event_at(coin: str, instant_ms: int) -> KnownEvent | None:
    """The known event of the coin at this instant."""
    return next((one for one in KNOWN_EVENTS if coin in one.coins and one.from_ms <= instant_ms < one.to_ms), None)


def is_known(coin: str, times: Times) -> NDArray[np.bool_]:
    """For every instant whether it lies in a known event of the coin."""
    within = np.zeros(len(times), dtype=np.bool_)
    for one in KNOWN_EVENTS:
        if coin in one.coins:
            within |= (times >= one.from_ms) & (times < one.to_ms)
    return within
