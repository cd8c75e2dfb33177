"""What actors commit, for tests that write it themselves: messages, requests, facts, and the pen that commits them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from actors.runtime.ports import Commit, EnvelopeDict, ExchangeCallRow, Store
from statemachines.commands import ExchangeCall
from statemachines.facts import AlertFact, BarFact, HeldCommandFact, OperatorCommandFact, OrderFact, SwitchFact
from statemachines.requests import (
    ExchangeRequest,
    PlaceOrder,
)
from statemachines.values import HOUR_MS, ActorName, Side
from tests.kit import builders

ACTOR = "order-manager"
ALERT = AlertFact(
    alert_id="a",
    actor=ActorName.TREND_1,
    condition="exit:BTC",
    severity="info",
    title="t",
    text="x",
    state="open",
    market_ms=4,
    changed_ms=4,
)
"""An open condition."""


def envelope(sequence: int, *to: str, actor: str = ACTOR) -> EnvelopeDict:
    """A message as the durable actor writes it."""
    return {
        "id": f"{actor}:{sequence}",
        "sender": actor,
        "seq": sequence,
        "prev": {name: sequence - 1 for name in to},
        "to": list(to),
        "kind": "fill",
        "version": 1,
        "market_time": 1_000 + sequence,
        "cause": "execution:1",
        "trace": "bar:1",
        "body": {"zebra": "0.10", "ape": [1, 2.5, None, True], "text": "stop at 59,000 → «exit»"},
    }


def place(key: str, gate: ActorName | None = None) -> ExchangeCallRow:
    request = PlaceOrder(
        client_order_id=key,
        category="linear",
        symbol="BTCUSDT",
        side=Side.SELL,
        quantity=Decimal("0.010"),
        style="stop_market",
        trigger_price=Decimal("59000.5"),
        reduce_only=True,
    )
    return row(key, request, gate)


def row(key: str, request: ExchangeRequest, gate: ActorName | None = None, delay_s: float = 0.0) -> ExchangeCallRow:
    call = ExchangeCall(key=key, account="TREND-1", request=request, gate=gate, delay_s=delay_s)
    return ExchangeCallRow(call, cause="risk-manager:7", trace="bar:1", market_ms=5_000)


def switch(scope: str, state: Literal["NORMAL", "CAUTION", "REDUCE_ONLY", "HALTED", "PAUSED"]) -> SwitchFact:
    return SwitchFact(scope=scope, state=state, reason="a test turns it", who="test", changed_ms=1)


def held(command_id: str, scope: str, state: Literal["REDUCE_ONLY", "HALTED", "PAUSED"]) -> HeldCommandFact:
    return HeldCommandFact(
        command_id=command_id,
        scope=scope,
        state=state,
        action="halt",
        asked_scope=scope,
        reason="a test turns it",
        who="test",
        given_ms=1,
    )


def carried_out(command_id: str) -> OperatorCommandFact:
    return OperatorCommandFact(
        command_id=command_id, action="halt", scope="GLOBAL", reason="a test turns it", who="test", given_ms=2
    )


def bar(hour: int, close: str = "100.5", symbol: str = "BTCUSDT") -> BarFact:
    prices = {"open": "100.10", "high": "101", "low": "99", "volume": "12.000"}
    return builders.bar("spot", symbol, hour * HOUR_MS, close, "60", **prices)


def message(actor: str, seq: int, to: str, kind: str, cause: str, trace: str, **changes: Any) -> EnvelopeDict:
    """A message as its place in a chain: who sent it, of what kind, caused by what."""
    return {
        "id": f"{actor}:{seq}",
        "sender": actor,
        "seq": seq,
        "prev": {to: seq - 1},
        "to": [to],
        "kind": kind,
        "version": 1,
        "market_time": HOUR_MS,
        "cause": cause,
        "trace": trace,
        "body": {"of": kind},
        **changes,
    }


def market_order(client_order_id: str) -> ExchangeCall:
    """TREND-1's purchase of half a bitcoin."""
    request = PlaceOrder(
        client_order_id=client_order_id,
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal("0.5"),
        style="market",
    )
    return ExchangeCall(key=f"{client_order_id}:place:1", account="TREND-1", request=request, gate=ActorName.TREND_1)


def order(client_order_id: str, state: str, trace: str, created_ms: int = HOUR_MS, **changes: Any) -> OrderFact:
    """Its record."""
    sound = OrderFact(
        client_order_id=client_order_id,
        intent_id=client_order_id,
        engine="trend-1",
        account="TREND-1",
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        order_type="market",
        quantity=Decimal("0.5"),
        price=None,
        trigger_price=None,
        reduce_only=False,
        state=state,
        venue_order_id=f"x-{client_order_id}",
        filled_quantity=Decimal(0),
        average_price=None,
        reason="a rule",
        created_ms=created_ms,
        updated_ms=created_ms,
        trace=trace,
    )
    return sound.model_copy(update=changes)


class Pen:
    """Writes numbered commits of one incarnation."""

    def __init__(self, store: Store, actor: str = ACTOR, epoch: int | None = None) -> None:
        self.store, self.actor = store, actor
        self.epoch = store.grant(actor, "test") if epoch is None else epoch
        self.number = store.load(actor, self.epoch).number

    def make(self, **parts: Any) -> Commit:
        defaults: dict[str, Any] = {"market_ms": 1_000, "next_seq": 1}
        return Commit(actor=self.actor, epoch=self.epoch, number=self.number + 1, **{**defaults, **parts})

    def write(self, **parts: Any) -> frozenset[str]:
        blocked = self.store.commit(self.make(**parts))
        self.number += 1
        return blocked
