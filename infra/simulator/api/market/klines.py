"""Bars: last, mark, index price and premium, newest first, the running bar included."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.market.symbols import asked_symbol
from infra.simulator.api.params import shown
from infra.simulator.market.bars.intervals import ALL_INTERVALS, bar_start, longest_ms
from infra.simulator.market.port import Bar, PriceKind, UnsupportedInterval
from infra.simulator.venue.errors import params_error
from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.money import text

_GRAINS = {"1": "1", "3": "1", "5": "1", "15": "5", "30": "5"}
PREMIUM_UNIT = Decimal("0.000001")


def kline(ctx: Context) -> Answer:
    """GET /v5/market/kline."""
    spec = asked_symbol(ctx, "spot", "linear", default="linear")
    rows = [
        [str(bar.start_ms), *map(text, (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.turnover))]
        for bar in _bars(ctx, spec, "last")
    ]
    return Answer({"symbol": spec.symbol, "category": spec.category, "list": rows})


def mark_kline(ctx: Context) -> Answer:
    """GET /v5/market/mark-price-kline."""
    return _price_kline(ctx, "mark")


def index_kline(ctx: Context) -> Answer:
    """GET /v5/market/index-price-kline."""
    return _price_kline(ctx, "index")


def premium_kline(ctx: Context) -> Answer:
    """GET /v5/market/premium-index-price-kline: the perpetual's last price over its index price, less one, at the
    opens and closes of smaller bars: of a minute or five, and of an hour for what is longer than half an hour."""
    spec = asked_symbol(ctx, "linear", default="linear")
    interval, first_ms, last_ms, limit = _window(ctx)
    grain = _GRAINS.get(interval, "60")
    market, now_ms = ctx.venue.market, ctx.venue.now_ms
    room = limit * (longest_ms(interval) // longest_ms(grain)) + longest_ms(interval) // longest_ms(grain)
    from_ms = max(bar_start(interval, max(first_ms, 0)), 0)
    till_ms = min(now_ms, last_ms + longest_ms(interval) - 1)
    perpetual = market.bars("linear", spec.symbol, grain, from_ms, till_ms, room, "last", now_ms)
    index = {
        bar.start_ms: bar for bar in market.bars("linear", spec.symbol, grain, from_ms, till_ms, room, "index", now_ms)
    }
    groups: dict[int, list[Decimal]] = {}
    for bar in perpetual:
        other = index.get(bar.start_ms)
        start_ms = bar_start(interval, bar.start_ms)
        if other is not None and first_ms <= start_ms <= last_ms:
            groups.setdefault(start_ms, []).extend(
                (one / reference - 1).quantize(PREMIUM_UNIT)
                for one, reference in ((bar.open, other.open), (bar.close, other.close))
            )
    rows = [
        [str(start_ms), *(f"{one:f}" for one in (seen[0], max(seen), min(seen), seen[-1]))]
        for start_ms, seen in sorted(groups.items(), reverse=True)[:limit]
    ]
    return Answer({"symbol": spec.symbol, "category": spec.category, "list": rows})


def _price_kline(ctx: Context, kind: PriceKind) -> Answer:
    spec = asked_symbol(ctx, "linear", default="linear")
    rows = [[str(bar.start_ms), *map(text, (bar.open, bar.high, bar.low, bar.close))] for bar in _bars(ctx, spec, kind)]
    return Answer({"symbol": spec.symbol, "category": spec.category, "list": rows})


def _window(ctx: Context) -> tuple[str, int, int, int]:
    """Interval, first and last start of a bar, and the number of bars asked for."""
    params, now_ms = ctx.params, ctx.venue.now_ms
    start, end = params.integer("start"), params.integer("end")
    interval, limit = params.required("interval"), params.limit(200, 1000)
    if interval not in ALL_INTERVALS:
        raise params_error(f"params error: interval {shown(interval)} is not one of {', '.join(ALL_INTERVALS)}.")
    last = now_ms if end is None else min(end, now_ms)
    if start is not None and end is None:
        # From `start` on, as far as one page reaches: not the newest page.
        last = min(last, start + limit * longest_ms(interval) - 1)
    return interval, 0 if start is None else start, last, limit


def _bars(ctx: Context, spec: Instrument, kind: PriceKind) -> list[Bar]:
    interval, first_ms, last_ms, limit = _window(ctx)
    try:
        found = ctx.venue.market.bars(
            spec.category, spec.symbol, interval, first_ms, last_ms, limit, kind, ctx.venue.now_ms
        )
    except UnsupportedInterval:
        raise params_error(f"params error: this market has no bars of interval {shown(interval)}.") from None
    return found[::-1]
