"""The request for the external values, and the response (DA-2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from statemachines.values import Frozen


class ReadFeed(Frozen):
    """Read the external values (Fear & Greed, DVOL) published by `market_ms`."""

    kind: Literal["read_feed"] = "read_feed"
    market_ms: int


class FeedRead(Frozen):
    """External values with their publication times; None where a source has nothing valid (DA-2), with the reason in
    `reason`."""

    kind: Literal["feed_read"] = "feed_read"
    fear_greed: int | None = None
    fear_greed_ms: int | None = None
    dvol: Decimal | None = None
    dvol_ms: int | None = None
    reason: str = ""
