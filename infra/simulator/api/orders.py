"""Order endpoints: create, amend, cancel, batches, and the three queries."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.order_request import read_request
from infra.simulator.api.paging import DAY_MS, WEEK_MS, cursor_of, page, seq_of, window, within
from infra.simulator.api.params import Params
from infra.simulator.api.shapes.views import execution_row, order_row
from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.venue.instruments import instrument
from infra.simulator.venue.margin import margin, order_price
from infra.simulator.venue.model import Account, Order, Row
from infra.simulator.venue.money import ZERO
from infra.simulator.venue.orders import trading
from infra.simulator.venue.records import order_id

TRADED = ("spot", "linear")
ALL_FILTERS = {"Order", "StopOrder", "tpslOrder"}
BATCH_LIMIT = {"spot": 10, "linear": 20}
RECENT_CLOSED = 500


def _authorise(ctx: Context, category: str) -> None:
    if category == "spot":
        ctx.key.require("Spot", "SpotTrade")
    else:
        ctx.key.require("ContractTrade", "Order")


def _ids(order: Order) -> dict[str, Any]:
    return {"orderId": order.id, "orderLinkId": order.link_id}


def _place(ctx: Context, category: str, params: Params) -> Order:
    return trading.place(ctx.venue, ctx.account, read_request(params, category))


def _place_leg(ctx: Context, category: str, params: Params) -> Order:
    """One order of a batch: its legs have no field for a slippage limit (bybit-v5 4.2)."""
    for name in ("slippageToleranceType", "slippageTolerance"):
        if params.text(name):
            raise params_error(f"params error: {name} is not a parameter of an order in a batch.")
    return _place(ctx, category, params)


def _amend(ctx: Context, category: str, params: Params) -> Order:
    params.refuse("takeProfit", "stopLoss", "tpLimitPrice", "slLimitPrice", "orderIv")
    params.choice("tpslMode", ("Full",), "Full")
    for name in ("tpTriggerBy", "slTriggerBy"):
        params.refuse(name)
    params.choice("triggerBy", ("LastPrice",), "LastPrice")
    order = trading.find_open(
        ctx.account, category, params.required("symbol"), params.text("orderId"), params.text("orderLinkId")
    )
    return trading.amend(
        ctx.venue, ctx.account, order, params.decimal("qty"), params.decimal("price"), params.decimal("triggerPrice")
    )


def _cancel(ctx: Context, category: str, params: Params) -> Order:
    symbol = params.required("symbol")
    return trading.cancel_order(
        ctx.venue, ctx.account, category, symbol, params.text("orderId"), params.text("orderLinkId")
    )


def _cancel_leg(ctx: Context, category: str, params: Params) -> Order:
    """One cancellation of a batch: its legs have no field for the kind of order."""
    if params.text("orderFilter"):
        raise params_error("params error: orderFilter is not a parameter of a cancellation in a batch.")
    return _cancel(ctx, category, params)


def create(ctx: Context) -> Answer:
    """POST /v5/order/create: an acknowledgement; what became of the order follows on the streams."""
    category = ctx.params.category(*TRADED)
    _authorise(ctx, category)
    return Answer(_ids(_place(ctx, category, ctx.params)))


def pre_check(ctx: Context) -> Answer:
    """POST /v5/order/pre-check: what a create request would do to the margin rates (in 1/10,000), without doing it.

    The order id is the one that the order would get if it were the next one of this exchange.
    """
    category = ctx.params.category(*TRADED)
    _authorise(ctx, category)
    venue, account = ctx.venue, ctx.account
    order = trading.checked(venue, account, read_request(ctx.params, category))
    before, after = margin(venue, account), margin(venue, account, order)
    added_mm = ZERO
    if category == "linear" and not order.reduce_only:
        # As if the order were filled whole at its price: it enlarges the position by what is beyond closing it.
        size = venue.peek_position(account, order.symbol).size
        change = abs(size + order.sign * order.leaves) - abs(size)
        added_mm = change * order_price(venue, order) * instrument(category, order.symbol).mm_rate
    result = {
        "orderId": order_id(category, account.uid, venue.seq + 1),
        "orderLinkId": order.link_id,
        "preImrE4": _in_ten_thousandths(before.im, before.balance),
        "preMmrE4": _in_ten_thousandths(before.mm, before.balance),
        "postImrE4": _in_ten_thousandths(after.im, after.balance),
        "postMmrE4": _in_ten_thousandths(before.mm + added_mm, after.balance),
    }
    return Answer(result)


def _in_ten_thousandths(part: Decimal, balance: Decimal) -> int:
    return int((part / balance * 10_000).to_integral_value()) if balance > ZERO else 0


def amend(ctx: Context) -> Answer:
    """POST /v5/order/amend."""
    category = ctx.params.category(*TRADED)
    _authorise(ctx, category)
    return Answer(_ids(_amend(ctx, category, ctx.params)))


def cancel(ctx: Context) -> Answer:
    """POST /v5/order/cancel."""
    category = ctx.params.category(*TRADED)
    _authorise(ctx, category)
    return Answer(_ids(_cancel(ctx, category, ctx.params)))


def cancel_all(ctx: Context) -> Answer:
    """POST /v5/order/cancel-all: spot default filter Order only, linear all kinds."""
    params = ctx.params
    category = params.category(*TRADED)
    _authorise(ctx, category)
    symbol = params.text("symbol")
    if category == "linear" and not (symbol or params.text("baseCoin") or params.text("settleCoin")):
        raise params_error("params error: symbol, baseCoin or settleCoin is required.")
    if not symbol and params.text("baseCoin"):
        symbol = f"{params.text('baseCoin')}USDT"
    params.refuse("stopOrderType")
    if params.text("settleCoin", "USDT") != "USDT":
        return Answer({"list": [], "success": "1"})
    allowed = ("", "OpenOrder", *sorted(ALL_FILTERS))
    wanted = params.choice("orderFilter", allowed, "Order" if category == "spot" else "")
    filters = ALL_FILTERS if not wanted else {"Order"} if wanted == "OpenOrder" else {wanted}
    done = trading.cancel_all(ctx.venue, ctx.account, category, symbol, filters)
    return Answer({"list": [_ids(order) for order in done], "success": "1"})


def _batch(ctx: Context, act: Callable[[Context, str, Params], Order], *, created: bool) -> Answer:
    category = ctx.params.category(*TRADED)
    _authorise(ctx, category)
    legs = ctx.params.values.get("request")
    if not isinstance(legs, list) or not legs:
        raise params_error("params error: request must be a non-empty list.")
    if len(legs) > BATCH_LIMIT[category]:
        raise params_error(f"params error: at most {BATCH_LIMIT[category]} orders in one batch of {category}.")
    rows: list[dict[str, Any]] = []
    codes: list[dict[str, Any]] = []
    for index, leg in enumerate(legs):
        params = Params(leg if isinstance(leg, dict) else {})
        row = {"category": category, "symbol": "", "orderId": "", "orderLinkId": ""}
        code = {"code": 0, "msg": "OK"}
        if created:
            row["createAt"] = ""
        try:
            row |= {"symbol": params.text("symbol"), "orderLinkId": params.text("orderLinkId")}
            if ctx.granted is not None and index >= ctx.granted:
                raise VenueError(10006, "Too many visits. Exceeded the API Rate Limit.")
            order = act(ctx, category, params)
            row |= {"orderId": order.id, "orderLinkId": order.link_id}
            if created:
                row["createAt"] = str(ctx.venue.now_ms)
        except VenueError as error:
            code = {"code": error.code, "msg": error.message}
        rows.append(row)
        codes.append(code)
    return Answer({"list": rows}, ext={"list": codes})


def create_batch(ctx: Context) -> Answer:
    """POST /v5/order/create-batch: retCode 0, each leg's code in retExtInfo.list."""
    return _batch(ctx, _place_leg, created=True)


def amend_batch(ctx: Context) -> Answer:
    """POST /v5/order/amend-batch."""
    return _batch(ctx, _amend, created=False)


def cancel_batch(ctx: Context) -> Answer:
    """POST /v5/order/cancel-batch."""
    return _batch(ctx, _cancel_leg, created=False)


def _matches(params: Params, category: str) -> Callable[[Order], bool]:
    symbol, order_id, link_id = params.text("symbol"), params.text("orderId"), params.text("orderLinkId")
    base, kind = params.text("baseCoin"), params.text("orderFilter")
    status, settles_in = params.text("orderStatus"), params.text("settleCoin", "USDT")

    def matches(order: Order) -> bool:
        return (
            order.category == category
            and settles_in == "USDT"
            and (not symbol or order.symbol == symbol)
            and (not base or order.symbol == f"{base}USDT")
            and (not order_id or order.id == order_id)
            and (not link_id or bool(order_id) or order.link_id == link_id)
            and (not kind or order.order_filter == kind)
            and (not status or order.status == status)
        )

    return matches


def _page_orders(orders: list[Order], params: Params) -> tuple[list[dict[str, Any]], str]:
    """One page of orders, newest first by creation."""
    limit = params.limit(20, 50)
    after = seq_of(params.text("cursor"))
    orders = sorted((o for o in orders if after is None or o.seq < after), key=lambda o: o.seq, reverse=True)
    cursor = cursor_of(orders[limit - 1].seq) if len(orders) > limit else ""
    return [order_row(order) for order in orders[:limit]], cursor


def _recent_closed(account: Account, category: str) -> list[Order]:
    closed = (account.orders[order_id] for order_id in reversed(account.closed))
    recent: list[Order] = []
    for order in closed:
        if order.category == category:
            recent.append(order)
            if len(recent) == RECENT_CLOSED:
                break
    return recent


def realtime(ctx: Context) -> Answer:
    """GET /v5/order/realtime: open orders; by id, or with openOnly=1, also the 500 closed last."""
    params, account = ctx.params, ctx.account
    category = params.category("spot", "linear", "inverse", "option")
    by_id = bool(params.text("orderId") or params.text("orderLinkId"))
    if category == "linear" and not (
        by_id or params.text("symbol") or params.text("baseCoin") or params.text("settleCoin")
    ):
        raise params_error("params error: symbol, baseCoin or settleCoin is required.")
    matches = _matches(params, category)
    candidates = list(account.open.values())
    if by_id:
        candidates += _recent_closed(account, category)
    elif params.integer("openOnly") == 1:
        candidates = _recent_closed(account, category)
    rows, cursor = _page_orders([order for order in candidates if matches(order)], params)
    return Answer({"list": rows, "nextPageCursor": cursor, "category": category})


def history(ctx: Context) -> Answer:
    """GET /v5/order/history: closed orders; those that never filled only for 24 hours."""
    params, account, now_ms = ctx.params, ctx.account, ctx.venue.now_ms
    category = params.category("spot", "linear", "inverse", "option")
    matches = _matches(params, category)
    by_id = params.text("orderId") or account.links.get(params.text("orderLinkId"), "")
    windowed = params.integer("startTime") is not None or params.integer("endTime") is not None
    start, end = window(params, now_ms, WEEK_MS)
    if by_id and not windowed:
        start, end = 0, now_ms
        pool = [account.orders[by_id]] if by_id in account.orders else []
    else:
        pool = list(_created_within(account, start))
    found = [
        order
        for order in pool
        if not order.is_open
        and matches(order)
        and start <= order.created_ms <= end
        and (order.filled or order.updated_ms > now_ms - DAY_MS)
    ]
    rows, cursor = _page_orders(found, params)
    return Answer({"list": rows, "nextPageCursor": cursor, "category": category})


def _created_within(account: Account, start_ms: int) -> list[Order]:
    """Orders created at or after ``start_ms``, newest first; ``orders`` is in creation order."""
    found: list[Order] = []
    for order in reversed(account.orders.values()):
        if order.created_ms < start_ms:
            break
        found.append(order)
    return found


def executions(ctx: Context) -> Answer:
    """GET /v5/execution/list: trades, funding and bust trades, newest first."""
    params = ctx.params
    category = params.category("spot", "linear", "inverse", "option")
    start, end = window(params, ctx.venue.now_ms, WEEK_MS)
    wanted = {
        name: params.text(source)
        for name, source in (
            ("category", "category"),
            ("symbol", "symbol"),
            ("orderId", "orderId"),
            ("orderLinkId", "orderLinkId"),
            ("execType", "execType"),
        )
        if params.text(source)
    }

    def keep(row: Row) -> bool:
        return all(row.data[name] == value for name, value in wanted.items())

    rows, cursor = page(within(ctx.account.executions, start, end), params, 50, 100, keep)
    return Answer({"nextPageCursor": cursor, "category": category, "list": [execution_row(row) for row in rows]})
