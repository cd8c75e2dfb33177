"""Stream frames into message bodies with their natural ids; used by the streams and by the in-process runtime alike.

Natural ids make a repeat recognisable (DESIGN 1): execution id; order id with status, executed quantity and update
time (and what an amendment changes); symbol, interval and start of a bar. Quotes are ephemeral: "".
"""

from __future__ import annotations

from typing import Any

from infra.bybit.book import BookGapError, OrderBook
from infra.bybit.fields import Row, UnparsableError, plain
from infra.bybit.parse import interval_ms, parse_execution, parse_kline, parse_order, parse_quote
from statemachines.messages import BarFrame, Body, ExecutionFrame, OrderFrame, QuoteFrame
from statemachines.requests import OrderReport, Quote
from statemachines.values import Account, Category

Parsed = list[tuple[Body, str]]
"""Bodies with their natural ids, in the order of the frame."""


def moment_ms(body: Body) -> int:
    """Market time at which a body of a stream happened: a bar's close, the update of an order, a fill's time.

    Raises:
        TypeError: the body is not one that streams deliver.
    """
    match body:
        case BarFrame():
            return max(bar.start_ms + interval_ms(bar.interval) for bar in body.bars)
        case QuoteFrame():
            return max(quote.market_ms for quote in body.quotes)
        case OrderFrame():
            return body.report.updated_ms
        case ExecutionFrame():
            return body.report.executed_ms
    raise TypeError(f"body {body.KIND!r} does not come from a stream")


def parse_private_frame(account: Account, frame: Any) -> Parsed:
    """Orders and executions of a private frame; other private topics (wallet, position) carry nothing we book.

    Raises UnparsableError for a row that cannot be read: nothing of the frame is delivered then.
    """
    row = Row(frame, "private frame")
    topic = row.text("topic").split(".")[0]
    if topic == "order":
        reports = [parse_order(account, item) for item in row.items("data")]
        return [(OrderFrame(report=report), _order_id(report)) for report in reports]
    if topic == "execution":
        executions = [parse_execution(account, item) for item in row.items("data")]
        return [(ExecutionFrame(report=item), f"execution:{account}:{item.execution_id}") for item in executions]
    return []


def _order_id(report: OrderReport) -> str:
    # Market time stands still within a micro-step: an amendment at the same instant differs only in its prices.
    changed = ":".join("-" if value is None else plain(value) for value in (report.price, report.trigger_price))
    return (
        f"order:{report.account}:{report.exchange_id}:{report.status.value}:{plain(report.executed_quantity)}:"
        f"{report.updated_ms}:{plain(report.quantity)}:{changed}"
    )


def parse_public_frame(category: Category, frame: Any) -> Parsed:
    """Confirmed bars of a kline frame. Other public topics need memory: see `PublicFrames`."""
    row = Row(frame, "public frame")
    parts = row.text("topic").split(".")
    if parts[0] != "kline" or len(parts) != 3:
        return []
    found: Parsed = []
    for item in row.items("data"):
        bar = parse_kline(category, parts[2], item)
        if bar is not None:
            found.append((BarFrame(bars=(bar,)), f"bar:{category}:{bar.symbol}:{bar.interval}:{bar.start_ms}"))
    return found


class PublicFrames:
    """Public frames of one connection, with the memory that deltas need.

    Linear tickers carry changed fields only after their snapshot, and spot tickers have no bid and ask: quotes are
    put together from tickers, our own book and the newest trade.
    """

    def __init__(self) -> None:
        self._tickers: dict[tuple[Category, str], dict[str, Any]] = {}
        self._books: dict[tuple[Category, str], OrderBook] = {}
        self._shown: dict[tuple[Category, str], Quote] = {}

    def reset(self, category: Category) -> None:
        """Forget what was known of a category: its connection is a new one."""
        for memory in (self._tickers, self._books, self._shown):
            for key in [key for key in memory if key[0] == category]:
                del memory[key]

    def book(self, category: Category, symbol: str) -> OrderBook | None:
        """The order book of a symbol, if its topic is subscribed."""
        return self._books.get((category, symbol))

    def take(self, category: Category, frame: Any) -> Parsed:
        """Bars and quotes that follow from one frame.

        Raises:
            BookGapError: the book lost a message; subscribe to its topic anew.
            UnparsableError: the frame cannot be read.
        """
        row = Row(frame, "public frame")
        topic = row.text("topic")
        kind, _, rest = topic.partition(".")
        if kind == "kline":
            return parse_public_frame(category, frame)
        key = (category, rest.rpartition(".")[2])
        if kind == "tickers":
            self._merge(key, row)
            return self._quote(key, row.integer("ts"), "tickers")
        if kind == "orderbook":
            self._books.setdefault(key, OrderBook(topic)).take(frame)
            return self._quote(key, row.integer("ts"), "orderbook")
        if kind == "publicTrade":
            trades = row.rows("data", "trade row")
            if trades and key in self._tickers:
                self._tickers[key]["lastPrice"] = trades[-1].text("p")
            return self._quote(key, row.integer("ts"), "publicTrade")
        return []

    def _merge(self, key: tuple[Category, str], row: Row) -> None:
        kind, data = row.text("type"), row.items("data") if row.is_list("data") else [row.raw("data")]
        if len(data) != 1 or not isinstance(data[0], dict):
            raise row.error("data", data, "one ticker")
        if kind == "snapshot":
            self._tickers[key] = dict(data[0])
        elif key in self._tickers:
            self._tickers[key].update(data[0])
        else:
            raise UnparsableError(f"ticker of {key[0]} {key[1]}: a delta came without a snapshot before it.")

    def _quote(self, key: tuple[Category, str], now_ms: int, source: str) -> Parsed:
        """The newest quote; book and trade messages only when they changed it (a ticker tells that it still holds)."""
        ticker, book = self._tickers.get(key), self._books.get(key)
        if ticker is None:
            return []
        if book is not None:
            touch = book.touch()
            if touch is None:
                return []
            if source == "orderbook" or "bid1Price" not in ticker:
                # Whichever spoke last is right: a linear ticker has its own best prices, a spot ticker has none.
                ticker["bid1Price"], ticker["ask1Price"] = plain(touch[0]), plain(touch[1])
        if not ticker.get("bid1Price") or not ticker.get("ask1Price"):
            return []
        quote = parse_quote(key[0], ticker, now_ms)
        shown = self._shown.get(key)
        if (
            source != "tickers"
            and shown is not None
            and shown == quote.model_copy(update={"market_ms": shown.market_ms})
        ):
            return []
        self._shown[key] = quote
        return [(QuoteFrame(quotes=(quote,)), "")]


__all__ = ["BookGapError", "Parsed", "PublicFrames", "moment_ms", "parse_private_frame", "parse_public_frame"]
