"""Batch requests on orders: one call, an outcome for each leg (bybit-v5 4.2).

The call's own code says nothing about its legs: each has a code in `retExtInfo.list` and a row in `result.list`, both
in the order of the request. A leg of which the two do not say one clear thing is unknown, never done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from infra.bybit.errors import Fault, GatewayError, Purpose, error_of_code, outcome_of
from infra.bybit.parsing.fields import Row, UnparsableError, shown_text
from statemachines.requests import Accepted, ExchangeResponse, OrderWrite, Unknown

_LEGS_ARE_REFUSED_TOO = (Fault.TRANSIENT, Fault.HALT)
"""Refusals of a whole call that are of no leg in particular: too many visits, a key that may not trade. Any other can
be one leg's fault and says nothing about the rest."""


def leg_outcomes(answer: Row, requests: Sequence[OrderWrite], purpose: Purpose) -> list[ExchangeResponse]:
    """The outcome of each request of a batch that the exchange has answered."""
    try:
        rows = answer.row("result").items("list")
        codes = answer.row("retExtInfo").items("list")
        for name, entries in (("result", rows), ("retExtInfo", codes)):
            if len(entries) != len(requests):
                raise UnparsableError(
                    f"{answer.what}: {name}.list has {len(entries)} entries for {len(requests)} orders; one for each "
                    "is required."
                )
    except UnparsableError as error:
        return [outcome_of(error, purpose)] * len(requests)
    named = {key: Counter(_value(row, key) for row in rows) for key in ("orderLinkId", "orderId")}
    outcomes: list[ExchangeResponse] = []
    for number, request in enumerate(requests):
        try:
            row = Row(rows[number], f"{answer.what}, order {number + 1}")
            _must_be_of(row, request, named["orderLinkId"])
            outcomes.append(_outcome(row, Row(codes[number], f"{row.what}, code"), named["orderId"], purpose))
        except UnparsableError as error:
            outcomes.append(outcome_of(error, purpose))
    return outcomes


def all_legs(error: Exception, requests: Sequence[OrderWrite], purpose: Purpose) -> list[ExchangeResponse]:
    """The outcome of each request of a batch whose call failed."""
    outcome = outcome_of(error, purpose)
    if isinstance(error, GatewayError) and error.fault not in _LEGS_ARE_REFUSED_TOO:
        outcome = Unknown(why=f"the batch failed as a whole: code {error.code}: {error.message}")
    return [outcome] * len(requests)


def _must_be_of(row: Row, request: OrderWrite, named: Counter[Any]) -> None:
    """The row in a request's place must be of its order, and the only one that is."""
    row.repeats("orderLinkId", request.client_order_id)
    row.repeats_if_told("symbol", request.symbol)
    row.repeats_if_told("category", request.category)
    if named[request.client_order_id] != 1:
        raise row.error("orderLinkId", request.client_order_id, "an id that no other row has")


def _outcome(row: Row, code: Row, order_ids: Counter[Any], purpose: Purpose) -> ExchangeResponse:
    number = code.raw("code") if code.has("code") else None
    message = shown_text(code.raw("msg")) if code.has("msg") else ""
    if number != 0 or isinstance(number, bool) or not isinstance(number, int):
        error = error_of_code(number, message, "code")
        # Cancels and amendments may name the order they did not change; a refused order has no id.
        has_id = purpose is Purpose.WRITE and row.has("orderId") and row.raw("orderId") not in ("", None)
        if has_id:
            raise row.error("orderId", row.raw("orderId"), f'"" in an order refused with code {number}')
        return outcome_of(error, purpose)
    order_id = row.text("orderId")
    if order_ids[order_id] != 1:
        raise row.error("orderId", order_id, "an id that no other row has")
    return Accepted(venue_order_id=order_id)


def _value(row: Any, key: str) -> Any:
    """What a row names, if it can be compared at all."""
    value = row.get(key) if isinstance(row, dict) else None
    return value if isinstance(value, str) else None
