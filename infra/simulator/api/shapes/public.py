"""Public frames, built only for subscribed topics: tickers, order books, trades, closed bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from infra.simulator.api.shapes.frames import Frame
from infra.simulator.api.shapes.quotes import BAR_MS, STREAM_SPOT, Statistics, book_data, closed_bar, ticker
from infra.simulator.market.port import Bar
from infra.simulator.venue import book
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.instruments import INSTRUMENTS, Instrument
from infra.simulator.venue.money import text
from infra.simulator.venue.state import Venue

DEPTHS = ("1", "50", "200", "1000")
_KINDS = ("tickers", "orderbook", "publicTrade", "kline")

Topic = tuple[str, str]


class InvalidTopic(ValueError):
    """A topic this exchange does not stream; the subscription is refused with its text."""


def check_topic(category: str, topic: str) -> None:
    """Raises ``InvalidTopic`` unless the topic is one this exchange streams in the category."""
    parts = topic.split(".")
    known = len(parts) >= 2 and (category, parts[-1]) in INSTRUMENTS
    shape = (
        (parts[0] in ("tickers", "publicTrade") and len(parts) == 2)
        or (parts[0] == "orderbook" and len(parts) == 3 and parts[1] in DEPTHS)
        or (parts[0] == "kline" and len(parts) == 3 and parts[1] in BAR_MS)
    )
    if not known or not shape:
        raise InvalidTopic(f"error:handler not found,topic:{topic}")


class PublicStreams:
    """Who listens to what, and the last state sent, from which deltas are made."""

    def __init__(self, venue: Venue, statistics: Statistics) -> None:
        self._venue = venue
        self._statistics = statistics
        self._listeners: Counter[Topic] = Counter()
        self._ordered: list[tuple[Topic, list[str], Instrument]] = []
        self._sent: dict[Topic, dict[str, Any]] = {}
        self._books: dict[Topic, dict[str, Any]] = {}
        self._updates: dict[Topic, int] = {}

    def add(self, category: str, topics: Iterable[str]) -> list[Frame]:
        """One more listener for each topic; returns the snapshots it must be sent first."""
        snapshots: list[Frame] = []
        for topic in topics:
            check_topic(category, topic)
            key = (category, topic)
            self._listeners[key] += 1
            # A newcomer's snapshot may be newer than what the others last saw: the next frame is a snapshot for all.
            self._sent.pop(key, None)
            self._books.pop(key, None)
            snapshots += self._snapshot(key)
        self._reorder()
        return snapshots

    def remove(self, category: str, topics: Iterable[str]) -> None:
        """One listener less for each topic."""
        for topic in topics:
            key = (category, topic)
            self._listeners[key] -= 1
            if self._listeners[key] <= 0:
                del self._listeners[key]
        self._reorder()

    def _reorder(self) -> None:
        def rank(key: Topic) -> tuple[int, str, str]:
            return _KINDS.index(key[1].split(".", 1)[0]), key[1], key[0]

        self._ordered = []
        for key in sorted(self._listeners, key=rank):
            parts = key[1].split(".")
            self._ordered.append((key, parts, INSTRUMENTS[(key[0], parts[-1])]))

    def _snapshot(self, key: Topic) -> list[Frame]:
        parts = key[1].split(".")
        spec = INSTRUMENTS[(key[0], parts[-1])]
        if parts[0] not in ("tickers", "orderbook") or not self._has_price(spec):
            return []
        body = self._ticker(key, spec) if parts[0] == "tickers" else self._book(key, spec, int(parts[1]))
        self._sent.pop(key, None)
        self._books.pop(key, None)
        return [Frame(None, key[0], body)]

    def _has_price(self, spec: Instrument) -> bool:
        if not self._venue.prices.is_listed(spec.category, spec.symbol, self._venue.now_ms):
            return False
        try:
            self._venue.prices.last(spec.category, spec.symbol)
        except VenueError:
            return False
        return True

    def quotes(self, ended_ms: Iterable[int] = ()) -> list[Frame]:
        """The frames of one public micro-step; with the bars that ended at these instants (hour boundaries)."""
        frames: list[Frame] = []
        for key, parts, spec in self._ordered:
            if parts[0] == "kline":
                bars = [self._bar(key, parts[1], spec, end_ms) for end_ms in ended_ms]
                if not bars and self._venue.config.tick_ms is not None:
                    bars = [self._running_bar(key, parts[1], spec)]
                frames += [Frame(None, key[0], bar) for bar in bars if bar is not None]
                continue
            if not self._has_price(spec):
                continue
            if parts[0] == "tickers":
                body = self._ticker(key, spec)
            elif parts[0] == "orderbook":
                body = self._book(key, spec, int(parts[1]))
            else:
                body = self._trade(key, spec)
            frames.append(Frame(None, key[0], body))
        return frames

    def _ticker(self, key: Topic, spec: Instrument) -> dict[str, Any]:
        figures = ticker(self._venue, self._statistics, spec)
        if spec.is_spot:
            data: dict[str, Any] = {name: figures[name] for name in STREAM_SPOT}
            return self._envelope(key, "snapshot", data, cs=self._number())
        figures["tickDirection"] = "ZeroPlusTick"
        before = self._sent.get(key)
        self._sent[key] = figures
        if before is None:
            return self._envelope(key, "snapshot", figures, cs=self._number())
        changed = {name: value for name, value in figures.items() if before.get(name) != value}
        return self._envelope(key, "delta", {"symbol": spec.symbol} | changed, cs=self._number())

    def _book(self, key: Topic, spec: Instrument, depth: int) -> dict[str, Any]:
        now = book_data(self._venue, spec, depth)
        before = self._books.get(key)
        self._books[key] = now
        kind = "snapshot" if before is None or depth == 1 else "delta"
        data = dict(now)
        if kind == "delta" and before is not None:
            data["b"], data["a"] = _delta(before["b"], now["b"]), _delta(before["a"], now["a"])
        # Numbers follow each other without a gap: that is how clients see that nothing was lost. u = 1 would mean a
        # service restart, so the count starts at 2.
        self._updates[key] = self._updates.get(key, 1) + 1
        data |= {"u": self._updates[key], "seq": self._number()}
        return self._envelope(key, kind, data, cts=self._venue.now_ms)

    def _trade(self, key: Topic, spec: Instrument) -> dict[str, Any]:
        last = self._venue.prices.last(spec.category, spec.symbol)
        size = book.level_size(self._venue.config, spec, last)
        entry = {
            "T": self._venue.now_ms,
            "s": spec.symbol,
            "S": "Buy",
            "v": text(min(size, spec.qty_step * 100)),
            "p": text(last),
            "i": f"{self._number()}-{spec.category}",
            "BT": False,
            "RPI": False,
            "seq": self._number(),
        }
        if not spec.is_spot:
            entry["L"] = "ZeroPlusTick"
        return self._envelope(key, "snapshot", [entry])

    def _bar(self, key: Topic, interval: str, spec: Instrument, end_ms: int) -> dict[str, Any] | None:
        bar = closed_bar(self._venue, spec, interval, end_ms)
        return None if bar is None else self._envelope(key, "snapshot", [_bar_entry(bar, interval, end_ms)])

    def _running_bar(self, key: Topic, interval: str, spec: Instrument) -> dict[str, Any] | None:
        now_ms = self._venue.now_ms
        if not self._venue.prices.is_listed(spec.category, spec.symbol, now_ms):
            return None
        start_ms = now_ms - now_ms % BAR_MS[interval]
        found = self._venue.market.bars(spec.category, spec.symbol, interval, start_ms, start_ms, 1, "last", now_ms)
        if not found:
            return None
        entry = _bar_entry(found[0], interval, start_ms + BAR_MS[interval])
        return self._envelope(key, "snapshot", [entry | {"confirm": False, "timestamp": now_ms}])

    def _number(self) -> int:
        return self._venue.step * 10 + 10

    def _envelope(self, key: Topic, kind: str, data: Any, **extra: int) -> dict[str, Any]:
        return {"topic": key[1], "type": kind, "ts": self._venue.now_ms, "data": data, **extra}


def _bar_entry(bar: Bar, interval: str, end_ms: int) -> dict[str, Any]:
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


def _delta(before: list[list[str]], now: list[list[str]]) -> list[list[str]]:
    """Levels gone (size "0") and levels new or changed."""
    old = {price: size for price, size in before}
    new = {price: size for price, size in now}
    gone = [[price, "0"] for price in old if price not in new]
    return gone + [[price, size] for price, size in now if old.get(price) != size]
