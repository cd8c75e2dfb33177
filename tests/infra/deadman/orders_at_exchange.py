"""Orders of every kind that the dead-man switch has to tell apart, placed at a simulated exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pybit.unified_trading import HTTP

from statemachines.execution.orders.order_ids import client_order_id

ACCOUNT = "TREND-1"
SYMBOL = "BTCUSDT"


def link(installation: str, number: int) -> str:
    """A client order id of TREND-1 of this installation."""
    return client_order_id(installation, f"trend-1-{number}", 1)


def place_all(http: HTTP, installation: str) -> tuple[set[str], set[str]]:
    """Place them; ids of the entries, which must go, and of the others, which must stay."""
    last = Decimal(http.get_tickers(category="linear", symbol=SYMBOL)["result"]["list"][0]["lastPrice"])
    low, high = f"{last * Decimal('0.8'):.0f}", f"{last * Decimal('1.2'):.0f}"
    linear = {"category": "linear", "symbol": SYMBOL, "positionIdx": 0}
    spot = {"category": "spot", "symbol": SYMBOL, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": low}
    maker = {**linear, "side": "Buy", "orderType": "Limit", "timeInForce": "PostOnly", "qty": "0.01", "price": low}
    stop = {
        **linear, "side": "Sell", "orderType": "Market", "qty": "0.01", "triggerPrice": low, "triggerDirection": 2,
        "triggerBy": "LastPrice", "reduceOnly": True,
    }  # fmt: skip
    exit_ = {**linear, "side": "Sell", "orderType": "Limit", "qty": "0.005", "price": high, "reduceOnly": True}
    waiting = {**stop, "side": "Buy", "triggerPrice": high, "triggerDirection": 1, "reduceOnly": False}
    http.place_order(**linear, side="Buy", orderType="Market", qty="0.02")
    entries: dict[str, dict[str, Any]] = {link(installation, 1): maker, link(installation, 2): spot}
    others: dict[str, dict[str, Any]] = {
        link(installation, 3): stop,
        link(installation, 4): exit_,
        link(installation, 5): waiting,
        "my-own-order": maker,
        link("zzzzz9" if installation != "zzzzz9" else "zzzzz8", 1): maker,
    }
    for order_id, body in {**entries, **others}.items():
        http.place_order(**body, orderLinkId=order_id)
    assert open_links(http) == {*entries, *others}
    return {*entries}, {*others}


def open_links(http: HTTP) -> set[str]:
    """The client ids of the account's open orders."""
    answers: list[Any] = [
        http.get_open_orders(category="linear", settleCoin="USDT", limit=50),
        http.get_open_orders(category="spot", limit=50),
    ]
    return {row["orderLinkId"] for answer in answers for row in answer["result"]["list"]}
