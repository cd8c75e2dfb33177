"""Quotes and what may be traded: instruments, tickers, order book, trades, price limits, announcements."""

from __future__ import annotations

from typing import Any

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.market.symbols import CATEGORIES, asked_symbol, asked_symbols
from infra.simulator.api.shapes.instruments import linear_row, spot_row
from infra.simulator.api.shapes.quotes import REST_LINEAR_EXTRA, book_data, ticker
from infra.simulator.api.shapes.trades import newest_trades, trade_row
from infra.simulator.venue.money import text
from infra.simulator.venue.orders.checks import price_band


def server_time(ctx: Context) -> Answer:
    """GET /v5/market/time: wall time."""
    nanos = str(ctx.wall_ms * 1_000_000)
    return Answer({"timeSecond": str(ctx.wall_ms // 1000), "timeNano": nanos})


def instruments_info(ctx: Context) -> Answer:
    """GET /v5/market/instruments-info; inverse and option are empty."""
    category = ctx.params.category(*CATEGORIES)
    ctx.params.refuse("symbolType", "cursor")
    ctx.params.limit(500, 1000)
    if ctx.params.text("status", "Trading") != "Trading":
        return Answer({"category": category, "list": [], "nextPageCursor": ""})
    listed = asked_symbols(ctx, category)
    if category == "spot":
        return Answer({"category": category, "list": [spot_row(spec) for spec in listed]})
    rows = [linear_row(spec, ctx.venue.market.listed_from_ms(category, spec.symbol)) for spec in listed]
    return Answer({"category": category, "list": rows, "nextPageCursor": ""})


def tickers(ctx: Context) -> Answer:
    """GET /v5/market/tickers: one symbol or all."""
    category = ctx.params.category(*CATEGORIES)
    rows: list[dict[str, Any]] = []
    for spec in asked_symbols(ctx, category):
        figures = ticker(ctx.venue, ctx.statistics, spec)
        rows.append(figures if spec.is_spot else figures | REST_LINEAR_EXTRA)
    return Answer({"category": category, "list": rows})


def orderbook(ctx: Context) -> Answer:
    """GET /v5/market/orderbook."""
    spec = asked_symbol(ctx, "spot", "linear")
    depth = ctx.params.limit(1 if spec.is_spot else 25, 1000)
    now_ms, step = ctx.venue.now_ms, ctx.venue.step
    return Answer(book_data(ctx.venue, spec, depth) | {"ts": now_ms, "u": step + 2, "seq": step + 2, "cts": now_ms})


def recent_trade(ctx: Context) -> Answer:
    """GET /v5/market/recent-trade: one synthetic trade per path point that was passed, newest first."""
    spec = asked_symbol(ctx, "spot", "linear")
    limit = ctx.params.limit(60 if spec.is_spot else 500, 60 if spec.is_spot else 1000)
    rows = [trade_row(ctx.venue, trade) for trade in newest_trades(ctx.venue, spec, limit)]
    return Answer({"category": spec.category, "list": rows})


def price_limit(ctx: Context) -> Answer:
    """GET /v5/market/price-limit: the band in which limit orders are accepted."""
    spec = asked_symbol(ctx, "spot", "linear", default="linear")
    high, low = price_band(ctx.venue, spec)
    answer = {"symbol": spec.symbol, "buyLmt": text(high), "sellLmt": text(low), "ts": str(ctx.venue.now_ms)}
    return Answer(answer, message="")


def announcements(ctx: Context) -> Answer:
    """GET /v5/announcements/index: this exchange announces nothing."""
    ctx.params.required("locale")
    return Answer({"total": 0, "list": []})


def system_status(ctx: Context) -> Answer:
    """GET /v5/system/status: the maintenance that is going on."""
    rows = [
        {
            "id": str(begin_ms),
            "title": one.title,
            "state": "ongoing",
            "begin": str(begin_ms),
            "end": "",
            "href": "",
            "serviceTypes": [1, 2, 3, 4],
            "product": [1, 2],
            "uidSuffix": [],
            "maintainType": 3,
            "env": 1,
        }
        for begin_ms, one in ctx.venue.conditions.maintenance()
    ]
    return Answer({"list": rows}, message="")
