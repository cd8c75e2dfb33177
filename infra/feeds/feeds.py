"""All external values at one instant, as the exchange adapter's `ReadFeed` answers them."""

from __future__ import annotations

import logging

from infra.feeds.dvol import DvolFeed
from infra.feeds.fear_greed import FearGreedFeed
from infra.feeds.source import Reading
from statemachines.feeds.terms import FeedRead

_log = logging.getLogger(__name__)


class Feeds:
    """Reads what is configured; a source that is None is "not configured" and its rules stay inactive (DA-2)."""

    def __init__(self, fear_greed: FearGreedFeed | None = None, dvol: DvolFeed | None = None) -> None:
        self._fear_greed = fear_greed
        self._dvol = dvol

    def read(self, market_ms: int) -> FeedRead:
        """Values known at `market_ms`; never raises for a source that fails, but gives the cause in `reason`."""
        fear = self._fear_greed.read(market_ms) if self._fear_greed else _absent("Fear & Greed")
        dvol = self._dvol.read(market_ms) if self._dvol else _absent("DVOL")
        reason = "; ".join(reading.reason for reading in (fear, dvol) if reading.reason)
        if reason:
            _log.info("external values at %d: %s", market_ms, reason)
        return FeedRead(
            fear_greed=fear.value,
            fear_greed_ms=fear.published_ms,
            dvol=dvol.value,
            dvol_ms=dvol.published_ms,
            reason=reason,
        )


def _absent(name: str) -> Reading:
    return Reading(None, None, f"{name} is not configured")
