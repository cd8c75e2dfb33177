"""The way to the exchange that fails: errors as the gateway meets them, before or after the effect; and what the
exchange does of its own accord."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

import requests
from pybit.exceptions import FailedRequestError, InvalidRequestError

from infra.bybit.session import Handle
from infra.simulator.venue.orders.incidents import cancel_on_its_own, deleverage, fill_in_part
from infra.simulator.venue.state import Venue
from statemachines.values import Account, ActorName
from tests.simulation.faults.choices import Chooser
from tests.simulation.faults.database import DeathError
from tests.simulation.faults.points import Fault, Point, point_of

_MAINTENANCE = "<html><head><title>502 Bad Gateway</title></head></html>"
_HALF = Decimal("0.5")
_AFTER = (Fault.ANSWER_LOST, Fault.SERVER_ERROR_AFTER)
_TOO_MANY = {"code": 10006, "msg": "Too many visits. Exceeded the API Rate Limit."}


def failing(handle: Handle, chooser: Chooser, effect: Callable[[str], None]) -> Handle:
    """The same handler behind a network that fails; `effect` is called with the path of each request that arrives."""

    def passed(method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Mapping[str, Any]:
        choice = chooser.at(point_of(path), str(account), most=2)
        fault = choice.fault if choice is not None else None
        if fault is not None and fault not in _AFTER:
            _fail(fault, f"{method} {path}")
        effect(path)
        answer = _batch(handle, chooser, path, params, account) or handle(method, path, params, account)
        if fault is not None:
            _fail(fault, f"{method} {path}")
        return answer

    return passed


def _batch(
    handle: Handle, chooser: Chooser, path: str, params: Mapping[str, Any], account: Account | None
) -> Mapping[str, Any] | None:
    """What can only happen to several orders in one request; None when nothing of the kind does. The order manager is
    between the confirmation of its epoch and the exchange's answer."""
    legs = params.get("request")
    choice = chooser.at(Point.BATCH, str(account), most=len(legs) - 1) if isinstance(legs, list) and legs[1:] else None
    if choice is None or not isinstance(legs, list):
        return None
    if choice.fault in (Fault.CRASH, Fault.POWER_LOSS):
        raise DeathError(ActorName.ORDER_MANAGER, choice.fault is Fault.POWER_LOSS)
    is_partly = choice.fault in (Fault.PARTLY, Fault.PARTLY_LOST)
    done = legs[: len(legs) - choice.extent] if is_partly else legs
    answer = handle("POST", path, {**params, "request": done}, account)
    if answer["retCode"] or choice.fault is Fault.PARTLY_LOST:
        raise requests.exceptions.ReadTimeout()
    rows, codes = list(answer["result"]["list"]), list(answer["retExtInfo"]["list"])
    if choice.fault is Fault.PARTLY:
        rows += [{**leg, "category": params["category"], "orderId": ""} for leg in legs[len(done) :]]
        codes += [_TOO_MANY] * choice.extent
    elif choice.fault is Fault.TORN:
        del rows[-1], codes[0]
    else:
        rows[0], rows[-1] = rows[-1], rows[0]
    return {**answer, "result": {"list": rows}, "retExtInfo": {"list": codes}}


def act_of_its_own_accord(venue: Venue, chooser: Chooser) -> None:
    """Before time moves: partial fills, cancellations and auto-deleveraging of what is there."""
    for account in venue.accounts.values():
        resting = [order for order in account.open.values() if order.is_active and order.order_type == "Limit"]
        if resting and (choice := chooser.at(Point.RESTING_ORDER, account.name, most=len(resting))):
            fill_in_part(venue, account, resting[choice.extent % len(resting)], _HALF)
        orders = list(account.open.values())
        if orders and (choice := chooser.at(Point.OPEN_ORDER, account.name, most=len(orders))):
            cancel_on_its_own(venue, account, orders[choice.extent % len(orders)])
        held = [symbol for symbol, position in account.positions.items() if position.size]
        if held and (choice := chooser.at(Point.POSITION, account.name, most=len(held))):
            deleverage(venue, account, held[choice.extent % len(held)], _HALF)


def _fail(fault: Fault, request: str) -> NoReturn:
    match fault:
        case Fault.NOT_SENT:
            raise requests.exceptions.ConnectTimeout()
        case Fault.TIMED_OUT | Fault.ANSWER_LOST:
            raise requests.exceptions.ReadTimeout()
        case Fault.SERVER_ERROR | Fault.SERVER_ERROR_AFTER:
            raise FailedRequestError(request, _MAINTENANCE, 502, "00:00:00", {})
        case Fault.RATE_LIMITED:
            raise InvalidRequestError(request, "Too many visits!", 10006, "00:00:00", {})
        case Fault.BUSY:
            raise InvalidRequestError(request, "Internal server error.", 10016, "00:00:00", {})
    raise ValueError(f"the fault {fault.name} is not one of the way to the exchange")
