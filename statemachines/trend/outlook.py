"""What would make TREND act next, per asset (TR-3 to TR-7, TR-14)."""

from __future__ import annotations

from collections.abc import Sequence

from statemachines.outlook.terms import PRICE_RANGE_ATR, Prospect
from statemachines.trend import rules
from statemachines.trend.decisions import entry_barred
from statemachines.trend.parameters import TrendParameters
from statemachines.trend.position_orders import PositionOrders
from statemachines.trend.view import View
from statemachines.values import DAY_MS

_WORDS = {1: "long", -1: "short"}


def outlook(positions: Sequence[PositionOrders], view: View, parameters: TrendParameters) -> list[Prospect]:
    """Entries of the assets that are free, exits of those that are held; nothing of an asset in between."""
    held = sum(position.signed_quantity != 0 for position in positions)
    found: list[Prospect] = []
    for position in positions:
        if position.is_free:
            found += _entries(position, view, parameters, held)
        elif position.is_held:
            found += _exits(position, view, parameters)
    return found


def _next_close_ms(view: View) -> int | None:
    last = view.memory.last_day_ms
    return None if last is None else last + 2 * DAY_MS


def _entries(position: PositionOrders, view: View, parameters: TrendParameters, held: int) -> list[Prospect]:
    values, close_ms = view.values(position.asset.symbol), _next_close_ms(view)
    if values is None or close_ms is None:
        return []
    return [
        Prospect(
            position.asset.asset,
            f"entry {_WORDS[direction]}",
            "TR-3",
            rules.entry_terms(direction, values, parameters),
            close_ms,
            entry_barred(position, view, parameters, close_ms, direction, held),
        )
        for direction in (1, -1)
    ]


def _exits(position: PositionOrders, view: View, parameters: TrendParameters) -> list[Prospect]:
    t, symbol, close_ms = position.trade, position.asset.symbol, _next_close_ms(view)
    values, price, word = view.values(symbol), view.price(symbol), _WORDS[t.direction]
    span = None if values is None or values.atr is None else PRICE_RANGE_ATR * values.atr
    asset, leaving = position.asset.asset, f"exit of the {word}"
    found = []
    if t.stop_price is not None and price > 0:
        term = rules.crossed_term(t.direction, t.stop_price, price, span)
        found.append(Prospect(asset, f"stop of the {word}", t.stop_rule, (term,)))
    if values is not None and values.slow_sma is not None:
        term = rules.broken_term(t.direction, values.close, values.slow_sma, span)
        found.append(Prospect(asset, leaving, "TR-4", (term,), close_ms))
    found.append(Prospect(asset, leaving, "TR-7", (rules.overdue_term(t.closes, parameters),), close_ms))
    rate = view.memory.rates_8h.get(symbol)
    if rate is not None:
        found.append(Prospect(asset, leaving, "TR-14", (rules.expensive_term(t.direction, rate, parameters),)))
    return found
