"""A synthetic chain like one of the daily cycle: another engine decides first, then TREND-1 on two coins; the entry is
filled and its stop follows."""

from __future__ import annotations

from typing import Any

CLOSE_MS = 1735776000000
DAY_MS = 1735689600000
ENTRY, STOP = "o1t11-1", "o1t13-1"
FILL = {
    "account": "TREND-1", "execution_id": "e-1", "client_order_id": ENTRY, "engine": "trend-1", "category": "linear",
    "symbol": "BTCUSDT", "side": "Buy", "quantity": "0.029", "price": "60994.3", "fee": "0.97285908",
    "fee_coin": "USDT", "is_maker": False, "realized_pnl": "0", "executed_ms": CLOSE_MS,
}  # fmt: skip


def link(kind: str, sender: str, body: dict[str, Any], *decisions: dict[str, Any], form: str = "message") -> Any:
    at = DAY_MS if kind == "bar" else CLOSE_MS
    return {"id": f"{sender}:{kind}", "link": form, "kind": kind, "sender": sender, "market_ms": at, "body": body,
            "decisions": list(decisions)}  # fmt: skip


def decision(actor: str, machine: str, step: str, reason: str, **data: Any) -> dict[str, Any]:
    trigger, source, dest = step.split()
    return {"actor": actor, "machine": machine, "trigger": trigger, "source": source, "dest": dest, "reason": reason,
            "data": data, "market_ms": CLOSE_MS, "cause": ""}  # fmt: skip


def intent(number: int, side: str, style: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"intent_id": f"trend-1-{number}", "engine": "trend-1", "symbol": "BTCUSDT", "category": "linear",
            "side": side, "quantity": "0.029", "style": style, "reason": reason, **more}  # fmt: skip


def order(name: str, side: str, order_type: str, state: str, **more: Any) -> dict[str, Any]:
    return {"client_order_id": name, "engine": "trend-1", "symbol": "BTCUSDT", "side": side, "quantity": "0.029",
            "order_type": order_type, "state": state, "filled_quantity": "0", **more}  # fmt: skip


def chain_of_stop() -> list[Any]:
    entry = intent(1, "Buy", "market", "TR-3 long", purpose="entry", reference_price="60994.2")
    stop = intent(3, "Sell", "stop", "TR-5: stop 58430", purpose="stop", trigger_price="58430.00", reduce_only=True)
    return [
        link("bar", "exchange", {"symbol": "SOLUSDT", "category": "spot", "interval": "D", "close": "147.81"},
             form="outside"),
        link("read_feed", "market-data", {"kind": "read_feed"}, form="request"),
        link("day_closed", "market-data",
             {"bars": [{"symbol": "BTCUSDT", "category": "linear", "close": "60994.2"}], "day_ms": DAY_MS},
             decision("orchestrator", "daily-cycle", "day_closed IDLE REFRESH", f"the day {DAY_MS} has closed"),
             decision("orchestrator", "regime", "weights BULL BULL", "weights move", slow_sma="34747.74400000002")),
        link("run_cycle", "orchestrator", {"engine": "core-hodl", "target_usdt": "59998.308532779300"},
             decision("core-hodl", "ENGINE", "buy_BTC BUILD BUILD", "1,266.67 USDT of BTC", intent_id="core-hodl-1")),
        link("cycle_done", "core-hodl", {"engine": "core-hodl", "summary": "2 open orders"}),
        link("run_cycle", "orchestrator", {"engine": "trend-1", "target_usdt": "14999.5771331948250",
                                           "portfolio_usdt": "99997.1808879655", "entries_allowed": True},
             decision("trend-1", "BTC", "detect SCANNING SIGNAL_DETECTED",
                      f"long since {CLOSE_MS} ms: SMA50 47759.706000000006"),
             decision("trend-1", "ETH", "detect SCANNING SIGNAL_DETECTED", "long: close 2987.09")),
        link("intent", "trend-1", entry,
             decision("risk-manager", "trend-1", "approve PROPOSED APPROVED", "within all limits",
                      intent_id="trend-1-1"),
             decision("risk-manager", "trend-1", "approve PROPOSED APPROVED", "of ETH", intent_id="trend-1-2")),
        link("approved", "risk-manager", {"max_quantity": "0.029"},
             decision("order-manager", "trend-1-1/1", "validate CREATED VALIDATED", "the filters allow it")),
        link("place_order", "order-manager", {"client_order_id": ENTRY}, form="request"),
        link("order", "order-manager",
             order(ENTRY, "Buy", "market", "FILLED", filled_quantity="0.029", average_price="60994.30000000"),
             form="order"),
        link("fill", "exchange", FILL,
             decision("order-manager", "trend-1-1", "filled WORKING FILLED", "average of 60994.30000000"),
             form="outside"),
        link("fill", "order-manager", FILL),
        link("intent", "trend-1", stop),
        link("order", "order-manager", order(STOP, "Sell", "stop_market", "CANCELLED", trigger_price="63332.1",
             reason="withdrawn: flat after TR-14", reduce_only=True), form="order"),
    ]  # fmt: skip
