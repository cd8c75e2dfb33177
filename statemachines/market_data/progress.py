"""The progress of market data: its open requests, and the closing instant that is not announced yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from statemachines.feeds.terms import FeedRead
from statemachines.requests import (
    ExchangeRequest,
)

Purpose = Literal["bars", "funding", "market", "repair", "settlement", "feed", "refresh", "solvency"]

BACKFILL: frozenset[Purpose] = frozenset({"bars", "funding", "market"})
"""What a start reads; nothing is announced without it."""
OF_INSTANT: frozenset[Purpose] = frozenset({"repair", "settlement", "feed"})
"""What the open closing instant waits for."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A request without a response yet; `attempt` counts from 1.

    `outages` counts the attempts that the exchange did not decide: they are repeated without a limit where an instant
    needs the data, and not counted in `attempt`.
    """

    purpose: Purpose
    request: ExchangeRequest
    attempt: int = 1
    outages: int = 0

    @property
    def tried(self) -> int:
        """All attempts, this one included."""
        return self.attempt + self.outages


@dataclass(slots=True)
class Instant:
    """The progress of the open closing instant; `waiting` holds the keys of its open requests."""

    close_ms: int
    is_repaired: bool = False
    is_settled: bool = False
    feed: FeedRead | None = None
    due: tuple[str, ...] = ()
    waiting: set[str] = field(default_factory=set)
