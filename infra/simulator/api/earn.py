"""Earn endpoints: flexible products, stake and redeem orders, positions, yield. Fixed terms are not simulated."""

from __future__ import annotations

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.paging import WEEK_MS, page, window, within
from infra.simulator.venue import earn
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.model import Row
from infra.simulator.venue.money import text

FLEXIBLE, ON_CHAIN = "FlexibleSaving", "OnChain"
GROUP = PERMISSION = "Earn"
_OF_THE_VENUE = frozenset({"toAccountType"})
"""Fields of an order that the exchange keeps for itself."""


def products(ctx: Context) -> Answer:
    """GET /v5/earn/product: public. There are no on-chain products."""
    category, coin = ctx.params.choice("category", (FLEXIBLE, ON_CHAIN)), ctx.params.text("coin")
    rows = [
        {
            "category": FLEXIBLE, "estimateApr": _percent(ctx), "coin": one.coin,
            "minStakeAmount": text(one.min_stake), "maxStakeAmount": text(one.max_stake),
            "precision": str(one.precision), "productId": one.product_id, "status": "Available", "bonusEvents": [],
            "minRedeemAmount": "", "maxRedeemAmount": "", "duration": "", "term": 0, "swapCoin": "",
            "swapCoinPrecision": "", "stakeExchangeRate": "", "redeemExchangeRate": "", "rewardDistributionType": "",
            "rewardIntervalMinute": 0, "redeemProcessingMinute": 0, "stakeTime": "", "interestCalculationTime": "",
        }
        for one in earn.PRODUCTS.values()
        if category == FLEXIBLE and coin in ("", one.coin)
    ]  # fmt: skip
    return Answer({"list": rows}, message="")


def place_order(ctx: Context) -> Answer:
    """POST /v5/earn/place-order: stake out of a wallet, or redeem into it."""
    ctx.key.require(GROUP, PERMISSION)
    params = ctx.params
    if params.choice("category", (FLEXIBLE, ON_CHAIN)) == ON_CHAIN:
        raise VenueError(180007, "Product not available")
    if params.values.get("interestCard"):
        raise VenueError(180001, "Invalid parameter: interestCard is not simulated")
    kind = params.choice("orderType", (earn.STAKE, earn.REDEEM))
    wallet = params.choice("accountType", ("FUND", "UNIFIED"))
    if kind == earn.REDEEM:
        wallet = params.choice("toAccountType", ("FUND", "UNIFIED"), wallet)
    row = earn.place(
        ctx.venue,
        ctx.account,
        params.required("productId"),
        kind,
        params.required("coin"),
        params.required_decimal("amount"),
        params.required("orderLinkId"),
        wallet,
    )
    return Answer({"orderId": row.data["orderId"], "orderLinkId": row.data["orderLinkId"]}, message="")


def orders(ctx: Context) -> Answer:
    """GET /v5/earn/order: by id, or newest first."""
    wanted = {name: ctx.params.text(name) for name in ("orderId", "orderLinkId", "productId") if ctx.params.text(name)}
    is_by_id = "orderId" in wanted or "orderLinkId" in wanted
    rows, cursor = _page(ctx, ctx.account.earn.orders, wanted, is_windowed=not is_by_id)
    shown = [{key: value for key, value in row.data.items() if key not in _OF_THE_VENUE} for row in rows]
    return Answer({"list": shown, "nextPageCursor": cursor}, message="")


def positions(ctx: Context) -> Answer:
    """GET /v5/earn/position: fully redeemed positions stay listed with amount 0."""
    ctx.key.require_read(GROUP, PERMISSION)
    category = ctx.params.choice("category", (FLEXIBLE, ON_CHAIN))
    product_id, coin = ctx.params.text("productId"), ctx.params.text("coin")
    rows = [
        {
            "coin": earn.PRODUCTS[key].coin, "productId": key, "amount": text(one.amount),
            "totalPnl": text(one.total_pnl), "claimableYield": text(earn.accrued(ctx.venue, one)), "id": "",
            "status": "", "orderId": "", "estimateRedeemTime": "", "estimateStakeTime": "",
            "estimateInterestCalculationTime": "", "settlementTime": "", "autoReinvest": "",
            "availableAmount": text(one.amount), "freezeDetails": [],
        }
        for key, one in ctx.account.earn.positions.items()
        if category == FLEXIBLE and product_id in ("", key) and coin in ("", earn.PRODUCTS[key].coin)
    ]  # fmt: skip
    return Answer({"list": rows}, message="")


def yields(ctx: Context) -> Answer:
    """GET /v5/earn/yield: payments, newest first."""
    rows, cursor = _page(ctx, ctx.account.earn.yields, _of_product(ctx), is_windowed=True)
    return Answer({"yield": [row.data for row in rows], "nextPageCursor": cursor}, message="")


def hourly_yields(ctx: Context) -> Answer:
    """GET /v5/earn/hourly-yield: what accrued, newest first."""
    book = ctx.account.earn
    due = [row for key, one in book.positions.items() for row in earn.hours_since(ctx.venue, key, one)]
    rows, cursor = _page(ctx, [*book.hourly, *due], _of_product(ctx), is_windowed=True)
    return Answer({"list": [row.data for row in rows], "nextPageCursor": cursor}, message="")


def apr_history(ctx: Context) -> Answer:
    """GET /v5/earn/apr-history: one row a day, newest first; the rate never changes here."""
    ctx.params.choice("category", (FLEXIBLE, ON_CHAIN))
    earn.product(ctx.params.required("productId"))
    start_ms, end_ms = window(ctx.params, ctx.venue.now_ms, WEEK_MS)
    first, last = -(-start_ms // earn.DAY_MS), min(end_ms, ctx.venue.now_ms) // earn.DAY_MS
    days = [{"timestamp": str(day * earn.DAY_MS), "apr": _percent(ctx)} for day in range(last, first - 1, -1)]
    return Answer({"list": days}, message="")


def _of_product(ctx: Context) -> dict[str, str]:
    product_id = ctx.params.text("productId")
    return {"productId": product_id} if product_id else {}


def _page(ctx: Context, rows: list[Row], wanted: dict[str, str], *, is_windowed: bool) -> tuple[list[Row], str]:
    ctx.key.require_read(GROUP, PERMISSION)
    if ctx.params.choice("category", (FLEXIBLE, ON_CHAIN)) == ON_CHAIN:
        rows = []
    if is_windowed:
        rows = list(within(rows, *window(ctx.params, ctx.venue.now_ms, WEEK_MS)))
    return page(rows, ctx.params, 50, 100, lambda row: all(row.data[name] == value for name, value in wanted.items()))


def _percent(ctx: Context) -> str:
    return f"{text(ctx.venue.config.earn_yield * 100)}%"
