"""Seeded mutations of well-formed payloads, and an independent reading of them to hold the gateway's against."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**63, 10**40, 0.5, float("nan"), "", " ", "0", "-0", "-1", "1E+300", "-1E+300",
    "1e-300", "NaN", "Infinity", "9" * 50, "9" * 5000, "1" + "0" * 30, "null", "\x00", "\ud800", "Buy", "Sell",
    "linear", "spot", "option", "BTCUSDT", "DOGEUSDT", "x" * 3000, [], {}, [[]], {"a": {}}, "１２", "1_000", "0x10",
    "0E-9999",
)  # fmt: skip

Path = tuple[Any, ...]


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a JSON tree, its root included."""
    yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*at, index))


def mutated(rng: random.Random, payload: Any) -> Any:
    """The payload with one to three changes; the original is left as it is."""
    changed = copy.deepcopy(payload)
    for _change in range(rng.choice((1, 1, 1, 2, 3))):
        changed = _change_one(rng, changed)
    return changed


def _change_one(rng: random.Random, payload: Any) -> Any:
    where = rng.choice(list(paths(payload)))
    if not where:
        return rng.choice((payload, payload, payload, rng.choice(STRANGE)))
    parent = payload
    for step in where[:-1]:
        parent = parent[step]
    last, old = where[-1], parent[where[-1]]
    match rng.randrange(8):
        case 0:
            del parent[last]
        case 1 | 2:
            parent[last] = rng.choice(STRANGE)
        case 3 if isinstance(old, str) and old:
            parent[last] = rng.choice(
                (f"-{old}", f"{old}E+200", old * 40, old[:-1], f" {old}", f"{old}\x00", old.lower())
            )
        case 3 if isinstance(old, int) and not isinstance(old, bool):
            parent[last] = rng.choice((-old, old * 10**30, str(old), float(old), old + 1))
        case 4 if isinstance(old, str):
            try:
                parent[last] = float(old)
            except ValueError:
                parent[last] = [old]
        case 5 if isinstance(old, list) and old:
            parent[last] = rng.choice((old[:-1], [*old, rng.choice(STRANGE)], [*old, *old], old[::-1]))
        case 6 if isinstance(parent, dict):
            other = rng.choice(sorted(parent, key=str))
            parent[last], parent[other] = parent[other], parent[last]
        case _:
            parent[last] = {"value": old} if rng.random() < 0.5 else [old]
    return payload


# --- the independent reading ---


def number(raw: Any) -> Decimal | None:
    """What a plain reading of a text or a JSON integer gives; None where it gives nothing."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int)):
        return None
    try:
        found = Decimal(raw)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


NUMBERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "OrderReport": {
        "quantity": ("qty",),
        "filled_quantity": ("cumExecQty",),
        "price": ("price",),
        "trigger_price": ("triggerPrice",),
        "average_price": ("avgPrice",),
        "created_ms": ("createdTime",),
        "updated_ms": ("updatedTime",),
    },
    "ExecutionReport": {
        "quantity": ("execQty",),
        "price": ("execPrice",),
        "fee": ("execFee",),
        "fee_rate": ("feeRate",),
        "executed_ms": ("execTime",),
        "closed_quantity": ("closedSize",),
    },
    "PositionReport": {
        "average_price": ("avgPrice", "entryPrice"),
        "mark_price": ("markPrice",),
        "liquidation_price": ("liqPrice",),
        "leverage": ("leverage",),
        "unrealized_pnl": ("unrealisedPnl",),
    },
    "Quote": {
        "bid": ("bid1Price",),
        "ask": ("ask1Price",),
        "last": ("lastPrice",),
        "mark": ("markPrice",),
        "index": ("indexPrice",),
        "predicted_funding_rate": ("fundingRate",),
        "next_funding_ms": ("nextFundingTime",),
    },
    "FundingRateFact": {"rate": ("fundingRate",), "settle_ms": ("fundingRateTimestamp",)},
    "BarFact": {
        "start_ms": ("start", "0"),
        "open": ("open", "1"),
        "high": ("high", "2"),
        "low": ("low", "3"),
        "close": ("close", "4"),
        "volume": ("volume", "5"),
    },
    "FeeRate": {"taker": ("takerFeeRate",), "maker": ("makerFeeRate",)},
    "Instrument": {
        "tick_size": ("tickSize",),
        "qty_step": ("basePrecision", "qtyStep"),
        "min_qty": ("minOrderQty",),
        "min_notional_usdt": ("minOrderAmt", "minNotionalValue"),
        "max_limit_qty": ("maxLimitOrderQty", "maxOrderQty"),
        "max_market_qty": ("maxMarketOrderQty", "maxMktOrderQty"),
    },
}
UNSIGNED = {
    "quantity", "filled_quantity", "price", "trigger_price", "average_price", "mark_price", "leverage", "bid", "ask",
    "last", "mark", "index", "open", "high", "low", "close", "volume", "tick_size", "qty_step", "min_qty",
}  # fmt: skip
MAY_BE_NONE = {
    "price", "trigger_price", "average_price", "closed_quantity", "liquidation_price", "mark", "index",
    "predicted_funding_rate", "next_funding_ms",
}  # fmt: skip


def flat_rows(payloads: Iterable[Any]) -> list[dict[str, Any]]:
    """Every object and list of the payloads as one flat mapping each, nested objects of a row folded into it."""
    found: list[dict[str, Any]] = []
    for payload in payloads:
        for where in paths(payload):
            value = payload
            for step in where:
                value = value[step]
            if isinstance(value, dict):
                nested = [inner for inner in value.values() if isinstance(inner, dict)]
                found.append({key: item for inner in (*nested, value) for key, item in inner.items()})
            elif isinstance(value, list):
                found.append({str(index): item for index, item in enumerate(value)})
    return found


def wrong_value(report: Any, payloads: Iterable[Any]) -> str:
    """Why no row of the payloads says what the report says, as a sentence; "" when one does. A row says it when each
    number of the report is the plain reading of the row's own field, of a possible sign and size."""
    fields = NUMBERS[name_of(report)]
    for name in fields:
        value = getattr(report, name)
        if value is None:
            continue
        if abs(value) > 10**15 or (name in UNSIGNED and value < 0):
            return f"{name} is {value}, which no market can produce"
    for row in flat_rows(payloads):
        if name_of(report) == "PositionReport" and not _is_the_position(row, report.quantity):
            continue
        values = {name: getattr(report, name) for name in fields}
        if "fee" in values:
            values["fee"] -= _taxes(row, report.fee_coin)  # EX-2: a fill's fee is all that it cost in that coin
        if all(_says(row, keys, values[name], name) for name, keys in fields.items()):
            return ""
    return f"no row says {report}"


def _taxes(row: Mapping[str, Any], coin: str) -> Decimal:
    """What the row takes beside its fee, in the fee's coin."""
    rows = row.get("extraFees")
    found = [one for one in rows if isinstance(one, Mapping)] if isinstance(rows, list) else []
    return sum((number(one.get("fee")) or Decimal(0) for one in found if one.get("feeCoin") == coin), Decimal(0))


def name_of(report: Any) -> str:
    """The report's kind."""
    return type(report).__name__


def _is_the_position(row: Mapping[str, Any], quantity: Decimal) -> bool:
    size, side = number(row.get("size")), row.get("side")
    return size is not None and size > 0 and quantity == (size if side == "Buy" else -size) and side in ("Buy", "Sell")


def _says(row: Mapping[str, Any], keys: tuple[str, ...], value: Any, name: str) -> bool:
    raw = next((row[key] for key in keys if key in row), None)
    if value is None:
        return name in MAY_BE_NONE and (raw in ("", None) or number(raw) == 0 or raw is None)
    return number(raw) == Decimal(value)
