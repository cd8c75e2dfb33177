"""Names of the public topics: `kline.<interval>.<symbol>`, `orderbook.<depth>.<symbol>`, `tickers.<symbol>`, …"""

from __future__ import annotations

from typing import NamedTuple

from infra.bybit.parsing.fields import Row, shown_text
from infra.bybit.parsing.rows import interval_ms

_PARTS = {"kline": 3, "orderbook": 3, "tickers": 2, "publicTrade": 2}


class Topic(NamedTuple):
    """A topic of a market; `argument` is a kline's interval or a book's depth, else ""."""

    name: str
    kind: str
    argument: str
    symbol: str


def topic_of(frame: Row) -> Topic | None:
    """The topic of a public frame; None for kinds that this system does not read.

    Raises UnparsableError: a kind that is read, without its symbol, interval or depth.
    """
    name = frame.text("topic")
    kind, *rest = name.split(".")
    if kind not in _PARTS:
        return None
    if len(rest) + 1 != _PARTS[kind]:
        shape = {"kline": "kline.<interval>.<symbol>", "orderbook": "orderbook.<depth>.<symbol>"}
        raise frame.error("topic", name, shape.get(kind, f"{kind}.<symbol>"))
    topic = Row({"symbol": rest[-1], "depth": rest[0]}, f"topic {shown_text(name, 80)!r}")
    symbol = topic.symbol()
    if kind == "kline":
        interval_ms(rest[0])
    elif kind == "orderbook":
        topic.integer("depth", 1, 1000)
    return Topic(name, kind, rest[0] if len(rest) > 1 else "", symbol)
