"""Requests on orders in the exchange's terms: bodies of single calls and legs of batches (bybit-v5 4.2, 5)."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any

from infra.bybit.parsing.fields import plain
from statemachines.requests import AmendOrder, CancelOrder, OrderWrite, PlaceOrder
from statemachines.values import LINEAR, SPOT, Side

_CENT = Decimal("0.01")
MAX_SLIPPAGE_PERCENT = Decimal(10)


class InvalidRequest(ValueError):
    """A request that we could not put into the exchange's terms; it was not sent."""


def body_of(request: OrderWrite) -> dict[str, Any]:
    """The body of a call for this request alone.

    Raises:
        InvalidRequest: the request contradicts itself; nothing may be sent.
    """
    match request:
        case PlaceOrder():
            return order_body(request)
        case AmendOrder():
            return amendment(request)
        case CancelOrder():
            return cancellation(request)


def leg_of(request: OrderWrite) -> dict[str, Any]:
    """The same as one leg of a batch, which has the category in common. No leg carries a slippage limit: the order is
    sent with the price that its limit came to, immediate or cancel.

    Raises:
        InvalidRequest: the request contradicts itself, or cannot travel in a batch; nothing may be sent.
    """
    body = body_of(request)
    del body["category"]
    if "slippageTolerance" in body:
        assert isinstance(request, PlaceOrder)
        for name in ("slippageToleranceType", "slippageTolerance", "marketUnit"):
            body.pop(name, None)
        body |= {"orderType": "Limit", "timeInForce": "IOC", "price": _needed(request, "worst_price")}
    if "orderFilter" in body and not isinstance(request, PlaceOrder):
        raise InvalidRequest(
            f"order {request.client_order_id}: a conditional spot order cannot be cancelled in a batch."
        )
    return body


def order_body(request: PlaceOrder) -> dict[str, Any]:
    """The body of `/v5/order/create`. Numbers are texts; spot is never borrowed (`isLeverage` 0).

    Raises:
        InvalidRequest: the request contradicts itself; nothing may be sent.
    """
    body: dict[str, Any] = {
        "category": request.category,
        "symbol": request.symbol,
        "side": request.side.value,
        "qty": plain(request.quantity),
        "orderLinkId": request.client_order_id,
    }
    if request.category == LINEAR:
        body["positionIdx"] = 0
        body["reduceOnly"] = request.reduce_only
        if request.closes_position:
            # Quantity 0 closes whatever there is, below a lot too (bybit-v5, qty).
            body |= {"qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    elif request.reduce_only:
        raise InvalidRequest(
            f"order {request.client_order_id}: field 'reduce_only' is true; spot orders cannot be reduce-only."
        )
    else:
        body["isLeverage"] = 0
    match request.style:
        case "post_only":
            body |= {"orderType": "Limit", "timeInForce": "PostOnly", "price": _needed(request, "price")}
        case "market":
            body |= {"orderType": "Market"} | _slippage(request)
        case "stop_market":
            # A stop that sells waits for the price to fall to its trigger (2), one that buys for a rise (1).
            body |= {
                "orderType": "Market",
                "triggerPrice": _needed(request, "trigger_price"),
                "triggerDirection": 2 if request.side is Side.SELL else 1,
                "triggerBy": "LastPrice",
            }
            if request.category == SPOT:
                body["orderFilter"] = "StopOrder"
    if request.category == SPOT and body["orderType"] == "Market":
        body["marketUnit"] = "baseCoin"
    return body


def _slippage(request: PlaceOrder) -> dict[str, str]:
    """EX-3: the exchange itself bounds a market order; in per cent with at most two decimals, rounded down."""
    if request.slippage_limit is None:
        return {}
    percent = (request.slippage_limit * 100).quantize(_CENT, rounding=ROUND_DOWN)
    if not _CENT <= percent <= MAX_SLIPPAGE_PERCENT:
        raise InvalidRequest(
            f"order {request.client_order_id}: field 'slippage_limit' is {request.slippage_limit}; "
            "0.0001 to 0.1 is allowed."
        )
    return {"slippageToleranceType": "Percent", "slippageTolerance": plain(percent)}


def cancellation(request: CancelOrder) -> dict[str, Any]:
    """The body of `/v5/order/cancel`."""
    body: dict[str, Any] = {
        "category": request.category,
        "symbol": request.symbol,
        "orderLinkId": request.client_order_id,
    }
    if request.category == SPOT and request.is_conditional:
        body["orderFilter"] = "StopOrder"
    return body


def amendment(request: AmendOrder) -> dict[str, Any]:
    """The body of `/v5/order/amend`.

    Raises:
        InvalidRequest: nothing is to be changed.
    """
    changes = {"price": request.price, "triggerPrice": request.trigger_price, "qty": request.quantity}
    texts = {name: plain(value) for name, value in changes.items() if value is not None}
    if not texts:
        raise InvalidRequest(
            f"order {request.client_order_id}: an amendment must change price, trigger price or quantity."
        )
    return {"category": request.category, "symbol": request.symbol, "orderLinkId": request.client_order_id} | texts


def _needed(request: PlaceOrder, field: str) -> str:
    value: Decimal | None = getattr(request, field)
    if value is None or value <= 0:
        raise InvalidRequest(
            f"order {request.client_order_id}: field {field!r} is {value}; a number above 0 is required "
            f"({request.style})."
        )
    return plain(value)
