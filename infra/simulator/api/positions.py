"""Position endpoints."""

from __future__ import annotations

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.order_request import NOTHING, read_stops
from infra.simulator.api.paging import WEEK_MS, page, seq_of, window, within
from infra.simulator.api.shapes.views import position_row
from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.margin import margin
from infra.simulator.venue.money import on_step
from infra.simulator.venue.orders import trading


def _authorise(ctx: Context) -> None:
    ctx.key.require("ContractTrade", "Position")


def listing(ctx: Context) -> Answer:
    """GET /v5/position/list: with symbol also a flat position, with settleCoin only open ones."""
    params, venue, account = ctx.params, ctx.venue, ctx.account
    category = params.category("linear", "inverse", "option")
    symbol = params.text("symbol")
    if category == "linear" and not symbol and not params.text("settleCoin"):
        raise params_error("params error: symbol or settleCoin is required.")
    if category != "linear" or params.text("settleCoin", "USDT") != "USDT":
        return Answer({"list": [], "nextPageCursor": "", "category": category})
    if symbol:
        venue.tradable("linear", symbol)
        chosen = [venue.peek_position(account, symbol)]
    else:
        chosen = [position for position in account.positions.values() if position.size]
    after = seq_of(params.text("cursor"))
    if after is not None:
        chosen = []  # every page holds all positions
    params.limit(20, 200)
    figures = margin(venue, account)
    rows = [position_row(venue, account, position, figures) for position in chosen]
    return Answer({"list": rows, "nextPageCursor": "", "category": category})


def set_leverage(ctx: Context) -> Answer:
    """POST /v5/position/set-leverage: one-way, so both numbers are equal; 110043 when it is set already."""
    _authorise(ctx)
    params, venue, account = ctx.params, ctx.venue, ctx.account
    params.category("linear")
    spec = venue.tradable("linear", params.required("symbol"))
    buy, sell = params.required_decimal("buyLeverage"), params.required_decimal("sellLeverage")
    if buy != sell:
        raise params_error("buy leverage must equal sell leverage in one-way mode")
    if not 1 <= buy <= spec.max_leverage or not on_step(buy * 100, 1 + 0 * buy):
        raise VenueError(110013, f"cannot set leverage {buy}: allowed are 1..{spec.max_leverage} in steps of 0.01")
    if venue.peek_position(account, spec.symbol).leverage == buy:
        raise VenueError(110043, "leverage not modified")
    position = venue.position(account, spec.symbol)
    before = position.leverage
    position.leverage = buy
    figures = margin(venue, account)
    if figures.im > figures.balance and (position.size or account.open):
        position.leverage = before
        raise VenueError(110044, "Available margin is insufficient for the new leverage.")
    venue.changed(account).positions[spec.symbol] = None
    return Answer({})


def switch_mode(ctx: Context) -> Answer:
    """POST /v5/position/switch-mode: this exchange is one-way only (mode 0), which it already is: 110025."""
    _authorise(ctx)
    ctx.params.category("linear")
    mode = ctx.params.integer("mode")
    if mode not in (0, 3):
        raise params_error(f"params error: mode {mode} is not one of 0, 3.")
    if mode == 0:
        raise VenueError(110025, "Position mode is not modified")
    raise params_error("params error: hedge mode (3) is not simulated.")


def trading_stop(ctx: Context) -> Answer:
    """POST /v5/position/trading-stop: take-profit and stop-loss of the whole position, by last price."""
    _authorise(ctx)
    params = ctx.params
    params.category("linear")
    read_stops(params)
    params.refuse("tpSize", "slSize", "activePrice", "tpLimitPrice", "slLimitPrice", but=NOTHING)
    if params.integer("positionIdx") not in (None, 0):
        raise params_error("position idx not match position mode")
    params.refuse("trailingStop", but=NOTHING)
    trading.set_trading_stop(
        ctx.venue, ctx.account, params.required("symbol"), params.decimal("takeProfit"), params.decimal("stopLoss")
    )
    return Answer({})


def closed_pnl(ctx: Context) -> Answer:
    """GET /v5/position/closed-pnl: one row per closing order, newest first."""
    params = ctx.params
    category = params.category("linear", "inverse")
    symbol = params.text("symbol")
    if symbol:
        instrument(category, symbol)
    start, end = window(params, ctx.venue.now_ms, WEEK_MS)
    rows, cursor = page(
        within(ctx.account.closed_pnl, start, end), params, 50, 100,
        lambda row: category == "linear" and (not symbol or row.data["symbol"] == symbol),
    )  # fmt: skip
    return Answer({"nextPageCursor": cursor, "category": category, "list": [row.data for row in rows]})
