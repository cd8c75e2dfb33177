"""Account endpoints: wallet, fees, settings, transaction log."""

from __future__ import annotations

from typing import Any

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.paging import DAY_MS, page, window, within
from infra.simulator.api.shapes.instruments import linear_row, spot_row
from infra.simulator.api.shapes.views import wallet_row
from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.venue.margin import transferable
from infra.simulator.venue.model import Row
from infra.simulator.venue.money import text
from infra.simulator.venue.treasury import COINS

LOG_FILTERS = (("category", "category"), ("currency", "currency"), ("type", "type"), ("transSubType", "transSubType"))


def wallet_balance(ctx: Context) -> Answer:
    """GET /v5/account/wallet-balance; named coins are shown even at zero."""
    ctx.params.choice("accountType", ("UNIFIED",))
    wanted = ctx.params.text("coin")
    coins = [coin.strip() for coin in wanted.split(",")] if wanted else None
    return Answer({"list": [wallet_row(ctx.venue, ctx.account, coins)]})


def withdrawal(ctx: Context) -> Answer:
    """GET /v5/account/withdrawal: what may leave the unified wallet, by coin."""
    names = [name.strip() for name in ctx.params.required("coinName").split(",")]
    amounts = {name: text(transferable(ctx.venue, ctx.account, name)) for name in names}
    return Answer({"availableWithdrawal": amounts[names[0]], "availableWithdrawalMap": amounts})


def fee_rate(ctx: Context) -> Answer:
    """GET /v5/account/fee-rate: the configured rates of every symbol."""
    category = ctx.params.category("spot", "linear", "inverse", "option")
    symbol, fees = ctx.params.text("symbol"), ctx.venue.config.fees
    if symbol:
        ctx.venue.tradable(category, symbol)
    rows = [
        {
            "symbol": spec.symbol,
            "baseCoin": "",
            "takerFeeRate": text(fees.rate(category, maker=False)),
            "makerFeeRate": text(fees.rate(category, maker=True)),
        }
        for spec in ctx.venue.prices.listed(ctx.venue.now_ms)
        if spec.category == category and (not symbol or spec.symbol == symbol)
    ]
    result: dict[str, Any] = {"list": rows}
    if category == "spot":
        result["category"] = category
    return Answer(result)


def info(ctx: Context) -> Answer:
    """GET /v5/account/info: a unified account 2.0 in the margin mode that was set."""
    account = ctx.account
    return Answer(
        {
            "marginMode": account.margin_mode,
            "updatedTime": str(account.updated_ms),
            "unifiedMarginStatus": 5,
            "dcpStatus": "OFF",
            "timeWindow": 10,
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }
    )


def transaction_log(ctx: Context) -> Answer:
    """GET /v5/account/transaction-log: change = cashFlow + funding - fee; default window 24 hours."""
    params = ctx.params
    params.choice("accountType", ("UNIFIED",), "UNIFIED")
    start, end = window(params, ctx.venue.now_ms, DAY_MS)
    wanted = {name: params.text(source) for name, source in LOG_FILTERS if params.text(source)}
    base = params.text("baseCoin")

    def keep(row: Row) -> bool:
        if base and row.data["symbol"] != f"{base}USDT":
            return False
        return all(row.data[name] == value for name, value in wanted.items())

    rows, cursor = page(within(ctx.account.log, start, end), params, 20, 50, keep)
    return Answer({"nextPageCursor": cursor, "list": [row.data for row in rows]})


def instruments_info(ctx: Context) -> Answer:
    """GET /v5/account/instruments-info."""
    category = ctx.params.category("spot", "linear", "inverse")
    symbol = ctx.params.text("symbol")
    rows = []
    for spec in ctx.venue.listed():
        if spec.category != category or (symbol and spec.symbol != symbol):
            continue
        row = (
            spot_row(spec) if spec.is_spot else linear_row(spec, ctx.venue.market.listed_from_ms(category, spec.symbol))
        )
        rows.append(row | {"isPublicRpi": False, "myRpiPermission": False})
    result: dict[str, Any] = {"category": category, "list": rows}
    if category != "spot":
        result["nextPageCursor"] = ""
    return Answer(result)


def set_margin_mode(ctx: Context) -> Answer:
    """POST /v5/account/set-margin-mode: cross margin (REGULAR_MARGIN) is the only mode simulated."""
    ctx.key.require("ContractTrade", "Position")
    mode = ctx.params.choice("setMarginMode", ("REGULAR_MARGIN", "ISOLATED_MARGIN", "PORTFOLIO_MARGIN"))
    if mode != "REGULAR_MARGIN":
        raise VenueError(3400045, f"Set margin mode failed: {mode} is not simulated.")
    ctx.account.margin_mode = mode
    return Answer({"reasons": []}, message="Request accepted")


def member_coins(text_list: str) -> list[str]:
    """Coins of a comma-separated list; all known ones when it is empty. 10001 for an unknown coin."""
    names = [name.strip() for name in text_list.split(",")] if text_list else list(COINS)
    for name in names:
        if name not in COINS:
            raise params_error(f"coin {name!r} is not one of {', '.join(COINS)}.")
    return names
