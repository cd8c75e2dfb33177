"""Public market endpoints."""

from __future__ import annotations

from typing import Any

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.params import shown
from infra.simulator.api.shapes.instruments import linear_row, spot_row
from infra.simulator.api.shapes.quotes import REST_LINEAR_EXTRA, book_data, ticker
from infra.simulator.market.port import Bar, PriceKind, UnsupportedInterval
from infra.simulator.market.tape import INTERVALS_MS
from infra.simulator.venue import book
from infra.simulator.venue.errors import params_error
from infra.simulator.venue.instruments import INSTRUMENTS, Instrument
from infra.simulator.venue.money import text
from infra.simulator.venue.orders.checks import price_band
from infra.simulator.venue.prices import HOUR_MS

CATEGORIES = ("spot", "linear", "inverse", "option")


def _symbol(ctx: Context, *categories: str, default: str | None = None) -> Instrument:
    category = ctx.params.category(*categories, default=default)
    return ctx.venue.tradable(category, ctx.params.required("symbol"))


def _listed(ctx: Context, category: str) -> list[Instrument]:
    wanted, base = ctx.params.text("symbol"), ctx.params.text("baseCoin")
    if wanted:
        return [ctx.venue.tradable(category, wanted)] if category in ("spot", "linear") else []
    return [spec for spec in ctx.venue.listed() if spec.category == category and (not base or spec.base == base)]


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
    launch = {spec.symbol: ctx.venue.market.listed_from_ms(category, spec.symbol) for spec in _listed(ctx, category)}
    if category == "spot":
        return Answer({"category": category, "list": [spot_row(spec) for spec in _listed(ctx, category)]})
    rows = [linear_row(spec, launch[spec.symbol]) for spec in _listed(ctx, category)]
    return Answer({"category": category, "list": rows, "nextPageCursor": ""})


def _bars(ctx: Context, spec: Instrument, kind: PriceKind) -> list[Bar]:
    params, now_ms = ctx.params, ctx.venue.now_ms
    start, end = params.integer("start"), params.integer("end")
    interval, limit = params.required("interval"), params.limit(200, 1000)
    last = now_ms if end is None else min(end, now_ms)
    if start is not None and end is None and interval in INTERVALS_MS:
        # From `start` on, as far as one page reaches: not the newest page.
        last = min(last, start + limit * INTERVALS_MS[interval] - 1)
    try:
        bars = ctx.venue.market.bars(
            spec.category, spec.symbol, interval, 0 if start is None else start, last, limit, kind, now_ms
        )
    except UnsupportedInterval:
        raise params_error(f"params error: interval {shown(interval)} is not simulated.") from None
    return bars[::-1]


def kline(ctx: Context) -> Answer:
    """GET /v5/market/kline: newest first, the running bar included."""
    spec = _symbol(ctx, "spot", "linear", default="linear")
    rows = [
        [str(bar.start_ms), *map(text, (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.turnover))]
        for bar in _bars(ctx, spec, "last")
    ]
    return Answer({"symbol": spec.symbol, "category": spec.category, "list": rows})


def _price_kline(ctx: Context, kind: PriceKind) -> Answer:
    spec = _symbol(ctx, "linear", default="linear")
    rows = [[str(bar.start_ms), *map(text, (bar.open, bar.high, bar.low, bar.close))] for bar in _bars(ctx, spec, kind)]
    return Answer({"symbol": spec.symbol, "category": spec.category, "list": rows})


def mark_kline(ctx: Context) -> Answer:
    """GET /v5/market/mark-price-kline."""
    return _price_kline(ctx, "mark")


def index_kline(ctx: Context) -> Answer:
    """GET /v5/market/index-price-kline."""
    return _price_kline(ctx, "index")


def tickers(ctx: Context) -> Answer:
    """GET /v5/market/tickers: one symbol or all."""
    category = ctx.params.category(*CATEGORIES)
    rows: list[dict[str, Any]] = []
    for spec in _listed(ctx, category):
        figures = ticker(ctx.venue, ctx.statistics, spec)
        rows.append(figures if spec.is_spot else figures | REST_LINEAR_EXTRA)
    return Answer({"category": category, "list": rows})


def orderbook(ctx: Context) -> Answer:
    """GET /v5/market/orderbook."""
    spec = _symbol(ctx, "spot", "linear")
    depth = ctx.params.limit(1 if spec.is_spot else 25, 1000)
    now_ms, step = ctx.venue.now_ms, ctx.venue.step
    return Answer(book_data(ctx.venue, spec, depth) | {"ts": now_ms, "u": step + 2, "seq": step + 2, "cts": now_ms})


def recent_trade(ctx: Context) -> Answer:
    """GET /v5/market/recent-trade: one synthetic trade per path point that was passed in the present hour."""
    spec = _symbol(ctx, "spot", "linear")
    limit = ctx.params.limit(60 if spec.is_spot else 500, 60 if spec.is_spot else 1000)
    prices = ctx.venue.prices
    rows: list[dict[str, Any]] = []
    for index in range(prices.index, max(prices.index - limit, -1), -1):
        price = ctx.venue.market.path_point(spec.category, spec.symbol, prices.hour_ms, index)
        if price is None:
            continue
        number = str(prices.hour_ms // HOUR_MS * prices.points.count + index)
        rows.append(
            {
                "execId": f"21{number}",
                "symbol": spec.symbol,
                "price": text(price),
                "size": text(min(book.level_size(ctx.venue.config, spec, price), spec.qty_step * 100)),
                "side": "Buy",
                "time": str(prices.hour_ms + prices.points.offset_ms(index)),
                "isBlockTrade": False,
                "isRPITrade": False,
                "seq": number,
            }
        )
    return Answer({"category": spec.category, "list": rows[:limit]})


def funding_history(ctx: Context) -> Answer:
    """GET /v5/market/funding/history: settled rates, newest first; startTime alone is refused."""
    spec = _symbol(ctx, "linear", default="linear")
    start, end = ctx.params.integer("startTime"), ctx.params.integer("endTime")
    if start is not None and end is None:
        raise params_error("params error: endTime is required when startTime is passed.")
    now_ms = ctx.venue.now_ms
    rows = ctx.venue.market.funding_history(
        spec.symbol, start or 0, now_ms if end is None else min(end, now_ms), ctx.params.limit(200, 200), now_ms
    )
    shown = [
        {"symbol": spec.symbol, "fundingRate": text(rate), "fundingRateTimestamp": str(settle_ms)}
        for settle_ms, rate in rows
    ]
    return Answer({"category": spec.category, "list": shown})


def risk_limit(ctx: Context) -> Answer:
    """GET /v5/market/risk-limit: the first tier, which is the one the venue applies."""
    category = ctx.params.category("linear", "inverse", default="linear")
    rows = [
        {
            "id": 1,
            "symbol": spec.symbol,
            "riskLimitValue": text(spec.risk_limit_usdt),
            "maintenanceMargin": text(spec.mm_rate),
            "initialMargin": text(1 / spec.max_leverage),
            "isLowestRisk": 1,
            "maxLeverage": f"{spec.max_leverage:.2f}",
            "mmDeduction": "",
        }
        for spec in _listed(ctx, category)
    ]
    return Answer({"category": category, "list": rows, "nextPageCursor": ""})


def insurance(ctx: Context) -> Answer:
    """GET /v5/market/insurance: one shared pool, of constant size while no fault takes from it."""
    day_ms = 24 * HOUR_MS
    balance = text(ctx.venue.conditions.insurance_usdt())
    pool = {"coin": "USDT", "balance": balance, "value": balance}
    pool["symbols"] = ",".join(spec.symbol for spec in INSTRUMENTS.values() if not spec.is_spot)
    coin = ctx.params.text("coin")
    rows = [pool] if coin in ("", "USDT") else []
    return Answer({"updatedTime": str(ctx.venue.now_ms // day_ms * day_ms), "list": rows})


def price_limit(ctx: Context) -> Answer:
    """GET /v5/market/price-limit: the band in which limit orders are accepted."""
    spec = _symbol(ctx, "spot", "linear", default="linear")
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
