"""Frames of the topics ``kline``: every bar that ended, and by the wall clock the running one at every tick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from infra.simulator.api.shapes.topics import Topic
from infra.simulator.market.bars.intervals import MINUTES_MS, bar_end, bar_start, last_start
from infra.simulator.market.port import Bar
from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.money import text
from infra.simulator.venue.state import Venue

MOST_AT_ONCE = 1_000
"""Bars of minutes that are shown in one step, at most: the newest."""


def closed_bar(venue: Venue, spec: Instrument, interval: str, end_ms: int) -> Bar | None:
    """The bar of the interval that ends at ``end_ms``; None when none does, in a gap, and of a symbol that this market
    does not have (or not yet)."""
    start_ms = last_start(interval, end_ms)
    if start_ms is None or not venue.prices.is_listed(spec.category, spec.symbol, end_ms):
        return None
    if interval == "60":
        return venue.market.hour(spec.category, spec.symbol, start_ms)
    found = venue.market.bars(spec.category, spec.symbol, interval, start_ms, start_ms, 1, "last", end_ms)
    return found[0] if found else None


class BarFrames:
    """The bars of the topics that are listened to; of minutes it is kept how far each topic was shown."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._shown_to_ms: dict[tuple[str, str], int] = {}

    def begin(self, topic: Topic) -> None:
        """A topic is listened to from now on."""
        if topic.kind == "kline" and topic.detail in MINUTES_MS:
            self._shown_to_ms.setdefault(topic.key, self._venue.now_ms)

    def bodies(self, topic: Topic, spec: Instrument, ended_ms: Sequence[int]) -> list[dict[str, Any]]:
        """The frames of one step, in which the hours that end at ``ended_ms`` are shown."""
        interval = topic.detail
        ends = self._ended_minutes(topic) if interval in MINUTES_MS else iter(ended_ms)
        bodies: list[dict[str, Any]] = []
        for end_ms in ends:
            bar = closed_bar(self._venue, spec, interval, end_ms)
            if bar is not None:
                bodies.append(self._envelope(topic, _entry(bar, interval, end_ms)))
        if not bodies and self._venue.config.tick_ms is not None:
            running = self._running(spec, interval)
            bodies += [self._envelope(topic, running)] if running is not None else []
        return bodies

    def _ended_minutes(self, topic: Topic) -> Iterator[int]:
        step_ms, now_ms = MINUTES_MS[topic.detail], self._venue.now_ms
        shown_ms = self._shown_to_ms.get(topic.key, now_ms)
        self._shown_to_ms[topic.key] = now_ms
        first_ms = max(shown_ms // step_ms + 1, now_ms // step_ms - MOST_AT_ONCE + 1) * step_ms
        return iter(range(first_ms, now_ms + 1, step_ms))

    def _running(self, spec: Instrument, interval: str) -> dict[str, Any] | None:
        now_ms = self._venue.now_ms
        if not self._venue.prices.is_listed(spec.category, spec.symbol, now_ms):
            return None
        start_ms = bar_start(interval, now_ms)
        found = self._venue.market.bars(spec.category, spec.symbol, interval, start_ms, start_ms, 1, "last", now_ms)
        if not found:
            return None
        entry = _entry(found[0], interval, bar_end(interval, start_ms))
        return entry | {"confirm": False, "timestamp": now_ms}

    def _envelope(self, topic: Topic, entry: dict[str, Any]) -> dict[str, Any]:
        return {"topic": topic.name, "type": "snapshot", "ts": self._venue.now_ms, "data": [entry]}


def _entry(bar: Bar, interval: str, end_ms: int) -> dict[str, Any]:
    return {
        "start": bar.start_ms,
        "end": end_ms - 1,
        "interval": interval,
        "open": text(bar.open),
        "close": text(bar.close),
        "high": text(bar.high),
        "low": text(bar.low),
        "volume": text(bar.volume),
        "turnover": text(bar.turnover),
        "confirm": True,
        "timestamp": end_ms,
    }
