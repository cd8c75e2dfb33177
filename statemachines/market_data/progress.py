"""What market data is waiting for: its open requests, and the closing instant that is not announced yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from statemachines.requests import ExchangeRequest, FeedRead

Purpose = Literal["bars", "funding", "market", "repair", "settlement", "feed", "refresh"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for its answer; `attempt` counts from 1."""

    purpose: Purpose
    request: ExchangeRequest
    attempt: int = 1


@dataclass(slots=True)
class Instant:
    """How far the open closing instant has come; `waiting` are the keys of its open requests."""

    close_ms: int
    is_repaired: bool = False
    is_settled: bool = False
    feed: FeedRead | None = None
    due: tuple[str, ...] = ()
    waiting: set[str] = field(default_factory=set)
