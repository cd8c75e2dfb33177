"""Derivative positions with what an operator asks of them: mark, profit, stop, liquidation, margin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from statemachines.limits.leverage import Exposure, liquidation_buffer
from statemachines.portfolio.equity import price_key
from statemachines.values import ENGINE_OF, LINEAR, Account

Row = Mapping[str, Any]
ZERO = Decimal(0)
_PLACES = Decimal("0.00000001")


class Mark(NamedTuple):
    """A closed price in USDT, and when its bar closed."""

    price: Decimal
    closed_ms: int


def position_views(
    positions: Sequence[Row],
    portfolio: Row | None,
    stops: Iterable[Row],
    instruments: Sequence[Row],
    newest: Mapping[str, Mark] | None = None,
) -> list[dict[str, Any]]:
    """The rows of `positions` completed. What is not known is None, never 0: the mark before the first portfolio, the
    liquidation while a maintenance margin rate is missing.

    `newest` are closed prices by symbol that may be younger than the portfolio: profit, distances and margin are
    figured by them. The liquidation price is that of the portfolio's own prices, since its equity is.
    """
    data: Mapping[str, Any] = {} if portfolio is None else portfolio["data"]
    known: Mapping[str, Any] = instruments[0]["data"] if instruments else {}
    waiting = list(stops)
    marks = {key: Decimal(price) for key, price in (data.get("prices") or {}).items()}
    buffers: dict[str, Decimal | None] = {}
    views = []
    for row in positions:
        account = row["account"]
        if account not in buffers:
            own = [one for one in positions if one["account"] == account]
            buffers[account] = _buffer(own, (data.get("accounts") or {}).get(account), marks, known)
        own_price = marks.get(price_key(LINEAR, row["symbol"]))
        valued = None if own_price is None or portfolio is None else Mark(own_price, portfolio["market_ms"])
        younger = (newest or {}).get(row["symbol"])
        mark = younger if valued is not None and younger and younger.closed_ms > valued.closed_ms else valued
        views.append(_view(row, mark, valued, buffers[account], known, waiting))
    return views


def _view(
    row: Row,
    mark: Mark | None,
    valued: Mark | None,
    buffer: Decimal | None,
    known: Mapping[str, Any],
    stops: Iterable[Row],
) -> dict[str, Any]:
    quantity, sign = row["quantity"], 1 if row["quantity"] > ZERO else -1
    price = None if mark is None else mark.price
    notional = None if price is None else abs(quantity) * price
    rate = _rate(row["symbol"], known)
    stop = _stop(row, stops)
    liquidation = None if valued is None or buffer is None else max(ZERO, valued.price * (1 - sign * buffer))
    return {
        **row,
        "engine": str(ENGINE_OF[Account(row["account"])]),
        "mark_price": price,
        "mark_ms": None if mark is None else mark.closed_ms,
        "notional_usdt": notional,
        "unrealised_pnl_usdt": None if price is None else (price - row["average_price"]) * quantity,
        **stop,
        "stop_distance": _distance(price, stop["stop_price"]),
        "liquidation_price": None if liquidation is None else _rounded(liquidation),
        "liquidation_distance": _rounded(buffer)
        if buffer is not None and mark is valued
        else _distance(price, liquidation),
        "maintenance_margin_usdt": None if notional is None or rate is None else notional * rate,
    }


def _stop(row: Row, stops: Iterable[Row]) -> dict[str, Any]:
    """The stop nearest to the mark, and how much of the position the waiting stops cover."""
    side = "Sell" if row["quantity"] > ZERO else "Buy"
    own = [
        one for one in stops if (one["account"], one["symbol"], one["side"]) == (row["account"], row["symbol"], side)
    ]
    if not own:
        return {"stop_price": None, "stop_quantity": ZERO, "stop_order": None}
    nearest = (max if side == "Sell" else min)(own, key=lambda one: one["trigger_price"])
    covered = sum((one["quantity"] - one["filled_quantity"] for one in own), ZERO)
    return {
        "stop_price": nearest["trigger_price"],
        "stop_quantity": covered,
        "stop_order": nearest["client_order_id"],
    }


def _buffer(
    own: Iterable[Row], account: Row | None, marks: Mapping[str, Decimal], known: Mapping[str, Any]
) -> Decimal | None:
    """T8's distance to liquidation of the whole sub-account; None while something of it is not known."""
    exposures = []
    for row in own:
        mark, rate = marks.get(price_key(LINEAR, row["symbol"])), _rate(row["symbol"], known)
        if mark is None or rate is None:
            return None
        exposures.append(Exposure(row["quantity"], mark, rate))
    return None if account is None else liquidation_buffer(Decimal(account["equity_usdt"]), exposures)


def _rate(symbol: str, known: Mapping[str, Any]) -> Decimal | None:
    found = known.get(price_key(LINEAR, symbol))
    return None if found is None else Decimal(found["maintenance_margin_rate"])


def _distance(mark: Decimal | None, stop: Decimal | None) -> Decimal | None:
    return None if not mark or stop is None else _rounded(abs(mark - stop) / mark)


def _rounded(figure: Decimal) -> Decimal:
    return figure.quantize(_PLACES)
