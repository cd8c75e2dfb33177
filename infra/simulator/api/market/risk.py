"""Figures about risk and positions of all participants: risk tiers, insurance pool, open interest, settled funding."""

from __future__ import annotations

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.market.symbols import asked_symbol, asked_symbols
from infra.simulator.api.paging import cursor_of, seq_of
from infra.simulator.market.bars.intervals import MINUTE_MS
from infra.simulator.market.path import DAY_MS, HOUR_MS
from infra.simulator.venue.errors import params_error
from infra.simulator.venue.instruments import INSTRUMENTS
from infra.simulator.venue.money import ZERO, text
from infra.simulator.venue.surroundings.crowd import open_interest, own_interest

INTEREST_INTERVALS_MS = {
    "5min": 5 * MINUTE_MS, "15min": 15 * MINUTE_MS, "30min": 30 * MINUTE_MS, "1h": HOUR_MS, "4h": 4 * HOUR_MS,
    "1d": DAY_MS,
}  # fmt: skip


def funding_history(ctx: Context) -> Answer:
    """GET /v5/market/funding/history: settled rates, newest first; startTime alone is refused."""
    spec = asked_symbol(ctx, "linear", default="linear")
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
        for spec in asked_symbols(ctx, category)
    ]
    return Answer({"category": category, "list": rows, "nextPageCursor": ""})


def insurance(ctx: Context) -> Answer:
    """GET /v5/market/insurance: one shared pool, refreshed every 24 hours; liquidations beyond an account's equity are
    paid out of it."""
    balance = text(ctx.venue.insurance_usdt)
    pool = {"coin": "USDT", "symbols": pool_symbols(), "balance": balance, "value": balance}
    rows = [pool] if ctx.params.text("coin") in ("", "USDT") else []
    return Answer({"updatedTime": str(ctx.venue.now_ms // DAY_MS * DAY_MS), "list": rows})


def pool_symbols() -> str:
    """The perpetuals that share the pool."""
    return ",".join(spec.symbol for spec in INSTRUMENTS.values() if not spec.is_spot)


def interest(ctx: Context) -> Answer:
    """GET /v5/market/open-interest: at the ends of the intervals, newest first; all sides, and one side of it."""
    spec = asked_symbol(ctx, "linear", "inverse")
    step_ms = INTEREST_INTERVALS_MS[ctx.params.choice("intervalTime", tuple(INTEREST_INTERVALS_MS))]
    venue, limit = ctx.venue, ctx.params.limit(50, 200)
    start, end = ctx.params.integer("startTime"), ctx.params.integer("endTime")
    after_ms = seq_of(ctx.params.text("cursor"))
    newest_ms = venue.now_ms if end is None else min(end, venue.now_ms)
    newest_ms = newest_ms // step_ms * step_ms
    if after_ms is not None:
        newest_ms = min(newest_ms, after_ms - step_ms)
    oldest_ms = max(start or 0, venue.market.listed_from_ms("linear", spec.symbol))
    rows = []
    for at_ms in range(newest_ms, oldest_ms - 1, -step_ms):
        total = open_interest(venue, spec.symbol, at_ms)
        # Positions of this exchange's own accounts are counted as they are now: what they were is not kept.
        total += own_interest(venue, spec.symbol) if at_ms + step_ms > venue.now_ms else ZERO
        rows.append({"openInterest": text(total), "singleOpenInterest": text(total / 2), "timestamp": str(at_ms)})
        if len(rows) == limit:
            break
    more = len(rows) == limit and int(rows[-1]["timestamp"]) - step_ms >= oldest_ms
    cursor = cursor_of(int(rows[-1]["timestamp"])) if more else ""
    return Answer({"symbol": spec.symbol, "category": spec.category, "list": rows, "nextPageCursor": cursor})
