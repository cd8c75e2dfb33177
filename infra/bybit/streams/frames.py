"""Stream frames into message bodies with their natural ids; used by the streams and by the in-process runtime alike.

Natural ids make a repeat recognisable (DESIGN 1): execution id; order id with status, executed quantity and update
time (and what an amendment changes); symbol, interval and start of a bar. Quotes are ephemeral: "".
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

from infra.bybit.parsing.fields import Row, UnparsableError, plain
from infra.bybit.parsing.judging import distinct, judged, set_aside
from infra.bybit.parsing.rows import interval_ms, parse_execution, parse_kline, parse_order, parse_quote, traded
from infra.bybit.streams.book import BookGapError, OrderBook
from infra.bybit.streams.topics import Topic, topic_of
from statemachines.limits.plausibility import MAX_STREAMED_AGE_MS
from statemachines.messages.envelope import Body
from statemachines.messages.market import BarFrame, QuoteFrame, RowsSetAside
from statemachines.messages.orders import ExecutionFrame, OrderFrame
from statemachines.requests import ExecutionReport, OrderReport, Quote, SetAside
from statemachines.values import Account, Category

Parsed = list[tuple[Body, str]]
"""Bodies with their natural ids, in the order of the frame."""

UNUSABLE_AFTER_MS = 5_000
"""A market without a usable quote for so long is reported as such."""


def moment_ms(body: Body) -> int:
    """Market time at which a body of a stream happened: a bar's close, the update of an order, a fill's time.

    Raises:
        TypeError: the body is not one that streams deliver.
    """
    match body:
        case BarFrame():
            return max(bar.start_ms + interval_ms(bar.interval) for bar in body.bars)
        case QuoteFrame():
            return max((quote.market_ms for quote in body.quotes), default=0)
        case OrderFrame():
            return body.report.updated_ms
        case ExecutionFrame():
            return body.report.executed_ms
        case RowsSetAside():
            return 0  # no market time can be taken from what cannot be read
    raise TypeError(f"body {body.KIND!r} does not come from a stream")


def parse_private_frame(account: Account, frame: Any, latest_ms: int | None = None) -> Parsed:
    """Orders and executions of a private frame; other private topics (wallet, position) carry nothing we book.

    Every row is judged by itself: what cannot be read, or is of a product not traded here, comes as `RowsSetAside`
    beside its neighbours. `latest_ms`: no row can be younger; one from the future would drag market time along.
    """
    source = f"private {account}"
    try:
        row = Row(frame, "private frame")
        topic = row.text("topic").split(".")[0]
        if topic not in ("order", "execution"):
            return []
        items = row.items("data")
    except UnparsableError as error:
        return [_set_aside_frame(source, account, error, frame)]
    found: Parsed = []
    if topic == "order":
        orders, bad = judged("order", items, partial(_fresh_order, account, latest_ms))
        found += [(OrderFrame(report=report), _order_id(report)) for _item, report in orders]
    else:
        fills, bad = judged("execution", items, partial(_fresh_execution, account, latest_ms))
        found += [
            (ExecutionFrame(report=report), f"execution:{account}:{report.execution_id}") for _item, report in fills
        ]
    return found + [_set_aside_row(source, account, item, one) for item, one in bad]


def _fresh_order(account: Account, latest_ms: int | None, item: Any) -> OrderReport:
    report = traded(parse_order(account, item, None, latest_ms))
    _check_age("order row", "updatedTime", report.updated_ms, latest_ms)
    return report


def _fresh_execution(account: Account, latest_ms: int | None, item: Any) -> ExecutionReport:
    report = traded(parse_execution(account, item, None, latest_ms))
    _check_age("execution row", "execTime", report.executed_ms, latest_ms)
    return report


def _check_age(what: str, field: str, at_ms: int, latest_ms: int | None) -> None:
    """Raise for a row from long ago: nothing of it is used, and the account is read from where it was read last."""
    if latest_ms is not None and at_ms < latest_ms - MAX_STREAMED_AGE_MS:
        bound = latest_ms - MAX_STREAMED_AGE_MS
        raise UnparsableError(
            f"{what}: field {field!r} is {at_ms}; in a stream an instant from {bound} on is required."
        )


def _set_aside_row(source: str, account: Account | None, item: Any, one: SetAside) -> tuple[Body, str]:
    """What is foreign is reported once per product and symbol, a fault once per row: repeats are dropped by this id."""
    named = f"{one.kind}:{one.category}:{one.symbol}"
    identity = f"foreign:{named}" if one.is_foreign else f"{named}:{_digest(item)}"
    return RowsSetAside(source=source, account=account, rows=(one,)), f"set-aside:{source}:{identity}"


def _set_aside_frame(
    source: str, account: Account | None, error: UnparsableError, frame: Any, market: tuple[str, str] = ("", "")
) -> tuple[Body, str]:
    return _set_aside_row(source, account, frame, set_aside("frame", error, None, *market))


def _digest(item: Any) -> str:
    return hashlib.sha256(repr(item).encode("utf-8", "backslashreplace")).hexdigest()[:20]


def _order_id(report: OrderReport) -> str:
    # Market time stands still within a micro-step: an amendment at the same instant differs only in its prices.
    changed = ":".join("-" if value is None else plain(value) for value in (report.price, report.trigger_price))
    return (
        f"order:{report.account}:{report.venue_order_id}:{report.status.value}:{plain(report.filled_quantity)}:"
        f"{report.updated_ms}:{plain(report.quantity)}:{changed}"
    )


def parse_public_frame(category: Category, frame: Any, latest_ms: int | None = None) -> Parsed:
    """Confirmed bars of a kline frame, each judged by itself. Other public topics need memory: see `PublicFrames`.

    Raises UnparsableError when the frame itself cannot be read.
    """
    row = Row(frame, "public frame")
    topic = topic_of(row)
    return [] if topic is None or topic.kind != "kline" else _bars(category, topic, row, latest_ms)


def _bars(category: Category, topic: Topic, row: Row, latest_ms: int | None) -> Parsed:
    row.instant("ts", latest_ms)
    parse = partial(parse_kline, category, topic.symbol, topic.argument, not_after_ms=latest_ms)
    bars, bad = judged("bar", row.items("data"), parse, category, topic.symbol)
    closed = [bar for _item, bar in bars if bar is not None]
    aside: list[SetAside] = []
    sound = distinct(aside, "bar", closed, lambda bar: (category, bar.symbol, str(bar.start_ms)), may_repeat=True)
    bad += [(row.raw("data"), one) for one in aside]
    found: Parsed = [
        (BarFrame(bars=(bar,)), f"bar:{category}:{bar.symbol}:{bar.interval}:{bar.start_ms}") for bar in sound
    ]
    return found + [_set_aside_row(f"public {category}", None, item, one) for item, one in bad]


class PublicFrames:
    """Public frames of one connection, with the memory that deltas need.

    Linear tickers carry changed fields only after their snapshot, and spot tickers have no bid and ask: quotes are
    put together from tickers, our own book and the newest trade.
    """

    def __init__(self) -> None:
        self._tickers: dict[tuple[Category, str], dict[str, Any]] = {}
        self._ticker_ms: dict[tuple[Category, str], int] = {}
        self._books: dict[tuple[Category, str], OrderBook] = {}
        self._shown: dict[tuple[Category, str], Quote] = {}
        self._broken: dict[tuple[Category, str], tuple[int, bool]] = {}

    def reset(self, category: Category) -> None:
        """Discard what was known of a category: its connection is a new one."""
        for memory in (self._tickers, self._ticker_ms, self._books, self._shown, self._broken):
            for key in [key for key in memory if key[0] == category]:
                del memory[key]

    def book(self, category: Category, symbol: str) -> OrderBook | None:
        """The order book of a symbol, if its topic is subscribed."""
        return self._books.get((category, symbol))

    def take(
        self, category: Category, frame: Any, latest_ms: int | None = None, earliest_ms: int | None = None
    ) -> Parsed:
        """Bars and quotes that follow from one frame; what cannot be read is set aside and named. A quote that can be
        used no more is withdrawn until a later frame repairs it. `latest_ms` as in `parse_private_frame`; what a frame
        from before `earliest_ms` with a quote is stale on arrival.

        Raises:
            BookGapError: a message was lost; subscribe to the topic anew.
        """
        source = f"public {category}"
        try:
            row = Row(frame, "public frame")
            topic = topic_of(row)
            if topic is None:
                return []
            if topic.kind == "kline":
                return _bars(category, topic, row, latest_ms)
            key = (category, topic.symbol)
            now_ms = row.instant("ts", latest_ms)
        except UnparsableError as error:
            return [_set_aside_frame(source, None, error, frame, (category, ""))]
        try:
            self._learn(key, topic, row, frame)
            if earliest_ms is not None and now_ms < earliest_ms:
                raise row.error("ts", row.raw("ts"), f"an instant from {earliest_ms} on (older data is stale)")
            if topic.kind == "tickers":
                self._follow(key, topic.name, now_ms, is_live=earliest_ms is not None)
            quote = self._quote(key, now_ms)
        except UnparsableError as error:
            # A stale frame's own time may stand still; the clock that found it stale does not.
            return [*self._withdraw(key), *self._tell(key, source, error, max(now_ms, earliest_ms or 0))]
        self._broken.pop(key, None)
        return self._withdraw(key) if quote is None else self._show(key, quote, topic.kind)

    def _follow(self, key: tuple[Category, str], topic: str, at_ms: int, *, is_live: bool) -> None:
        """Raise BookGapError for a ticker older than the one before: what it has overwritten is not known any more."""
        newest_ms = self._ticker_ms.get(key, 0)
        if is_live and at_ms < newest_ms:
            del self._tickers[key]
            raise BookGapError(f"{topic}: a ticker of {at_ms} came after one of {newest_ms}.")
        self._ticker_ms[key] = at_ms

    def withdrawn(self, category: Category, topic: str) -> Parsed:
        """What follows from a BookGapError of a topic: its quote does not hold."""
        return self._withdraw((category, topic.rpartition(".")[2]))

    def _tell(self, key: tuple[Category, str], source: str, error: UnparsableError, now_ms: int) -> Parsed:
        """A market without a usable quote is reported once, after a while: deltas move bid and ask one by one."""
        since_ms, is_told = self._broken.get(key, (now_ms, False))
        is_due = now_ms - since_ms >= UNUSABLE_AFTER_MS and not is_told
        self._broken[key] = (since_ms, is_told or is_due)
        if not is_due:
            return []
        aside = set_aside("quote", error, None, *key)
        return [(RowsSetAside(source=source, rows=(aside,)), f"set-aside:{source}:{key[1]}:{now_ms}")]

    def _learn(self, key: tuple[Category, str], topic: Topic, row: Row, frame: Any) -> None:
        if topic.kind == "tickers":
            self._merge(key, topic.name, row)
        elif topic.kind == "orderbook":
            if row.row("data").symbol("s") != key[1]:
                raise row.error("data", row.raw("data"), f"a book of {key[1]}")
            book = self._books.setdefault(key, OrderBook(topic.name))
            book.take(frame)
            touch, ticker = book.touch(), self._tickers.get(key)
            if touch is not None and ticker is not None:
                ticker["bid1Price"], ticker["ask1Price"] = plain(touch[0]), plain(touch[1])
        else:
            trades = row.rows("data", "trade row")
            for trade in trades:
                if trade.symbol("s") != key[1]:
                    raise trade.error("s", trade.raw("s"), f"the topic's {key[1]}")
            if trades and key in self._tickers:
                self._tickers[key]["lastPrice"] = plain(trades[-1].price("p"))

    def _merge(self, key: tuple[Category, str], topic: str, row: Row) -> None:
        kind, data = row.text("type"), row.items("data") if row.is_list("data") else [row.raw("data")]
        if len(data) != 1 or not isinstance(data[0], dict):
            raise row.error("data", data, "one ticker")
        if kind not in ("snapshot", "delta"):
            raise row.error("type", kind, "snapshot or delta")
        fields = Row(data[0], f"ticker of {key[0]} {key[1]}")
        if fields.symbol() != key[1]:
            raise fields.error("symbol", fields.raw("symbol"), f"the topic's {key[1]}")
        if kind == "snapshot":
            self._tickers[key] = dict(data[0])
        elif key in self._tickers:
            self._tickers[key].update(data[0])
        else:
            raise BookGapError(f"{topic}: a delta of the ticker came without a snapshot before it.")
        ticker, book = self._tickers[key], self._books.get(key)
        if "bid1Price" not in ticker and book is not None and (touch := book.touch()) is not None:
            # A spot ticker has no best prices of its own: the book's newest stand beside it.
            ticker["bid1Price"], ticker["ask1Price"] = plain(touch[0]), plain(touch[1])

    def _quote(self, key: tuple[Category, str], now_ms: int) -> Quote | None:
        """The newest quote; None before everything that makes one has come.

        Raises UnparsableError when what has come makes none: a price is missing or no price, or the quote is crossed.
        """
        ticker, book = self._tickers.get(key), self._books.get(key)
        is_book_missing = key[0] == "spot" if book is None else book.touch() is None
        return None if ticker is None or is_book_missing else parse_quote(key[0], ticker, now_ms)

    def _show(self, key: tuple[Category, str], quote: Quote, source: str) -> Parsed:
        """Book and trade messages are news only when they changed the quote; a ticker confirms that it still holds."""
        shown = self._shown.get(key)
        if (
            source != "tickers"
            and shown is not None
            and shown == quote.model_copy(update={"market_ms": shown.market_ms})
        ):
            return []
        self._shown[key] = quote
        return [(QuoteFrame(quotes=(quote,)), "")]

    def _withdraw(self, key: tuple[Category, str]) -> Parsed:
        if self._shown.pop(key, None) is None:
            return []
        return [(QuoteFrame(quotes=(), withdrawn=(key,)), "")]


__all__ = ["BookGapError", "Parsed", "PublicFrames", "moment_ms", "parse_private_frame", "parse_public_frame"]
