"""Public frames, built only for subscribed topics: tickers, order books, trades, bars, liquidations, limits, pools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from infra.simulator.api.shapes.bars import BarFrames
from infra.simulator.api.shapes.crowd import adl_frame, insurance_frame, liquidation_frame, price_limit_frame
from infra.simulator.api.shapes.frames import Frame
from infra.simulator.api.shapes.quotes import STREAM_SPOT, Statistics, book_data, ticker
from infra.simulator.api.shapes.topics import Topic, read_topic
from infra.simulator.api.shapes.trades import own_trade_entry, trade_at, trade_entry
from infra.simulator.market.path import HOUR_MS
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.model import Liquidation, Row
from infra.simulator.venue.state import Venue
from infra.simulator.venue.surroundings.crowd import Pressure, liquidations

TOP_REPEATED_MS = 3_000
"""A best price that has not changed is shown again after so long, with the same number."""

_Key = tuple[str, str]


class PublicStreams:
    """Who listens to what, and the last state sent, from which deltas are made."""

    def __init__(self, venue: Venue, statistics: Statistics) -> None:
        self._venue = venue
        self._statistics = statistics
        self._listeners: Counter[_Key] = Counter()
        self._topics: dict[_Key, Topic] = {}
        self._ordered: list[Topic] = []
        self._sent: dict[_Key, dict[str, Any]] = {}
        self._sent_ms: dict[_Key, int] = {}
        self._books: dict[_Key, dict[str, Any]] = {}
        self._updates: dict[_Key, int] = {}
        self._pressure: dict[str, Pressure] = {}
        self._bars = BarFrames(venue)

    def add(self, category: str, topics: Iterable[str]) -> list[Frame]:
        """One more listener for each topic; returns the snapshots it must be sent first."""
        read = [read_topic(category, name) for name in topics]
        snapshots: list[Frame] = []
        for topic in read:
            self._listeners[topic.key] += 1
            self._topics[topic.key] = topic
            # A newcomer's snapshot may be newer than what the others last saw: the next frame is a snapshot for all.
            self._forget(topic)
            self._bars.begin(topic)
            snapshots += self._snapshot(topic)
        self._reorder()
        return snapshots

    def remove(self, category: str, topics: Iterable[str]) -> None:
        """One listener less for each topic."""
        for name in topics:
            key = (category, name)
            self._listeners[key] -= 1
            if self._listeners[key] <= 0:
                del self._listeners[key]
                self._topics.pop(key, None)
        self._reorder()

    def _reorder(self) -> None:
        self._ordered = sorted((self._topics[key] for key in self._listeners), key=lambda topic: topic.rank)

    def _forget(self, topic: Topic) -> None:
        for known in (self._sent, self._sent_ms, self._books):
            known.pop(topic.key, None)

    def _snapshot(self, topic: Topic) -> list[Frame]:
        if topic.kind not in ("tickers", "orderbook", "insurance", "adlAlert", "priceLimit"):
            return []
        if topic.spec is not None and not self._has_price(topic.spec):
            return []
        bodies = self._bodies(topic, ())
        self._forget(topic)
        return [Frame(None, topic.category, body) for body in bodies]

    def _has_price(self, spec: Instrument) -> bool:
        if not self._venue.prices.is_listed(spec.category, spec.symbol, self._venue.now_ms):
            return False
        try:
            self._venue.prices.last(spec.category, spec.symbol)
        except VenueError:
            return False
        return True

    def quotes(self, ended_ms: Sequence[int] = ()) -> list[Frame]:
        """The frames of one public micro-step; with the bars that ended at these instants (hour boundaries)."""
        frames: list[Frame] = []
        for topic in self._ordered:
            if topic.kind != "kline" and topic.spec is not None and not self._has_price(topic.spec):
                continue
            frames += [Frame(None, topic.category, body) for body in self._bodies(topic, ended_ms)]
        return frames

    def liquidated(self, found: Sequence[Liquidation]) -> list[Frame]:
        """The frames of liquidations of this exchange's own accounts."""
        frames: list[Frame] = []
        for topic in self._ordered:
            if topic.kind == "allLiquidation":
                mine = [one for one in found if one.symbol == topic.subject]
                body = liquidation_frame(self._venue, topic, mine)
                frames += [Frame(None, topic.category, body)] if body is not None else []
        return frames

    def traded(self, rows: Sequence[Row]) -> list[Frame]:
        """The public side of fills of this exchange's own accounts: the trades, and the book that is left."""
        fills = [row for row in rows if row.data["execType"] == "Trade"]
        markets: dict[_Key, list[Row]] = {}
        for row in fills:
            markets.setdefault((row.data["category"], row.data["symbol"]), []).append(row)
        frames: list[Frame] = []
        for topic in self._ordered:
            mine = markets.get((topic.category, topic.subject))
            if mine is None or topic.spec is None:
                continue
            if topic.kind == "publicTrade":
                entries = [own_trade_entry(topic.spec, row) for row in mine]
                frames.append(Frame(None, topic.category, self._envelope(topic, "snapshot", entries)))
            elif topic.kind == "orderbook" and (body := self._book(topic, topic.spec)) is not None:
                frames.append(Frame(None, topic.category, body))
        return frames

    def _bodies(self, topic: Topic, ended_ms: Sequence[int]) -> list[dict[str, Any]]:
        venue, spec = self._venue, topic.spec
        if topic.kind == "insurance":
            return self._insurance(topic)
        if topic.kind == "adlAlert":
            return [adl_frame(venue, topic)]
        if spec is None:
            return []
        body: dict[str, Any] | None
        if topic.kind == "kline":
            return self._bars.bodies(topic, spec, ended_ms)
        if topic.kind == "tickers":
            body = self._ticker(topic, spec)
        elif topic.kind == "orderbook":
            body = self._book(topic, spec)
        elif topic.kind == "publicTrade":
            body = self._trade(topic, spec)
        elif topic.kind == "allLiquidation":
            body = liquidation_frame(venue, topic, self._crowd(spec, ended_ms))
        else:
            body = self._price_limit(topic, spec)
        return [] if body is None else [body]

    def _ticker(self, topic: Topic, spec: Instrument) -> dict[str, Any]:
        figures = ticker(self._venue, self._statistics, spec)
        if spec.is_spot:
            data: dict[str, Any] = {name: figures[name] for name in STREAM_SPOT}
            return self._envelope(topic, "snapshot", data, cs=self._number())
        figures["tickDirection"] = "ZeroPlusTick"
        before = self._sent.get(topic.key)
        self._sent[topic.key] = figures
        if before is None:
            return self._envelope(topic, "snapshot", figures, cs=self._number())
        changed = {name: value for name, value in figures.items() if before.get(name) != value}
        return self._envelope(topic, "delta", {"symbol": spec.symbol} | changed, cs=self._number())

    def _book(self, topic: Topic, spec: Instrument) -> dict[str, Any] | None:
        now, depth, now_ms = book_data(self._venue, spec, int(topic.detail)), topic.detail, self._venue.now_ms
        before = self._books.get(topic.key)
        self._books[topic.key] = now
        # In lockstep every step shows the present quote: who waits for it must not miss one that has not changed.
        same = before == now and self._venue.config.tick_ms is not None
        if depth == "1" and same and now_ms < self._sent_ms.get(topic.key, 0) + TOP_REPEATED_MS:
            return None
        self._sent_ms[topic.key] = now_ms
        kind = "snapshot" if before is None or depth == "1" else "delta"
        data = dict(now)
        if kind == "delta" and before is not None:
            data["b"], data["a"] = _delta(before["b"], now["b"]), _delta(before["a"], now["a"])
        # Numbers follow each other without a gap: that is how clients see that nothing was lost. u = 1 would mean a
        # service restart, so the count starts at 2.
        self._updates[topic.key] = self._updates.get(topic.key, 1) + (0 if same and depth == "1" else 1)
        data |= {"u": self._updates[topic.key], "seq": self._number()}
        return self._envelope(topic, kind, data, cts=now_ms)

    def _trade(self, topic: Topic, spec: Instrument) -> dict[str, Any] | None:
        trade = trade_at(self._venue, spec, self._venue.prices.hour_ms, self._venue.prices.index)
        if trade is None:
            return None
        return self._envelope(topic, "snapshot", [trade_entry(trade, self._venue.now_ms)])

    def _crowd(self, spec: Instrument, ended_ms: Sequence[int]) -> list[Liquidation]:
        """What the hours that ended and the running one made of the other participants, since it was shown last."""
        market, hour_ms, found = self._venue.market, self._venue.prices.hour_ms, list[Liquidation]()
        for end_ms in ended_ms:
            if (bar := market.hour("linear", spec.symbol, end_ms - HOUR_MS)) is not None:
                found += self._pressed(spec, bar.start_ms, (bar.open, bar.low, bar.high))
        opened = market.path_point("linear", spec.symbol, hour_ms, 0)
        if opened is not None:
            last = self._venue.prices.last("linear", spec.symbol)
            found += self._pressed(spec, hour_ms, (opened, last, last))
        return found

    def _pressed(self, spec: Instrument, hour_ms: int, prices: tuple[Any, Any, Any]) -> list[Liquidation]:
        done = self._pressure.get(spec.symbol)
        if done is None or done.hour_ms != hour_ms:
            done = Pressure(hour_ms)
        found, self._pressure[spec.symbol] = liquidations(self._venue, spec.symbol, *prices, done)
        return found

    def _insurance(self, topic: Topic) -> list[dict[str, Any]]:
        """The pool when it has changed."""
        before = self._sent.get(topic.key)
        body = insurance_frame(self._venue, topic, "snapshot" if before is None else "delta")
        pools = {"data": [one["balance"] for one in body["data"]]}
        self._sent[topic.key] = pools
        return [body] if pools != before else []

    def _price_limit(self, topic: Topic, spec: Instrument) -> dict[str, Any] | None:
        body = price_limit_frame(self._venue, topic, spec)
        before = self._sent.get(topic.key)
        self._sent[topic.key] = body["data"]
        return body if body["data"] != before else None

    def _number(self) -> int:
        return self._venue.step * 10 + 10

    def _envelope(self, topic: Topic, kind: str, data: Any, **extra: int) -> dict[str, Any]:
        return {"topic": topic.name, "type": kind, "ts": self._venue.now_ms, "data": data, **extra}


def _delta(before: list[list[str]], now: list[list[str]]) -> list[list[str]]:
    """Levels gone (size "0") and levels new or changed."""
    old = {price: size for price, size in before}
    new = {price: size for price, size in now}
    gone = [[price, "0"] for price in old if price not in new]
    return gone + [[price, size] for price, size in now if old.get(price) != size]
