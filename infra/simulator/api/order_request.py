"""Reading a create request: defaults, allowed values, and what this exchange does not simulate."""

from __future__ import annotations

from decimal import Decimal

from infra.simulator.api.params import Params, shown
from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.venue.model import OrderRequest

_NOT_SIMULATED = ("orderIv", "mmp", "bboSideType", "bboLevel", "rpiTakerAccess", "tpLimitPrice", "slLimitPrice")
NOTHING = ("0", "false", "0.0", "0.00")
"""Values by which clients say that they do not use a parameter."""


def read_request(params: Params, category: str) -> OrderRequest:
    """A create request out of parameters. Raises ``VenueError`` 10001 for malformed ones and for what is not
    simulated: an order is never worked otherwise than it was asked for."""
    params.refuse(*_NOT_SIMULATED, but=NOTHING)
    params.choice("smpType", ("None",), "None")
    order_type = params.choice("orderType", ("Market", "Limit"))
    side = params.choice("side", ("Buy", "Sell"))
    tif = params.choice("timeInForce", ("GTC", "IOC", "FOK", "PostOnly"), "IOC" if order_type == "Market" else "GTC")
    if order_type == "Market" and tif == "PostOnly":
        raise params_error("params error: a market order cannot be PostOnly.")
    request = OrderRequest(
        category, params.required("symbol"), side, order_type, params.required_decimal("qty"),
        price=params.decimal("price") if order_type == "Limit" else None,
        time_in_force="IOC" if order_type == "Market" else tif,
        link_id=params.text("orderLinkId"),
        smp_type=params.text("smpType", "None"),
    )  # fmt: skip
    if category == "spot":
        _read_spot(params, request)
    else:
        _read_linear(params, request)
    _read_slippage(params, request)
    trigger = params.decimal("triggerPrice")
    if trigger:
        request.trigger_price = trigger
        request.trigger_direction = params.integer("triggerDirection") or 0
        request.trigger_by = params.choice("triggerBy", ("LastPrice", "MarkPrice", "IndexPrice"), "LastPrice")
        if category == "spot":
            params.choice("triggerBy", ("LastPrice",), "LastPrice")
    elif request.order_filter != "Order":
        raise params_error(f"params error: triggerPrice is required for orderFilter {request.order_filter}.")
    return request


def _read_spot(params: Params, request: OrderRequest) -> None:
    if params.flag("isLeverage"):
        raise VenueError(170036, "isLeverage 1 is refused: this exchange lends nothing for spot orders.")
    if params.flag("reduceOnly") or params.flag("closeOnTrigger"):
        raise params_error("params error: reduceOnly and closeOnTrigger are for derivatives.")
    params.refuse("takeProfit", "stopLoss", but=NOTHING)
    default = "quoteCoin" if request.side == "Buy" else "baseCoin"
    unit = params.choice("marketUnit", ("baseCoin", "quoteCoin"), default)
    if request.order_type == "Market":
        request.quote_qty = unit == "quoteCoin"
        request.market_unit = unit
        if request.quote_qty and request.side == "Sell":
            raise params_error("params error: a spot market Sell is sized in baseCoin on this exchange.")
    request.order_filter = params.choice("orderFilter", ("Order", "StopOrder", "tpslOrder"), "Order")


def _read_linear(params: Params, request: OrderRequest) -> None:
    if params.integer("positionIdx") not in (None, 0):
        raise params_error("position idx not match position mode")
    request.reduce_only = params.flag("reduceOnly") or params.flag("closeOnTrigger")
    request.close_on_trigger = params.flag("closeOnTrigger")
    read_stops(params)
    request.take_profit = params.decimal("takeProfit") or None
    request.stop_loss = params.decimal("stopLoss") or None
    if request.reduce_only and (request.take_profit or request.stop_loss):
        raise params_error("params error: a reduce-only order cannot carry takeProfit or stopLoss.")
    if params.decimal("triggerPrice"):
        request.order_filter = "StopOrder"


def read_stops(params: Params) -> None:
    """Take-profit and stop-loss are simulated for the whole position, by last price, as market orders."""
    params.choice("tpslMode", ("Full",), "Full")
    for name in ("tpTriggerBy", "slTriggerBy"):
        params.choice(name, ("LastPrice",), "LastPrice")
    for name in ("tpOrderType", "slOrderType"):
        params.choice(name, ("Market",), "Market")


def _read_slippage(params: Params, request: OrderRequest) -> None:
    kind = params.text("slippageToleranceType")
    if not kind:
        params.refuse("slippageTolerance", but=NOTHING)
        return
    tolerance = params.required_decimal("slippageTolerance")
    if request.order_type != "Market" or params.decimal("triggerPrice"):
        raise params_error("params error: slippageTolerance is for unconditional market orders only.")
    if kind == "TickSize":
        if not 1 <= tolerance <= 10000 or tolerance != tolerance.to_integral_value():
            raise VenueError(110108, "slippageTolerance of TickSize must be an integer in 1..10000.")
    elif kind == "Percent":
        if not Decimal("0.01") <= tolerance <= 10 or tolerance != tolerance.quantize(Decimal("0.01")):
            raise VenueError(110109, "slippageTolerance of Percent must be in 0.01..10 with at most 2 decimals.")
    else:
        raise params_error(f"params error: slippageToleranceType {shown(kind)} is not one of TickSize, Percent.")
    request.slippage_type = kind
    request.slippage = tolerance
