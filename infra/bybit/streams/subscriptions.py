"""The exchange's streams behind `StreamsPort`: public for market data, private for the order manager.

A frame counts as received only after the sink took everything in it (lockstep counts on that).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from actors.runtime.ports import StreamSink
from infra.bybit.credentials import Credentials
from infra.bybit.parsing.rows import LATE_MS
from infra.bybit.streams.book import BookGapError
from infra.bybit.streams.connection import Connection, StreamState
from infra.bybit.streams.frames import Parsed, PublicFrames, moment_ms, parse_private_frame
from infra.proxy import ProxyAddress
from statemachines.limits.plausibility import MARKET_DATA_AGE_S
from statemachines.messages.market import QuoteFrame
from statemachines.requests import Quote
from statemachines.values import SECOND_MS, Account, Category

_log = logging.getLogger(__name__)

PRIVATE_TOPICS = ("order", "execution")
"""What the books are made of; wallet and position are read by reconciliation."""

PublicTopic = Literal["kline", "tickers", "orderbook", "publicTrade"]


class _Streams:
    """What both kinds share: a set of connections. `now_ms` (live only; the simulated exchange's time would have to be
    asked for) is the exchange's time and bounds the instants in frames; without it the frame's own time does."""

    def __init__(self, now_ms: Callable[[], int] | None, proxy: ProxyAddress | None) -> None:
        self._connections: list[Connection] = []
        self._now_ms = now_ms
        self._proxy = proxy

    def _latest_ms(self, frame: Mapping[str, Any], own: str) -> int | None:
        """The last instant that a frame may name."""
        now = frame.get(own) if self._now_ms is None else self._now_ms()
        return now + LATE_MS if isinstance(now, int) and not isinstance(now, bool) else None

    def _earliest_ms(self) -> int | None:
        """The first instant of which market data is not stale; None in lockstep: the frame's time is the market's."""
        return None if self._now_ms is None else self._now_ms() - MARKET_DATA_AGE_S * SECOND_MS

    def received(self) -> Mapping[str, int]:
        """Per connection id the number of topic frames handed to the sink so far (lockstep)."""
        counts = (connection.received() for connection in self._connections)
        return dict(count for count in counts if count is not None)

    def states(self) -> Mapping[str, StreamState]:
        """Each connection's state by its name; empty before `start`."""
        return {connection.name: connection.state for connection in self._connections}

    def faults(self) -> Sequence[str]:
        """Sentences about connections that are down or silent; empty when all is well."""
        return [connection.fault for connection in self._connections if connection.fault]

    def silence_s(self) -> Mapping[str, float]:
        """Per connection the seconds since it was last known to live, 0 while it does."""
        return {connection.name: connection.silence_s for connection in self._connections}

    def data_age_s(self) -> Mapping[str, float]:
        """Per connection that brings data all the time (public ones) the seconds since the last of them."""
        return {}

    def stop(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.stop()


class PrivateStreams(_Streams):
    """Order and execution streams, one connection per account. Implements `StreamsPort`."""

    def __init__(
        self,
        base: str,
        credentials: Credentials,
        accounts: Sequence[Account],
        now_ms: Callable[[], int] | None = None,
        proxy: ProxyAddress | None = None,
    ) -> None:
        super().__init__(now_ms, proxy)
        self._base = base
        self._credentials = credentials
        self._accounts = tuple(accounts)

    def start(self, sink: StreamSink, on_reconnected: Callable[[str], None]) -> None:
        """Connect, authenticate, subscribe; `on_reconnected(account)` after every later reconnect."""
        for account in self._accounts:
            self._connections.append(self._connection(account, sink, on_reconnected))
        for connection in self._connections:
            connection.start()

    def _connection(self, account: Account, sink: StreamSink, on_reconnected: Callable[[str], None]) -> Connection:
        def take(frame: dict[str, Any]) -> None:
            _hand_over(parse_private_frame(account, frame, self._latest_ms(frame, "creationTime")), sink)

        return Connection(
            name=f"private {account}",
            base=self._base,
            channel="private",
            topics=PRIVATE_TOPICS,
            on_topic=take,
            on_up=lambda times: on_reconnected(account.value) if times > 1 else None,
            key=self._credentials.key(account),
            proxy=self._proxy,
        )


class PublicStreams(_Streams):
    """Bars, quotes and trades, one connection per category. Implements `StreamsPort`.

    `book_depth` is the level of the order book topic (1, 50, 200). `quote_gap_s` above 0 hands over at most one quote
    per symbol in that time, the newest (live); 0 hands over each (lockstep). `stale_s` see `Connection`.
    """

    def __init__(
        self,
        base: str,
        symbols: Sequence[tuple[Category, str]],
        intervals: Sequence[str] = ("60", "D"),
        kinds: Sequence[PublicTopic] = ("kline", "tickers", "orderbook", "publicTrade"),
        book_depth: int = 50,
        quote_gap_s: float = 0.0,
        stale_s: float | None = None,
        now_ms: Callable[[], int] | None = None,
        proxy: ProxyAddress | None = None,
    ) -> None:
        super().__init__(now_ms, proxy)
        self._base = base
        self._symbols = tuple(symbols)
        self._intervals = tuple(intervals)
        self._kinds = tuple(kinds)
        self._book_depth = book_depth
        self._stale_s = stale_s
        self._quotes = _QuoteValve(quote_gap_s) if quote_gap_s > 0 else None

    def topics(self, category: Category) -> list[str]:
        """The topics of one category."""
        found: list[str] = []
        for symbol in [symbol for kind, symbol in self._symbols if kind == category]:
            for kind in self._kinds:
                match kind:
                    case "kline":
                        found += [f"kline.{interval}.{symbol}" for interval in self._intervals]
                    case "orderbook":
                        found.append(f"orderbook.{self._book_depth}.{symbol}")
                    case _:
                        found.append(f"{kind}.{symbol}")
        return found

    def start(self, sink: StreamSink, on_reconnected: Callable[[str], None]) -> None:
        """Connect and subscribe; `on_reconnected(category)` after every later reconnect."""
        for category in dict.fromkeys(kind for kind, _symbol in self._symbols):
            self._connections.append(self._connection(category, sink, on_reconnected))
        if self._quotes is not None:
            self._quotes.start(sink)
        for connection in self._connections:
            connection.start()

    def data_age_s(self) -> Mapping[str, float]:
        return {connection.name: connection.data_age_s for connection in self._connections}

    def stop(self) -> None:
        super().stop()
        if self._quotes is not None:
            self._quotes.stop()

    def _connection(self, category: Category, sink: StreamSink, on_reconnected: Callable[[str], None]) -> Connection:
        frames = PublicFrames()
        broken_books: set[str] = set()

        def take(frame: dict[str, Any]) -> None:
            topic = str(frame["topic"])
            try:
                parsed = frames.take(category, frame, self._latest_ms(frame, "ts"), self._earliest_ms())
            except BookGapError as gap:
                # Deltas still on their way raise it again; one fresh snapshot is enough for all of them.
                deliver(frames.withdrawn(category, topic))
                if topic not in broken_books:
                    broken_books.add(topic)
                    _log.warning("%s A fresh snapshot is asked for.", gap)
                    connection.resubscribe(topic)
                return
            broken_books.discard(topic)
            deliver(parsed)

        def deliver(parsed: Parsed) -> None:
            _hand_over(self._quotes.hold(parsed) if self._quotes is not None else parsed, sink)

        def forget() -> None:
            frames.reset(category)
            broken_books.clear()

        def came_up(times: int) -> None:
            if times > 1:
                on_reconnected(category)

        connection = Connection(
            name=f"public {category}",
            base=self._base,
            channel=category,
            topics=self.topics(category),
            on_topic=take,
            on_up=came_up,
            on_building=forget,
            stale_s=self._stale_s,
            proxy=self._proxy,
        )
        return connection


class _QuoteValve:
    """Lets at most one quote per symbol and gap through: the newest, also when nothing follows it."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._waiting: dict[tuple[Category, str], Quote] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self, parsed: Parsed) -> Parsed:
        """Keep the quotes back; everything else passes, withdrawals too, with what they withdraw."""
        passing: Parsed = []
        for body, natural_id in parsed:
            if isinstance(body, QuoteFrame):
                with self._lock:
                    for market in body.withdrawn:
                        self._waiting.pop(market, None)
                    self._waiting |= {(quote.category, quote.symbol): quote for quote in body.quotes}
                if body.withdrawn:
                    passing.append((QuoteFrame(quotes=(), withdrawn=body.withdrawn), natural_id))
            else:
                passing.append((body, natural_id))
        return passing

    def start(self, sink: StreamSink) -> None:
        self._thread = threading.Thread(target=self._run, args=(sink,), name="quotes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self, sink: StreamSink) -> None:
        while not self._stop.wait(self._gap_s):
            with self._lock:
                quotes, self._waiting = tuple(self._waiting.values()), {}
            if quotes:
                _hand_over([(QuoteFrame(quotes=quotes), "")], sink)


def _hand_over(parsed: Parsed, sink: StreamSink) -> None:
    for body, natural_id in parsed:
        sink(body, natural_id, moment_ms(body))
